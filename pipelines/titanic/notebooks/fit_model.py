# Databricks notebook source
# Trains XGBoost on the online features and registers a version for each kind of store. A release decides what serves.

# COMMAND ----------

from databricks.sdk import WorkspaceClient
from databricks.sdk.runtime import dbutils

from pipelines.progress import Progress
from pipelines.titanic.job import request_of
from pipelines.titanic.pipeline import fit_tables_as_they_are

request = request_of(dbutils.widgets)
versions = fit_tables_as_they_are(request, WorkspaceClient(), Progress())

# COMMAND ----------

for kind, version in versions.items():
    dbutils.jobs.taskValues.set(f"version_{kind}", version)
dbutils.notebook.exit(str(versions))  # type: ignore[call-arg]  # the SDK declares it without its argument
