"""How the value of a primary key becomes the key of an online row.

The same row must be found whichever way a caller may write its key: a client sends JSON, MLflow's schema enforcement
turns it into pandas types, and a Postgres-backed online store compares with the column's type. What Postgres would
refuse to compare (a number with a text column) is refused here too
(databricks-feature-lookup 1.17, `lookup_key_utils.validate_lookup_key_datatype`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY = date(1970, 1, 1)
INTEGERS = frozenset({"tinyint", "smallint", "int", "integer", "bigint", "long", "short", "byte"})
FLOATS = frozenset({"float", "double", "real"})
TIMESTAMPS = frozenset({"timestamp", "timestamp_ntz"})


class KeyTypeError(ValueError):
    """A value that cannot be compared with the key column it was given for."""

    def __init__(self, column: str, type_text: str, value: object) -> None:
        if type_text == "string":
            message = f"Provided primary keys {column} is not of type string"
        else:
            message = f"primary key {column} is of type {type_text}, which {value!r} ({type(value).__name__}) is not"
        super().__init__(message)


def encode_key(values: Mapping[str, object], columns: Sequence[tuple[str, str]]) -> str | None:
    """The text under which a row with these key values is stored.

    `columns` are the key's names and types, in the key's order. None where a value is null: no row has such a key.
    Raises KeyTypeError for a value of another type, KeyError for a column without a value.
    """
    parts = []
    for name, type_text in columns:
        value = _plain(values[name])
        if value is None:
            return None
        parts.append(normalise(name, type_text, value))
    return json.dumps(parts, separators=(",", ":"), ensure_ascii=False)


def normalise(column: str, type_text: str, value: object) -> int | float | str | bool:
    """One key value in the form it is stored in. Raises KeyTypeError."""
    try:
        if type_text in INTEGERS:
            return _integer(value)
        if type_text in TIMESTAMPS:
            return micros(value)
        if type_text == "date":
            return (_date(value) - EPOCH_DAY).days
        if type_text in FLOATS and isinstance(value, int | float | str | Decimal) and not isinstance(value, bool):
            return float(value)
        if type_text.startswith("decimal") and isinstance(value, int | float | str | Decimal):
            return format(Decimal(str(value)).normalize(), "f")
        if type_text == "boolean" and isinstance(value, bool):
            return value
        if type_text == "string" and isinstance(value, str):
            return value
    except (ValueError, OverflowError, InvalidOperation) as error:
        raise KeyTypeError(column, type_text, value) from error
    raise KeyTypeError(column, type_text, value)


def micros(value: object) -> int:
    """Microseconds since the epoch of a datetime, a date, an ISO text (UTC without a zone) or epoch milliseconds."""
    if isinstance(value, bool):
        raise ValueError("a truth value is no time")
    if isinstance(value, int | float):
        return round(value * 1000)
    if isinstance(value, str):
        value = datetime.fromisoformat(value.strip())
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, datetime):
        raise ValueError(f"{value!r} is no time")
    moment = value if value.tzinfo else value.replace(tzinfo=UTC)
    return (moment - EPOCH) // timedelta(microseconds=1)


def _integer(value: object) -> int:
    if isinstance(value, bool):
        raise ValueError("a truth value is no integer")
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        return int(value.strip())
    if isinstance(value, float | Decimal) and value == int(value):
        return int(value)
    raise ValueError(f"{value!r} is no integer")


def _date(value: object) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if isinstance(value, str):
        return datetime.fromisoformat(value.strip()).date()
    raise ValueError(f"{value!r} is no date")


def _plain(value: object) -> object:
    """A pandas or numpy scalar as the Python value it stands for; NaN and NaT as None."""
    to_python = getattr(value, "to_pydatetime", None)
    if to_python is not None:
        # NaT has the method of a timestamp, and is unequal to itself.
        return None if value != value else to_python()
    item = getattr(value, "item", None)
    if item is not None:
        value = item()
    if isinstance(value, float) and math.isnan(value):
        return None
    return value
