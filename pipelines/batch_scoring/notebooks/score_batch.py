# Databricks notebook source
# NOT RUN. The same scoring by Databricks' own client, for a cluster with an ML runtime: it looks features up, computes
# on-demand ones and is right in time by itself, and needs a workspace that the client talks to from inside.

# COMMAND ----------

from databricks.feature_engineering import FeatureEngineeringClient
from databricks.sdk import WorkspaceClient
from databricks.sdk.runtime import dbutils
from pyspark.sql import SparkSession
from pyspark.sql import functions as fn

from pipelines.batch_scoring import BatchRequest
from pipelines.batch_scoring.output_table import DAY, RUN
from pipelines.batch_scoring.version import resolve

names = dbutils.widgets.get("parameter_names").split(",")
request = BatchRequest.from_parameters({name: dbutils.widgets.get(name) for name in names})
spark = SparkSession.builder.getOrCreate()
version = resolve(request, WorkspaceClient())

# COMMAND ----------

predictions = FeatureEngineeringClient().score_batch(
    model_uri=version.uri, df=spark.table(request.input_table), result_type=request.result_type
)

# COMMAND ----------

(
    predictions.withColumn("model_name", fn.lit(version.model))
    .withColumn("model_version", fn.lit(version.number).cast("int"))
    .withColumn("model_alias", fn.lit(version.alias).cast("string"))
    .withColumn("inference_timestamp", fn.current_timestamp())
    .withColumn(RUN, fn.lit(request.run_id))
    .withColumn(DAY, fn.current_date())
    .writeTo(request.output_table)
    .overwrite(fn.col(RUN) == request.run_id)
)
