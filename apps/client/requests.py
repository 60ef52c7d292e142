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
        ValueError: there is no record, or a value has no JSON form (NaN, an object), naming record and column.
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
    if isinstance(value, datetime):
        moment = value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
        return moment.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(
            f"record {number}, column {column!r}: {value} has no form in JSON; send None for a missing value"
        )
    if value is None or isinstance(value, bool | int | float | str | list | dict):
        return value
    # numpy and pandas scalars know their Python value
    if hasattr(value, "item"):
        return _plain(value.item(), number, column)
    raise ValueError(f"record {number}, column {column!r}: a {type(value).__name__} has no form in JSON")
