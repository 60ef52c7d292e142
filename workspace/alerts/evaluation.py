"""One evaluation: from the rows of a query to a state.

Source: `databricks.sdk.service.sql.AlertV2Evaluation` (no aggregation is the first row; what an empty result is).
Assumptions: a comparison with NULL is not met; an empty result without `empty_result_state` is UNKNOWN, as with
legacy alerts; numbers in texts count as numbers when compared with a number.
"""

from __future__ import annotations

import operator
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa

OK, TRIGGERED, UNKNOWN, ERROR = "OK", "TRIGGERED", "UNKNOWN", "ERROR"

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "EQUAL": operator.eq,
    "NOT_EQUAL": operator.ne,
    "GREATER_THAN": operator.gt,
    "GREATER_THAN_OR_EQUAL": operator.ge,
    "LESS_THAN": operator.lt,
    "LESS_THAN_OR_EQUAL": operator.le,
}


class EvaluationError(Exception):
    """The condition cannot be computed; the message says why."""


@dataclass(frozen=True)
class Outcome:
    """The state, and the values that were compared (None: NULL, or nothing to compare)."""

    state: str
    value: Any = None
    threshold: Any = None


def evaluate(evaluation: Mapping[str, Any], rows: pa.Table) -> Outcome:
    """Raises EvaluationError for a column that is not there, and for values that cannot be compared."""
    source = _operand(evaluation["source"], rows)
    compared_to = evaluation.get("threshold", {})
    threshold = None
    if "column" in compared_to:
        threshold = _operand(compared_to["column"], rows)
    elif "value" in compared_to:
        (threshold,) = compared_to["value"].values()
    if not rows.num_rows:
        return Outcome(evaluation.get("empty_result_state", UNKNOWN), None, threshold)
    met = _met(evaluation["comparison_operator"], source, threshold)
    return Outcome(TRIGGERED if met else OK, source, threshold)


def _operand(column: Mapping[str, Any], rows: pa.Table) -> Any:
    """The value of a column: of its first row, or an aggregate."""
    names = [name for name in rows.column_names if name.casefold() == column["name"].casefold()]
    if not names:
        raise EvaluationError(f"the query's result has no column '{column['name']}'; it has {rows.column_names}")
    values = rows.column(names[0]).to_pylist()
    if column.get("aggregation") is None:
        return values[0] if values else None
    return _aggregate(column, [value for value in values if value is not None])


def _aggregate(column: Mapping[str, Any], values: Sequence[Any]) -> Any:
    aggregation = column["aggregation"]
    if aggregation == "COUNT":
        return len(values)
    if aggregation == "COUNT_DISTINCT":
        return len({repr(value) for value in values})
    if not values:
        return None
    if aggregation in ("MIN", "MAX"):
        return min(values) if aggregation == "MIN" else max(values)
    numbers = [_number(value) for value in values]
    if any(number is None for number in numbers):
        raise EvaluationError(f"{aggregation} needs numbers; column '{column['name']}' has {values[0]!r}")
    known = [number for number in numbers if number is not None]
    if aggregation == "SUM":
        return sum(known)
    if aggregation == "AVG":
        return sum(known) / len(known)
    if aggregation == "MEDIAN":
        return statistics.median(known)
    return statistics.stdev(known) if len(known) > 1 else None


def _met(comparison: str, value: Any, threshold: Any) -> bool:
    if comparison == "IS_NULL":
        return value is None
    if comparison == "IS_NOT_NULL":
        return value is not None
    if value is None or threshold is None:
        return False
    left, right = _comparable(value, threshold)
    return bool(_COMPARISONS[comparison](left, right))


def _comparable(value: Any, threshold: Any) -> tuple[Any, Any]:
    """Both as numbers where one is a number, as they are where both are of a kind, and as texts otherwise."""
    if isinstance(value, bool) and isinstance(threshold, bool):
        return value, threshold
    numeric = any(isinstance(one, int | float | Decimal) and not isinstance(one, bool) for one in (value, threshold))
    if numeric:
        numbers = _number(value), _number(threshold)
        if None in numbers:
            raise EvaluationError(f"{value!r} cannot be compared with {threshold!r}")
        return numbers
    if type(value) is type(threshold):
        return value, threshold
    return _text(value), _text(threshold)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
