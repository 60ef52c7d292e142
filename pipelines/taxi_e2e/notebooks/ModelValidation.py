# Databricks notebook source
# Whether the version that `Train` made may serve. A failed validation fails the job: no alias moves.

# COMMAND ----------

import json

from databricks.sdk import WorkspaceClient
from databricks.sdk.runtime import dbutils

from pipelines.progress import Progress
from pipelines.taxi_e2e.settings import settings_of
from pipelines.taxi_e2e.training_step import quiet_mlflow
from pipelines.taxi_e2e.validation import document_of, thresholds_of, validate_version

quiet_mlflow()
settings = settings_of(dbutils.widgets.get)
thresholds = thresholds_of(dbutils.widgets.get)
version = dbutils.widgets.get("model_version")

# COMMAND ----------

verdict = validate_version(settings, WorkspaceClient(), Progress(), version, thresholds)

# COMMAND ----------

dbutils.jobs.taskValues.set("model_version", version)
dbutils.notebook.exit(json.dumps(document_of(version, verdict)))  # type: ignore[call-arg]  # declared without it
