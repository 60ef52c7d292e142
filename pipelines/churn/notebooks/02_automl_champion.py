# Databricks notebook source
# Trains one more version on the tables as they are. It becomes the challenger; a release decides what serves.

# COMMAND ----------

from databricks.sdk import WorkspaceClient
from databricks.sdk.runtime import dbutils

from pipelines.churn.pipeline import retrain
from pipelines.churn.request import Request
from pipelines.progress import Progress

catalog, schema, _ = dbutils.widgets.get("model").split(".")
request = Request(catalog=catalog, schema=schema, warehouse_id=dbutils.widgets.get("warehouse_id"))
version = retrain(request, WorkspaceClient(), Progress())

# COMMAND ----------

dbutils.jobs.taskValues.set("version", version)
dbutils.notebook.exit(version)  # type: ignore[call-arg]  # the SDK declares it without its argument
