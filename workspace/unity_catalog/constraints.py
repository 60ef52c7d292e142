"""Constraints of tables: primary keys (which make their columns NOT NULL) and foreign keys. Informational, both."""

from __future__ import annotations

from collections.abc import Sequence

from workspace.errors import invalid
from workspace.unity_catalog import types
from workspace.unity_catalog.table import Column, ForeignKey, Table


def primary_key(
    full_name: str, columns: Sequence[str], name: str | None, timeseries: str | None
) -> dict[str, object] | None:
    if not columns:
        return None
    default = f"{full_name.rpartition('.')[2]}_pk"
    return {"name": name or default, "columns": list(columns), "timeseries": timeseries}


def declared(columns: Sequence[Column], primary_key: Sequence[str], timeseries: str | None) -> list[Column]:
    """The columns with checked types, those of the key NOT NULL."""
    if not columns:
        raise invalid("a table has one column or more")
    seen = [column.name.lower() for column in columns]
    doubled = sorted({name for name in seen if seen.count(name) > 1})
    if doubled:
        raise invalid(f"[COLUMN_ALREADY_EXISTS] The columns {doubled} are declared more than once")
    key = [name.lower() for name in primary_key]
    unknown = [name for name in [*primary_key, *([timeseries] if timeseries else [])] if name.lower() not in seen]
    if unknown:
        raise invalid(f"[UNRESOLVED_COLUMN] primary key column(s) {unknown} are not columns of the table: {seen}")
    if timeseries is not None and timeseries.lower() not in key:
        raise invalid(f"timeseries column '{timeseries}' is not a column of the primary key {list(primary_key)}")
    try:
        return [
            Column(c.name, types.normalised(c.type_text), c.nullable and c.name.lower() not in key, c.comment)
            for c in columns
        ]
    except types.TypeTextError as error:
        raise invalid(f"[UNSUPPORTED_DATATYPE] {error}") from error


def foreign_key(table: Table, parent: Table, key: ForeignKey) -> ForeignKey:
    """The key as it is kept, in the columns' own spelling.

    Raises ApiError 400 where a column is missing or of another type, the parent's columns are not its primary key, or
    the name is taken.
    """
    taken = [table.primary_key_name or "", *(one.name for one in table.foreign_keys)]
    if key.name.lower() in (name.lower() for name in taken):
        raise invalid(f"Constraint '{key.name}' already exists on table '{table.full_name}'")
    wanted = key.parent_columns or parent.primary_key
    if not parent.primary_key or sorted(map(str.lower, wanted)) != sorted(map(str.lower, parent.primary_key)):
        raise invalid(
            f"foreign key '{key.name}' refers to {wanted} of '{parent.full_name}', "
            f"whose primary key is {parent.primary_key or 'not declared'}"
        )
    if len(wanted) != len(key.columns):
        raise invalid(f"foreign key '{key.name}' has columns {key.columns} for {wanted}: their numbers differ")
    own, others = [_column(table, name) for name in key.columns], [_column(parent, name) for name in wanted]
    for mine, theirs in zip(own, others, strict=True):
        if mine.type_text != theirs.type_text:
            raise invalid(
                f"foreign key '{key.name}': {mine.name} is {mine.type_text}, "
                f"{theirs.name} of '{parent.full_name}' is {theirs.type_text}"
            )
    return ForeignKey(key.name, [c.name for c in own], parent.full_name, [c.name for c in others])


def _column(table: Table, name: str) -> Column:
    found = table.column(name)
    if found is None:
        raise invalid(f"[UNRESOLVED_COLUMN] '{name}' is not a column of '{table.full_name}'")
    return found
