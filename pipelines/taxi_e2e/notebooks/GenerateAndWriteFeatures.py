# Databricks notebook source
# Raw trips to `pickup_features` and `dropoff_features`: computed, checked, merged; nothing where nothing has changed.

# COMMAND ----------

from databricks.sdk import WorkspaceClient
from databricks.sdk.runtime import dbutils

from pipelines.progress import Progress
from pipelines.taxi_e2e.feature_step import write_features
from pipelines.taxi_e2e.settings import flag, settings_of

settings = settings_of(dbutils.widgets.get)
force = flag("force", dbutils.widgets.get("force"))

# COMMAND ----------

digest = write_features(settings, WorkspaceClient(), Progress(), force=force)
dbutils.jobs.taskValues.set("features_digest", digest)
dbutils.notebook.exit(digest)  # type: ignore[call-arg]  # the SDK declares it without its argument
