"""What a task finds around it without importing it, and the module through which databricks-sdk finds the same.

`databricks.sdk.runtime` and `WorkspaceClient().dbutils` ask the module `dbruntime`, which the Databricks runtime has
and no package ships: a task has one that answers with this namespace.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import Any

from workspace.task_process.dbutils import DbUtils

_REFUSAL = "WORKSPACE_NO_SPARK"


class LazySpark:
    """`spark`: a session is made when something is asked of it, for a task on a cluster."""

    def __init__(self) -> None:
        self._session: Any = None

    def __getattr__(self, name: str) -> Any:
        if self._session is None:
            if (refusal := no_spark()) is not None:
                raise RuntimeError(f"spark.{name} needs PySpark: {refusal}")
            from pyspark.sql import SparkSession

            self._session = SparkSession.builder.getOrCreate()
        return getattr(self._session, name)


def no_spark() -> str | None:
    """Why there is no Spark for this task; None where there is."""
    if "SPARK_CONF_DIR" in os.environ:
        return None
    return os.environ.get(_REFUSAL) or "on this machine it is set up for tasks on clusters (job_clusters, new_cluster)"


def display(*values: Any) -> None:
    """Print what a notebook would show: data frames as text."""
    for value in values:
        to_string = getattr(value, "to_string", None)
        print(to_string() if callable(to_string) else value)


def namespace(dbutils: DbUtils) -> dict[str, Any]:
    """The globals of a notebook or Python file."""
    return {
        "dbutils": dbutils,
        "spark": LazySpark(),
        "display": display,
        "displayHTML": display,
        "getArgument": dbutils.widgets.getArgument,
    }


def publish(values: dict[str, Any]) -> None:
    """Have `from databricks.sdk.runtime import dbutils` and `WorkspaceClient().dbutils` give what the task has."""

    class UserNamespaceInitializer:
        @staticmethod
        def getOrCreate() -> UserNamespaceInitializer:  # noqa: N802  # the runtime's name
            return UserNamespaceInitializer()

        def get_namespace_globals(self) -> dict[str, Any]:
            return values

    module = ModuleType("dbruntime")
    module.UserNamespaceInitializer = UserNamespaceInitializer  # type: ignore[attr-defined]
    sys.modules["dbruntime"] = module
