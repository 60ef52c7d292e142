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
made = retrain(request, WorkspaceClient(), Progress(), journal=dbutils.widgets.get("journal"))

# COMMAND ----------

dbutils.jobs.taskValues.set("version", made.version)
dbutils.jobs.taskValues.set("comparison", made.outcome)
dbutils.notebook.exit(made.explanation)  # type: ignore[call-arg]  # the SDK declares it without its argument
