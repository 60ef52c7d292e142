"""Columns of a feature table in MySQL: their types there, and values to and fro."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from pipelines.errors import PipelineError

# Databricks SQL type to the type of a column, as MySQL writes it in information_schema. FLOAT becomes DOUBLE: MySQL
# shows six digits of a FLOAT. A text of a key needs a length; 255 characters fit into an index.
_TYPES: Final[Mapping[str, str]] = {
    "tinyint": "tinyint",
    "smallint": "smallint",
    "int": "int",
    "bigint": "bigint",
    "float": "double",
    "double": "double",
    "boolean": "tinyint(1)",
    "date": "date",
    "timestamp": "datetime(6)",
    "string": "longtext",
}
_KEY_TEXT: Final = "varchar(255)"


@dataclass(frozen=True, kw_only=True)
class KeyedColumns:
    """Names and Databricks SQL types of a table's columns, in order, and which are its primary key.

    Raises PipelineError for a type that has no counterpart, and where there is no key.
    """

    types: Mapping[str, str]
    key: Sequence[str]

    def __post_init__(self) -> None:
        if not self.key or any(name not in self.types for name in self.key):
            raise PipelineError(
                f"The feature table's primary key is ({', '.join(self.key)}), its columns {', '.join(self.types)}: "
                "publishing merges by key. Give it a PRIMARY KEY on columns that are NOT NULL."
            )
        if unknown := [f"{name} {kind}" for name, kind in self.types.items() if kind not in _TYPES]:
            raise PipelineError(
                f"{', '.join(unknown)} cannot be published to MySQL: use {', '.join(sorted(_TYPES))}, for instance by "
                "a cast in the feature table."
            )

    @property
    def names(self) -> list[str]:
        return list(self.types)

    def key_of(self, row: Sequence[Any]) -> tuple[Any, ...]:
        """The key of a row that has all columns in order."""
        places = [self.names.index(name) for name in self.key]
        return tuple(row[place] for place in places)

    def to_mysql(self, row: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(_out(value) for value in row)

    def key_to_mysql(self, key: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(_out(value) for value in key)

    def from_mysql(self, row: Sequence[Any]) -> tuple[Any, ...]:
        """The values as the feature table has them: booleans, dates as texts, moments in UTC."""
        return tuple(_in(value, kind) for value, kind in zip(row, self.types.values(), strict=True))

    def is_type(self, name: str, mysql_type: str) -> bool:
        """Whether a column that is there has the type it would be made with; older servers show widths of numbers."""
        wanted = as_mysql(self, name).removesuffix(" NOT NULL")
        return mysql_type == wanted or ("(" not in wanted and mysql_type.startswith(f"{wanted}("))


def as_mysql(columns: KeyedColumns, name: str) -> str:
    """The type that a column is made with."""
    kind = columns.types[name]
    if name not in columns.key:
        return _TYPES[kind]
    return f"{_KEY_TEXT if kind == 'string' else _TYPES[kind]} NOT NULL"


def _out(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None)
    return int(value) if isinstance(value, bool) else value


def _in(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "boolean":
        return bool(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    return value.isoformat() if isinstance(value, date) else value
