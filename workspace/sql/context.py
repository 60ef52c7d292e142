"""What one statement runs with."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pyarrow as pa
from sqlglot import exp

from workspace.documents import Documents
from workspace.errors import ApiError
from workspace.sql.datatypes import ResultColumn, arrow_type
from workspace.sql.engine import Cursor, Result
from workspace.sql.errors import SqlError, unsupported
from workspace.sql.external import ExternalFiles
from workspace.sql.names import Session
from workspace.sql.pivots import move_pivots
from workspace.sql.sources import Sources
from workspace.sql.translate import check, naive_type, to_duckdb
from workspace.sql.udfs import Functions
from workspace.unity_catalog.service import UnityCatalog
from workspace.unity_catalog.tables import Tables

_LOADED = "copy_into"
_UNNESTED_MAP = "UNNEST() can only be applied to lists, structs and NULL, not MAP"


@dataclass(frozen=True)
class Context:
    """The catalog, the names that are understood, and the cursor of one statement."""

    catalog: UnityCatalog
    session: Session
    cursor: Cursor
    sources: Sources
    external: ExternalFiles
    documents: Documents
    functions: Functions

    @property
    def tables(self) -> Tables:
        return self.catalog.tables

    def result_of(self, rows: pa.Table) -> Result:
        """Rows that no query made, with their Databricks types."""
        table = exp.Table(this=exp.to_identifier(self.cursor.register(rows), quoted=True))
        return self.cursor.query(exp.select("*").from_(table).sql("duckdb"))

    def loaded_files(self, table_id: str) -> set[str]:
        """The files that COPY INTO has loaded into a table."""
        found = self.documents.get(_LOADED, table_id) or {"files": []}
        return set(found["files"])

    def remember_loaded(self, table_id: str, files: Sequence[str]) -> None:
        self.documents.put(_LOADED, table_id, {"files": sorted(self.loaded_files(table_id) | set(files))})

    def query(self, tree: exp.Expression) -> Result:
        """Run a query in Databricks SQL."""
        tree = self.functions.inline(tree, self.session)
        check(tree)
        naive_is = naive_type(tree)
        bound = self.sources.bind(tree)
        naive_is = "timestamp_ntz" if self.sources.has_naive_columns else naive_is
        move_pivots(bound, self._columns_of)
        try:
            return self.cursor.query(to_duckdb(bound.copy(), self.session), naive_is=naive_is)
        except SqlError as error:
            if _UNNESTED_MAP not in str(error):
                raise
        # Only DuckDB knows of what type a value is: what was taken for an array is a map.
        return self.cursor.query(to_duckdb(bound, self.session, maps=True), naive_is=naive_is)

    def _columns_of(self, query: exp.Select) -> list[str]:
        return self.cursor.columns(to_duckdb(query, self.session))


def only(node: exp.Expression, allowed: Collection[str], what: str) -> None:
    """Raises SqlError where the node has a part that is not among `allowed`: nothing is left out silently."""
    for name, value in node.args.items():
        if value and name not in allowed:
            text = value.sql("databricks") if isinstance(value, exp.Expression) else name.upper().replace("_", " ")
            raise unsupported(f"{text} in {what}")


def rows_of(columns: dict[str, str], *rows: tuple[object, ...]) -> Result:
    """A result that no query made: names to Databricks types, then rows."""
    arrays = [pa.array([row[index] for row in rows], arrow_type(kind)) for index, kind in enumerate(columns.values())]
    return Result(
        [ResultColumn(name, kind) for name, kind in columns.items()], pa.Table.from_arrays(arrays, names=list(columns))
    )


def nothing() -> Result:
    """The result of a statement that answers nothing."""
    return Result([], pa.table({}))


def from_api(error: ApiError) -> SqlError:
    """A refusal of Unity Catalog, as a statement's failure."""
    text = error.message
    if text.startswith("["):
        error_class, _, message = text[1:].partition("] ")
        return SqlError(error_class, message)
    codes = {
        "TABLE_ALREADY_EXISTS": "TABLE_OR_VIEW_ALREADY_EXISTS",
        "TABLE_DOES_NOT_EXIST": "TABLE_OR_VIEW_NOT_FOUND",
        "SCHEMA_DOES_NOT_EXIST": "SCHEMA_NOT_FOUND",
        "CATALOG_DOES_NOT_EXIST": "CATALOG_NOT_FOUND",
    }
    return SqlError(codes.get(error.error_code, error.error_code), text)
