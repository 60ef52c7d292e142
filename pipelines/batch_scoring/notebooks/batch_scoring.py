# Databricks notebook source
# Scores a table with a registered model, and appends the answers with what they came from.

# COMMAND ----------

from databricks.sdk import WorkspaceClient
from databricks.sdk.runtime import dbutils
from pyspark.sql import SparkSession

from pipelines.batch_scoring import BatchRequest, score

# The job's parameters, one widget each; the list of them is a parameter too.
names = dbutils.widgets.get("parameter_names").split(",")
request = BatchRequest.from_parameters({name: dbutils.widgets.get(name) for name in names})

# COMMAND ----------

summary = score(request, SparkSession.builder.getOrCreate(), WorkspaceClient())

# COMMAND ----------

for name, value in summary.task_values().items():
    dbutils.jobs.taskValues.set(name, value)
dbutils.notebook.exit(str(summary))  # type: ignore[call-arg]  # the SDK declares it without its argument
