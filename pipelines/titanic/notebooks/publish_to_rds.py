# Databricks notebook source
# Joins both feature tables into the third one and publishes it: only what has changed since the last time. The writer's
# user and password come from the secret scope; no parameter carries them.

# COMMAND ----------

from databricks.sdk import WorkspaceClient
from databricks.sdk.runtime import dbutils

from pipelines.progress import Progress
from pipelines.titanic.job import request_of, store_parameters
from pipelines.titanic.publish import publish_online, store_of

request = request_of(dbutils.widgets)
store = store_of(store_parameters(dbutils.widgets))
done, checked = publish_online(request, store, dbutils.secrets, WorkspaceClient(), Progress())

# COMMAND ----------

# The check of the copy: all rows were compared, these are the first.
for row in checked.first:
    print(row)
dbutils.jobs.taskValues.set("source_version", done.version)
dbutils.notebook.exit(str(done))  # type: ignore[call-arg]  # the SDK declares it without its argument
