# Databricks notebook source
# Raw trips to `pickup_features` and `dropoff_features`: computed, checked, merged; nothing where nothing has changed.

# COMMAND ----------

from databricks.sdk import WorkspaceClient
from databricks.sdk.runtime import dbutils

from pipelines.progress import Progress
from pipelines.taxi_e2e.feature_step import FEATURE_TABLES, write_features
from pipelines.taxi_e2e.online import sync_online
from pipelines.taxi_e2e.settings import flag, settings_of

settings = settings_of(dbutils.widgets.get)
force = flag("force", dbutils.widgets.get("force"))

# COMMAND ----------

workspace, progress = WorkspaceClient(), Progress()
digest = write_features(settings, workspace, progress, force=force)

# COMMAND ----------

# What is served from is brought in step with what was written.
names = [table.name for table in FEATURE_TABLES]
sync_online(workspace, settings.full_schema, names, dbutils.widgets.get("online_store"), progress)
dbutils.jobs.taskValues.set("features_digest", digest)
dbutils.notebook.exit(digest)  # type: ignore[call-arg]  # the SDK declares it without its argument
