"""Whether the table that is watched can become what the stack file says, and whether its baseline is there: asked at
preview.

New columns are added in place and are NULL in the rows of before. A column's type cannot change: the official plugin
stops at "changing the 'type' of an existing column is not supported" and does not say which (resource `SqlTable`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from .dynamic.errors import AbsentError, WorkspaceError, asking

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

    from .unpack import UnpackedSchema

_SAME = {"integer": "int", "long": "bigint", "short": "smallint", "byte": "tinyint", "real": "float", "dec": "decimal"}


class MonitoredTableError(pulumi.RunError):
    """The unpacked table cannot become what the stack file says. Shown without a traceback."""


def check_columns(table: str, schema: UnpackedSchema, client: WorkspaceClient) -> None:
    """Refuses columns that are there with another type. Reads the workspace, never writes.

    Args:
        table: three-part name of the unpacked table, which need not exist yet.
        schema: its columns, as the stack file declares them.

    Raises:
        MonitoredTableError: naming every such column with both types and the ways out; or the workspace did not say.
    """
    try:
        with asking(f"reading table {table}"):
            found = client.tables.get(table)
    except AbsentError:
        return
    except WorkspaceError as error:
        raise MonitoredTableError(str(error)) from None
    there = {(column.name or "").lower(): column.type_text or "" for column in found.columns or []}
    differing = [
        f"{name} is {there[name.lower()]} and should be {kind}"
        for name, kind in schema.columns().items()
        if name.lower() in there and _plain(there[name.lower()]) != _plain(kind)
    ]
    if differing:
        raise MonitoredTableError(
            f"monitor: columns of {table} would change their type: {'; '.join(differing)}. That cannot be done in "
            "place. Put the old type back; or give the column a new name, which is added and is NULL in the rows of "
            "before; or name another table in monitor.table, which begins empty with a monitor of its own"
        )


def baseline_there(table: str | None, client: WorkspaceClient) -> str | None:
    """The baseline table, if it is there; a monitor that names one which is not could be neither made nor changed.

    Training or validation writes it, which may be later than the first `up`, and is for stacks that are older than
    their baseline. So a missing one is a warning, and the `up` after it is there adds it.

    Args:
        table: three-part name; None where the stack file names none.

    Raises:
        MonitoredTableError: the workspace did not say.
    """
    if table is None:
        return None
    try:
        with asking(f"reading baseline table {table}"):
            client.tables.get(table)
    except AbsentError:
        pulumi.log.warn(
            f"monitor.baselineTable: {table} is not there yet: windows are compared with the one before only. The "
            "first `up` after training or validation has written it adds it; correct the name if nothing ever does"
        )
        return None
    except WorkspaceError as error:
        raise MonitoredTableError(str(error)) from None
    return table


def _plain(kind: str) -> str:
    text = kind.lower().replace(" ", "")
    text = _SAME.get(text, text)
    return "decimal(10,0)" if text == "decimal" else text
