# Databricks notebook source
# Refreshes the monitors, checks the feature tables again, and says what has drifted.

# COMMAND ----------

import json

from databricks.sdk import WorkspaceClient
from databricks.sdk.runtime import dbutils

from pipelines.progress import Progress
from pipelines.taxi_e2e.monitoring import monitor_all
from pipelines.taxi_e2e.settings import settings_of

settings = settings_of(dbutils.widgets.get)
tables = dbutils.widgets.get("monitored_tables").split(",")

# COMMAND ----------

document = monitor_all(settings, WorkspaceClient(), Progress(), tables)
print(json.dumps(document, indent=2))
dbutils.notebook.exit(json.dumps(document))  # type: ignore[call-arg]  # the SDK declares it without its argument
