# Databricks notebook source
# Who the passengers are, and with whom they travel: the first feature table.

# COMMAND ----------

from databricks.sdk import WorkspaceClient
from databricks.sdk.runtime import dbutils

from pipelines.titanic import tables
from pipelines.titanic.job import request_of
from pipelines.titanic.pipeline import warehouse_of

request = request_of(dbutils.widgets)
rows = tables.demographic_features(warehouse_of(request, WorkspaceClient()))

# COMMAND ----------

print(f"{rows} rows in {request.full_schema}.{tables.DEMOGRAPHIC}")
