"""SQL: Databricks SQL over Delta tables, run by DuckDB."""

from workspace.sql.service import Sql

__all__ = ["Sql"]
