# Databricks notebook source
# Fares of all trips by one version: the champion, or the one that is named.

# COMMAND ----------

from databricks.sdk import WorkspaceClient
from databricks.sdk.runtime import dbutils

from pipelines.errors import PipelineError
from pipelines.progress import Progress
from pipelines.taxi_e2e.predict import PROCESS, SPARK, score, score_on_spark, version_to_use
from pipelines.taxi_e2e.settings import settings_of
from pipelines.taxi_e2e.training_step import quiet_mlflow

quiet_mlflow()
settings = settings_of(dbutils.widgets.get)
workspace = WorkspaceClient()
version = version_to_use(workspace, settings.model, dbutils.widgets.get("model_version"))

# COMMAND ----------

engines = {SPARK: score_on_spark, PROCESS: score}
engine = dbutils.widgets.get("engine")
if engine not in engines:
    raise PipelineError(f"Job parameter engine is {engine!r}; use {' or '.join(engines)}.")
rows = engines[engine](settings, workspace, Progress(), version, dbutils.widgets.get("run_id"))
dbutils.jobs.taskValues.set("rows", rows)
dbutils.notebook.exit(str(rows))  # type: ignore[call-arg]  # the SDK declares it without its argument
