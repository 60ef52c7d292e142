"""Which version of a Delta table a moment in time, or a number, stands for."""

from __future__ import annotations

from datetime import UTC, datetime

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from sqlglot import exp

from workspace.sql.engine import Cursor
from workspace.sql.errors import SqlError, unsupported
from workspace.sql.functions import timestamp
from workspace.sql.names import Session
from workspace.sql.translate import to_duckdb


def at_moment(delta: DeltaTable, moment: datetime, full_name: str) -> int:
    """The version that was the newest at a moment. Raises SqlError before the first commit, or after the last one."""
    entries = sorted((int(entry["timestamp"]), int(entry["version"])) for entry in delta.history())
    wanted = int(moment.timestamp() * 1000)
    if wanted < entries[0][0]:
        raise SqlError(
            "DELTA_TIMESTAMP_EARLIER_THAN_COMMIT_RETENTION",
            f"The provided timestamp ({_shown(wanted)}) is before the earliest version available to {full_name} "
            f"({_shown(entries[0][0])}). Please use a timestamp greater than or equal to {_shown(entries[0][0])}.",
            sql_state="42816",
        )
    if wanted > entries[-1][0]:
        raise SqlError(
            "DELTA_TIMESTAMP_GREATER_THAN_COMMIT",
            f"The provided timestamp ({_shown(wanted)}) is after the latest version available to {full_name} "
            f"({_shown(entries[-1][0])}). Please use a timestamp less than or equal to {_shown(entries[-1][0])}.",
            sql_state="42816",
        )
    return max(version for moment_of, version in entries if moment_of <= wanted)


def first_since(delta: DeltaTable, moment: datetime, full_name: str) -> int:
    """The first version that was committed at a moment or later: where a range of changes begins."""
    wanted = int(moment.timestamp() * 1000)
    later = [int(entry["version"]) for entry in delta.history() if int(entry["timestamp"]) >= wanted]
    if not later:
        return at_moment(delta, moment, full_name)
    return min(later)


def moment_of(value: exp.Expression, cursor: Cursor, session: Session) -> datetime:
    """A constant expression as a moment in time."""
    if value.find(exp.Column, exp.Query) is not None:
        raise unsupported(f"time travel to {value.sql('databricks')}", "give a constant")
    select = exp.Select(expressions=[exp.alias_(timestamp(value.copy()), "moment")])
    found = cursor.query(to_duckdb(select, session)).rows.column(0)[0].as_py()
    if not isinstance(found, datetime):
        raise SqlError(
            "DELTA_TIMESTAMP_INVALID", f"The provided timestamp ({value.sql('databricks')}) cannot be converted."
        )
    return found


def load(delta: DeltaTable, version: int | None, full_name: str) -> DeltaTable:
    """The table at a version. Raises SqlError where there is none."""
    if version is None:
        return delta
    try:
        delta.load_as_version(version)
    except (DeltaError, ValueError, OverflowError) as error:
        raise SqlError("DELTA_VERSION_NOT_FOUND", f"{full_name} has no version {version}: {error}") from error
    return delta


def _shown(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(sep=" ", timespec="milliseconds")[:23]
