"""Whether a feature table can be published, and the SQL that mends it where it cannot. Pure.

Source: Databricks' online feature store documentation (a primary key constraint on columns that are NOT NULL, and
the change data feed for every mode but SNAPSHOT); Unity Catalog keeps column names' case and does not tell cases
apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..names import ThreePartName, quote_identifier

if TYPE_CHECKING:
    from databricks.sdk.service.catalog import TableInfo

MODES = ("SNAPSHOT", "TRIGGERED", "CONTINUOUS")
SNAPSHOT = "SNAPSHOT"
CHANGE_DATA_FEED = "delta.enableChangeDataFeed"


@dataclass(frozen=True)
class Publication:
    """What is to be published, as far as it can be checked against the source."""

    source: ThreePartName
    primary_keys: tuple[str, ...]
    timeseries_key: str | None
    mode: str

    @property
    def key_columns(self) -> list[str]:
        """The columns of the source's PRIMARY KEY, in order: the time-series column may be named apart from the
        keys."""
        columns = list(self.primary_keys)
        if self.timeseries_key is not None and not _among(self.timeseries_key, columns):
            columns.append(self.timeseries_key)
        return columns


@dataclass(frozen=True)
class SourceKey:
    """The PRIMARY KEY that a table has."""

    name: str
    columns: tuple[str, ...]
    timeseries: tuple[str, ...]

    @classmethod
    def of(cls, table: TableInfo) -> SourceKey | None:
        """The table's PRIMARY KEY, None where it has none."""
        for constraint in table.table_constraints or []:
            key = constraint.primary_key_constraint
            if key is not None:
                return cls(key.name, tuple(key.child_columns), tuple(key.timeseries_columns or ()))
        return None


def source_problems(table: TableInfo, wanted: Publication) -> Iterator[tuple[str, str]]:
    """Why the table cannot be published like that: the property at fault, and what was found, expected and mends it."""
    columns = {column.name.lower(): column for column in table.columns or [] if column.name}
    missing = [name for name in wanted.key_columns if name.lower() not in columns]
    if missing:
        at_fault = "timeseries_key" if missing == [wanted.timeseries_key] else "primary_keys"
        yield (
            at_fault,
            (
                f"{wanted.source} has no column {', '.join(missing)} (it has {', '.join(columns) or 'none'}): "
                "correct the name, or add the column where the table is written"
            ),
        )
        return
    yield from _key_problems(SourceKey.of(table), wanted)
    nullable = [name for name in wanted.key_columns if columns[name.lower()].nullable is not False]
    if nullable:
        mend = " ".join(
            f"ALTER TABLE {wanted.source.sql} ALTER COLUMN {quote_identifier(name)} SET NOT NULL;" for name in nullable
        )
        yield "primary_keys", f"{', '.join(nullable)} of {wanted.source} may be NULL, expected NOT NULL. Run: {mend}"
    feed = (table.properties or {}).get(CHANGE_DATA_FEED, "false")
    if wanted.mode != SNAPSHOT and feed.lower() != "true":
        yield (
            "publish_mode",
            (
                f"{CHANGE_DATA_FEED} of {wanted.source} is {feed}, {wanted.mode} needs it to be true. "
                f"Run: ALTER TABLE {wanted.source.sql} SET TBLPROPERTIES ({CHANGE_DATA_FEED} = true); "
                "or publish with SNAPSHOT"
            ),
        )


def seen_primary_keys(table: TableInfo, declared: Sequence[str], timeseries_key: str | None) -> list[str]:
    """The table's keys in the declared form, for drift: exactly `declared` where nothing differs but case."""
    key = SourceKey.of(table)
    if key is None:
        return []
    named_apart = timeseries_key is not None and not _among(timeseries_key, declared)
    columns = [name for name in key.columns if not (named_apart and _same([name], [timeseries_key or ""]))]
    return list(declared) if _same(columns, declared) else columns


def _key_problems(key: SourceKey | None, wanted: Publication) -> Iterator[tuple[str, str]]:
    source, expected = wanted.source, f"({', '.join(wanted.key_columns)})"
    if key is None:
        yield (
            "primary_keys",
            f"{source} has no PRIMARY KEY, expected {expected}. Run: {_not_null(wanted)} {_add_key(wanted)}",
        )
        return
    anew = f"Declare the table's own, or run: ALTER TABLE {source.sql} DROP PRIMARY KEY; {_add_key(wanted)}"
    if not _same(key.columns, wanted.key_columns):
        found = ", ".join(key.columns)
        yield "primary_keys", f"the PRIMARY KEY of {source} is ({found}), expected {expected} in this order. {anew}"
        return
    declared = [] if wanted.timeseries_key is None else [wanted.timeseries_key]
    if not _same(key.timeseries, declared):
        found = f"TIMESERIES {', '.join(key.timeseries)}" if key.timeseries else "no TIMESERIES column"
        expected = wanted.timeseries_key or "none"
        yield "timeseries_key", f"the PRIMARY KEY of {source} has {found}, expected {expected}. {anew}"


def _not_null(wanted: Publication) -> str:
    return " ".join(
        f"ALTER TABLE {wanted.source.sql} ALTER COLUMN {quote_identifier(name)} SET NOT NULL;"
        for name in wanted.key_columns
    )


def _add_key(wanted: Publication) -> str:
    columns = ", ".join(
        f"{quote_identifier(name)} TIMESERIES" if name == wanted.timeseries_key else quote_identifier(name)
        for name in wanted.key_columns
    )
    constraint = quote_identifier(f"{wanted.source.name}_pk")
    return f"ALTER TABLE {wanted.source.sql} ADD CONSTRAINT {constraint} PRIMARY KEY ({columns});"


def _same(one: Sequence[str], other: Sequence[str]) -> bool:
    return [name.lower() for name in one] == [name.lower() for name in other]


def _among(name: str, names: Sequence[str]) -> bool:
    return name.lower() in [other.lower() for other in names]
