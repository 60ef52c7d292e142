# Databricks notebook source
# Compares the versions of two aliases by the labels that their answers have got, and tags the one that wants to rise.

# COMMAND ----------

from databricks.sdk.runtime import dbutils

from pipelines.ab_test import AbRequest, compare_versions

# The job's parameters, one widget each; the list of them is a parameter too.
names = dbutils.widgets.get("parameter_names").split(",")
result = compare_versions(AbRequest.from_parameters({name: dbutils.widgets.get(name) for name in names}))

# COMMAND ----------

print(result)
dbutils.jobs.taskValues.set("outcome", result.outcome)
dbutils.notebook.exit(str(result))  # type: ignore[call-arg]  # the SDK declares it without its argument
