# Databricks notebook source
# Counts the windows of a monitor that break a limit, writes the decision down, and hands the number to the next task.

# COMMAND ----------

from databricks.sdk.runtime import dbutils

from pipelines.churn.drift_detection import TASK_VALUE
from pipelines.churn.drift_job import detect

# The job's parameters, one widget each; the list of them is a parameter too.
names = dbutils.widgets.get("parameter_names").split(",")
decision = detect({name: dbutils.widgets.get(name) for name in names}, run_id=dbutils.widgets.get("run_id"))

# COMMAND ----------

print(decision)
dbutils.jobs.taskValues.set(TASK_VALUE, decision.all_violations_count)
dbutils.jobs.taskValues.set("outcome", decision.outcome)
dbutils.jobs.taskValues.set("reasons", ", ".join(decision.reasons))
dbutils.notebook.exit(str(decision))  # type: ignore[call-arg]  # the SDK declares it without its argument
