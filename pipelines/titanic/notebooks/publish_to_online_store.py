# Databricks notebook source
# Joins both feature tables into the third one, and has its online copy take over what has changed.

# COMMAND ----------

from databricks.sdk import WorkspaceClient
from databricks.sdk.runtime import dbutils

from pipelines.progress import Progress
from pipelines.titanic.job import request_of
from pipelines.titanic.sync import sync_online

request = request_of(dbutils.widgets)
store, table = dbutils.widgets.get("online_store"), dbutils.widgets.get("online_table")
rows = sync_online(request, store, table, WorkspaceClient(), Progress())

# COMMAND ----------

dbutils.notebook.exit(f"{rows} rows")  # type: ignore[call-arg]  # the SDK declares it without its argument
