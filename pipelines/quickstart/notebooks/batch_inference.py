# Databricks notebook source
# Scores a table with the version behind an alias, in the model's own environment.
#
# The model's requirements are those that it was logged with: they are read from its artifacts and installed before
# anything of the model is loaded, so that scoring needs no list of packages of its own.

# COMMAND ----------

import mlflow
from databricks.sdk.runtime import dbutils

mlflow.set_registry_uri("databricks-uc")
model_uri = dbutils.widgets.get("model_uri")
requirements = mlflow.artifacts.download_artifacts(artifact_uri=f"{model_uri}/requirements.txt")

# COMMAND ----------

# MAGIC %pip install --quiet -r $requirements

# COMMAND ----------

dbutils.library.restartPython()

# COMMAND ----------

# Python is a new one now: nothing from above is left.
from databricks.sdk import WorkspaceClient
from databricks.sdk.runtime import dbutils
from pyspark.sql import SparkSession

from pipelines.batch_scoring import BatchRequest, score

names = dbutils.widgets.get("parameter_names").split(",")
request = BatchRequest.from_parameters({name: dbutils.widgets.get(name) for name in names})
# A Spark UDF of the model (`mlflow.pyfunc.spark_udf`); its arguments are the inputs of the model's signature.
summary = score(request, SparkSession.builder.getOrCreate(), WorkspaceClient())

# COMMAND ----------

for name, value in summary.task_values().items():
    dbutils.jobs.taskValues.set(name, value)
dbutils.notebook.exit(str(summary))  # type: ignore[call-arg]  # the SDK declares it without its argument
