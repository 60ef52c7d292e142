"""Which table a name means: the current catalog and schema, what a WITH clause hides, and qualified columns."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sqlglot import exp

from workspace.sql.errors import SqlError, unsupported


@dataclass
class Session:
    """What unqualified names belong to, who asks, and what lasts from statement to statement of a script."""

    catalog: str
    schema: str
    user: str
    views: dict[str, str] = field(default_factory=dict)
    """Definitions of temporary views, by name in lower case."""
    now: Callable[[], float] = time.time
    """The workspace's time, in seconds since the epoch: what current_timestamp() and its like say."""

    def temporary_view(self, table: exp.Table) -> str | None:
        """The definition, where the name is that of a temporary view."""
        if table.db or table.catalog or not isinstance(table.this, exp.Identifier):
            return None
        return self.views.get(table.name.lower())

    def full_name(self, table: exp.Table) -> str:
        """The three-level name of a table, in lower case."""
        return ".".join(self.parts(table))

    def parts(self, table: exp.Table) -> tuple[str, str, str]:
        if not isinstance(table.this, exp.Identifier):
            raise unsupported(f"{table.this.sql('databricks')} where a table's name is expected")
        if table.catalog.lower() in ("delta", "parquet") or table.db.lower() in ("delta", "parquet", "json", "csv"):
            raise unsupported("reading files by path", "name a table of Unity Catalog")
        return (table.catalog or self.catalog).lower(), (table.db or self.schema).lower(), table.name.lower()

    def schema_parts(self, name: exp.Table) -> tuple[str, str]:
        """Catalog and schema of a schema's name: sqlglot puts them in `catalog` and `db`."""
        return (name.catalog or self.catalog).lower(), name.db.lower()


def constant_text(node: exp.Expression, what: str) -> str:
    """A text that is written as one, or as several beside each other; SqlError for anything else."""
    if isinstance(node, exp.Literal) and node.is_string:
        return str(node.name)
    if isinstance(node, exp.Concat):
        return "".join(constant_text(part, what) for part in node.expressions)
    raise unsupported(f"{what} {node.sql('databricks')}", "give a constant text")


def tables_of(tree: exp.Expression) -> Iterator[exp.Table]:
    """The tables that a statement names; not what its WITH clauses define."""
    for table in list(tree.find_all(exp.Table)):
        if isinstance(table.this, exp.Identifier) and not _is_common(table):
            yield table


def _is_common(table: exp.Table) -> bool:
    """Whether a WITH clause that the reference can see defines the name."""
    if table.db or table.catalog:
        return False
    name = table.name.lower()
    node: exp.Expr | None = table
    inside: exp.CTE | None = None
    while node is not None:
        if isinstance(node, exp.CTE):
            inside = node
        clause = node.args.get("with_") or node.args.get("with")
        if isinstance(clause, exp.With):
            for common in clause.expressions:
                # A definition sees those before it, and itself in a recursive one.
                if common is inside and not clause.args.get("recursive"):
                    break
                if common.alias.lower() == name:
                    return True
                if common is inside:
                    break
        node = node.parent
    return False


def table_not_found(full_name: str) -> SqlError:
    quoted = ".".join(f"`{part}`" for part in full_name.split("."))
    return SqlError(
        "TABLE_OR_VIEW_NOT_FOUND",
        f"The table or view {quoted} cannot be found. Verify the spelling and correctness of the schema and catalog. "
        "If you did not qualify the name with a schema, verify the current_schema() output, or qualify the name with "
        "the correct schema and catalog. "
        "To tolerate the error on drop use DROP VIEW IF EXISTS or DROP TABLE IF EXISTS.",
        sql_state="42P01",
    )


def schema_not_found(catalog: str, schema: str) -> SqlError:
    return SqlError(
        "SCHEMA_NOT_FOUND",
        f"The schema `{catalog}`.`{schema}` cannot be found. "
        "Verify the spelling and correctness of the schema and catalog.",
        sql_state="42704",
    )
