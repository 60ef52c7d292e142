"""Bulk scoring on Spark: a registered model over a table, its features as they were known, the answers appended with
what they came from.

`score` is the whole; the notebook `notebooks/batch_scoring.py` is its task. Rows are read and written by Spark, by the
tables' names; the version behind an alias is read once and written down as a number. Runs on a Databricks cluster with
an ML runtime, and wherever else `SparkSession.builder.getOrCreate()` gives a session that knows the catalog.
"""

from pipelines.batch_scoring.request import BatchRequest
from pipelines.batch_scoring.score import Summary, score

__all__ = ["BatchRequest", "Summary", "score"]
