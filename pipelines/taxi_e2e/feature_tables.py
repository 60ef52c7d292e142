"""What the two feature tables have in common: declared columns, checked before and after every write.

A row says what was known of a location at a full hour, `as_of`. Callers send the moment of the pickup; the newest row
at or before it is looked up (`TIMESERIES`), so that nobody has to round, and a moment long after the last trip still
finds what was known then.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from databricks.sdk import WorkspaceClient

from pipelines.catalog import declared_table
from pipelines.errors import PipelineError
from pipelines.sql import SqlRunner
from pipelines.taxi.features import FeatureTable

AS_OF: Final = "as_of"


@dataclass(frozen=True, kw_only=True)
class TimedFeatures(FeatureTable):
    """A feature table with a time key."""

    source: str
    """The statement that computes its rows, from tables of the same schema."""
    broken_if: Mapping[str, str] = field(default_factory=dict)
    """What no row may be: a name, and the SQL condition of a row that is."""
    timeseries: str = AS_OF

    @property
    def location(self) -> str:
        """The key column beside the time."""
        return next(key for key in self.primary_keys if key != self.timeseries)


def create_feature_table(warehouse: SqlRunner, table: TimedFeatures) -> None:
    """Create `table` as declared, with its primary key and change data feed, unless it is there."""
    columns = [
        f"{name} {kind.upper()}{' NOT NULL' if name in table.primary_keys else ''}"
        for name, kind in table.columns.items()
    ]
    keys = [f"{key} TIMESERIES" if key == table.timeseries else key for key in table.primary_keys]
    lines = [*columns, f"CONSTRAINT {table.name}_key PRIMARY KEY ({', '.join(keys)})"]
    body = ",\n  ".join(lines)
    warehouse.run(
        f"CREATE TABLE IF NOT EXISTS {table.name} (\n  {body}\n)\nTBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"
    )


def compute(warehouse: SqlRunner, table: TimedFeatures) -> int:
    """Bring `table` up to date; only rows that differ are written. The number of its rows.

    Raises PipelineError where what was computed has other columns or types than declared, or broken rows: nothing has
    been written then.
    """
    check_computed(warehouse, table)
    warehouse.run(merge_statement(table))
    return int(str(warehouse.run(f"SELECT count(*) AS rows FROM {table.name}").only_row()["rows"]))


def check_computed(warehouse: SqlRunner, table: TimedFeatures) -> None:
    """The computed rows are as declared: columns, types, keys, values. Raises PipelineError."""
    looked = warehouse.run(f"SELECT * FROM ({table.source}) LIMIT 0")
    if looked.columns != list(table.columns):
        raise PipelineError(
            f"Features for {table.name} have the columns {', '.join(looked.columns)}; declared are "
            f"{', '.join(table.columns)}. Change the statement or the declaration."
        )
    found = dict(zip(looked.columns, looked.types, strict=False))
    if wrong := [f"{name} is {kind}" for name, kind in found.items() if kind != table.columns[name]]:
        raise PipelineError(
            f"Features for {table.name} are not of their declared types: {', '.join(wrong)}. Cast them there."
        )
    if broken := broken_rows(warehouse, table, f"({table.source})"):
        raise PipelineError(
            f"Features for {table.name} are not written: "
            + ", ".join(f"{count} rows with {what}" for what, count in broken.items())
            + ". Look at the raw trips; the table stays as it was."
        )


def broken_rows(warehouse: SqlRunner, table: TimedFeatures, where: str = "") -> dict[str, int]:
    """Rows that are none, counted by what is wrong with them: missing and doubled keys, and the table's own rules.

    Args:
        where: a table or subquery with the same columns; the table itself when left out.
    """
    place = where or table.name
    keys = ", ".join(table.primary_keys)
    rules = {"a key that is null": " OR ".join(f"{key} IS NULL" for key in table.primary_keys), **table.broken_if}
    counts = [f"count(CASE WHEN {rule} THEN 1 END) AS rule_{number}" for number, rule in enumerate(rules.values())]
    row = warehouse.run(f"SELECT {', '.join(counts)}, count(*) AS all_rows FROM {place} AS rows_of_features").rows[0]
    distinct = warehouse.run(f"SELECT count(*) AS n FROM (SELECT DISTINCT {keys} FROM {place} AS rows_of_features)")
    numbers = [int(str(value)) for value in row]
    found = dict(zip(rules, numbers, strict=False))
    found["a key that another row has"] = numbers[-1] - int(str(distinct.only_row()["n"]))
    return {what: count for what, count in found.items() if count}


def check_table(workspace: WorkspaceClient, full_name: str, table: TimedFeatures) -> str:
    """Unity Catalog's id of the table, which has the declared columns and key. Raises PipelineError."""
    info = declared_table(workspace, full_name, table.columns)
    constraints = [one.primary_key_constraint for one in info.table_constraints or [] if one.primary_key_constraint]
    key = list(constraints[0].child_columns) if constraints else []
    if key != list(table.primary_keys):
        raise PipelineError(
            f"Table {full_name} has the primary key ({', '.join(key) or 'none'}), declared is "
            f"({', '.join(table.primary_keys)}). Drop it (DROP TABLE {full_name}) and run again; its online copy must "
            "then be published again."
        )
    return info.table_id or ""


def merge_statement(table: TimedFeatures) -> str:
    """The MERGE that writes only rows that differ, so that the change data feed says what has changed."""
    on = " AND ".join(f"target.{key} = source.{key}" for key in table.primary_keys)
    same = " AND ".join(f"target.{name} <=> source.{name}" for name in table.features)
    changed = ", ".join(f"{name} = source.{name}" for name in table.features)
    names = ", ".join(table.columns)
    values = ", ".join(f"source.{name}" for name in table.columns)
    return f"""MERGE INTO {table.name} AS target
USING ({table.source}) AS source
ON {on}
WHEN MATCHED AND NOT ({same}) THEN UPDATE SET {changed}
WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({values})
WHEN NOT MATCHED BY SOURCE THEN DELETE"""
