# Databricks notebook source
# One version of the fare model: features looked up, a split by time, a random forest, measured, logged and registered.

# COMMAND ----------

# The client: who the job runs as.
from databricks.sdk import WorkspaceClient
from databricks.sdk.runtime import dbutils

from pipelines.progress import Progress
from pipelines.taxi.parameters import Parameters
from pipelines.taxi_e2e.settings import flag, settings_of
from pipelines.taxi_e2e.training_step import quiet_mlflow, train_version

quiet_mlflow()
settings = settings_of(dbutils.widgets.get)
force = flag("force", dbutils.widgets.get("force"))
parameters = Parameters(seed=int(dbutils.widgets.get("seed")), n_estimators=int(dbutils.widgets.get("n_estimators")))

# COMMAND ----------

# Load with lookups, transform, fit, evaluate, log, register: pipelines/taxi_e2e/training_step.py.
version = train_version(settings, WorkspaceClient(), Progress(), parameters=parameters, force=force)

# COMMAND ----------

dbutils.jobs.taskValues.set("model_version", version)
dbutils.notebook.exit(version)  # type: ignore[call-arg]  # the SDK declares it without its argument
