# Databricks notebook source
# What the passengers paid, and for what: the second feature table.

# COMMAND ----------

from databricks.sdk import WorkspaceClient
from databricks.sdk.runtime import dbutils

from pipelines.titanic import tables
from pipelines.titanic.job import request_of
from pipelines.titanic.pipeline import warehouse_of

request = request_of(dbutils.widgets)
rows = tables.ticket_features(warehouse_of(request, WorkspaceClient()))

# COMMAND ----------

print(f"{rows} rows in {request.full_schema}.{tables.TICKET}")
