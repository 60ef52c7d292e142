# Databricks notebook source
# Fares of all trips by one version: the champion, or the one that is named.

# COMMAND ----------

from databricks.sdk import WorkspaceClient
from databricks.sdk.runtime import dbutils

from pipelines.progress import Progress
from pipelines.taxi_e2e.predict import score, version_to_use
from pipelines.taxi_e2e.settings import settings_of
from pipelines.taxi_e2e.training_step import quiet_mlflow

quiet_mlflow()
settings = settings_of(dbutils.widgets.get)
workspace = WorkspaceClient()
version = version_to_use(workspace, settings.model, dbutils.widgets.get("model_version"))

# COMMAND ----------

rows = score(settings, workspace, Progress(), version)
dbutils.jobs.taskValues.set("rows", rows)
dbutils.notebook.exit(str(rows))  # type: ignore[call-arg]  # the SDK declares it without its argument
