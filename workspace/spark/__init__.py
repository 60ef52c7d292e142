"""Spark on this machine for the tasks of jobs: PySpark and Delta as they come, tables by their names in Unity Catalog.

What a task sees is what it would see on a cluster: `SparkSession.builder.getOrCreate()` gives a session in which
`catalog.schema.table` is read and written. All of that is configuration, made here and handed to the task's process;
neither the tasks nor the rest of the workspace know of it.
"""

from workspace.spark.local import LocalSpark, SparkError

__all__ = ["LocalSpark", "SparkError"]
