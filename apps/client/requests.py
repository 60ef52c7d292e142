"""What is sent: JSON with one form for every kind of value, in batches that the service takes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

Record = Mapping[str, Any]
BATCH_RECORDS = 500
"""Default size of a batch: with ordinary records far below the service's 16 MB a request."""


def encode(records: Sequence[Record]) -> bytes:
    """The body of a request for `records`.

    A datetime becomes `YYYY-MM-DD HH:MM:SS[.ffffff]` in UTC, as feature tables key it; a naive one is taken as UTC.

    Raises:
        ValueError: there is no record, or a value has no form in a request (NaN, an object), naming record and column.
    """
    if not records:
        raise ValueError("there is nothing to predict: pass at least one record")
    rows = [{name: _plain(value, number, name) for name, value in row.items()} for number, row in enumerate(records)]
    return json.dumps({"dataframe_records": rows}, allow_nan=False).encode()


def batches(records: Sequence[Record], size: int) -> Iterator[Sequence[Record]]:
    """`records` in their order, at most `size` at a time. Raises ValueError for a size below 1."""
    if size < 1:
        raise ValueError(f"a batch has at least one record; received {size}")
    for start in range(0, len(records), size):
        yield records[start : start + size]


def _plain(value: Any, number: int, column: str) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, datetime):
        return _moment(value, number, column)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float | Decimal):
        if not math.isfinite(value):
            raise _without_form(number, column, str(value), "; send None for a missing value")
        return float(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(inner, number, f"{column}.{name}") for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, number, f"{column}[{place}]") for place, inner in enumerate(value)]
    # numpy and pandas are no dependencies of a client, and their values know their Python form.
    if type(value).__name__ == "datetime64":
        return _plain(_from_datetime64(value, number, column), number, column)
    if hasattr(value, "tolist"):
        return _plain(value.tolist(), number, column)
    raise _without_form(number, column, f"a {type(value).__name__}")


def _moment(value: datetime, number: int, column: str) -> str:
    # Of pandas' timestamps, which are datetimes to isinstance.
    _check_time(value, getattr(value, "nanosecond", 0) == 0, number, column)
    moment = value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
    return moment.isoformat(sep=" ")


def _from_datetime64(value: Any, number: int, column: str) -> Any:
    """A numpy datetime64 as datetime or date."""
    micros = value.astype("datetime64[us]")
    _check_time(value, micros == value, number, column)
    return micros.item()


def _check_time(value: Any, is_exact: bool, number: int, column: str) -> None:
    """Refuses NaT, which equals nothing, and what a microsecond does not hold exactly."""
    if value != value:
        raise _without_form(number, column, str(value), "; send None for a missing value")
    if not is_exact:
        raise _without_form(number, column, str(value), ": feature tables hold microseconds; round it")


def _without_form(number: int, column: str, what: str, remedy: str = "") -> ValueError:
    return ValueError(f"record {number}, column {column!r}: {what} has no form in a request{remedy}")
