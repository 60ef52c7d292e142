"""Filters of a query (`filters_json`), as predicates over rows.

Source: the Databricks page "Query a vector search index" (filters of standard endpoints): `{"id": 1}`,
`{"id": [1, 2]}`, `{"id NOT": 1}`, `{"id <": 5}`, `{"text LIKE": "word"}`, `{"a OR b": [1, 2]}`. All keys must hold.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Collection, Mapping
from typing import Any

from workspace.errors import invalid

Row = Mapping[str, Any]
Predicate = Callable[[Row], bool]

_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_OR = " OR "


def parse(text: object, columns: Collection[str]) -> Predicate:
    """The predicate of a `filters_json`; ApiError 400 for one that is none, or names a column that is not there."""
    if text in (None, ""):
        return lambda _: True
    try:
        asked = json.loads(text) if isinstance(text, str) else text
    except ValueError as error:
        raise invalid(f"filters_json is not JSON: {error}; received {text!r}") from error
    if not isinstance(asked, dict):
        raise invalid(f'filters_json must be an object such as {{"id <": 5}}; received {text!r}')
    conditions = [_condition(key, value, columns) for key, value in asked.items()]
    return lambda row: all(condition(row) for condition in conditions)


def _condition(key: str, value: Any, columns: Collection[str]) -> Predicate:
    if _OR in key:
        parts = key.split(_OR)
        if not isinstance(value, list) or len(value) != len(parts):
            raise invalid(f"filters_json: '{key}' needs a list of {len(parts)} values; received {value!r}")
        either = [_condition(part.strip(), one, columns) for part, one in zip(parts, value, strict=True)]
        return lambda row: any(condition(row) for condition in either)
    name, _, word = key.strip().partition(" ")
    if name not in columns:
        raise invalid(f"filters_json: '{name}' is no column of the index; its columns are {', '.join(columns)}")
    match word.strip().upper():
        case "":
            return _equal(name, value)
        case "NOT":
            same = _equal(name, value)
            return lambda row: row.get(name) is not None and not same(row)
        case "LIKE":
            return _like(name, value)
        case sign if sign in _ORDER:
            return _ordered(name, _ORDER[sign], value)
        case other:
            raise invalid(
                f"filters_json: '{key}' has the operator '{other}'; there are NOT, LIKE, OR, {', '.join(_ORDER)}"
            )


def _equal(name: str, value: Any) -> Predicate:
    wanted = value if isinstance(value, list) else [value]
    return lambda row: any(_same(row.get(name), one) for one in wanted)


def _same(held: Any, wanted: Any) -> bool:
    if isinstance(held, list):
        return wanted in held
    if isinstance(held, bool) != isinstance(wanted, bool):
        return False
    return bool(held == wanted)


def _like(name: str, value: Any) -> Predicate:
    """Matches whole words of the text, not parts of them."""
    if not isinstance(value, str):
        raise invalid(f"filters_json: '{name} LIKE' needs a text; received {value!r}")
    return lambda row: isinstance(row.get(name), str) and value in row[name].split()


def _ordered(name: str, compare: Callable[[Any, Any], bool], value: Any) -> Predicate:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number and not isinstance(value, str):
        raise invalid(f"filters_json: '{name}' is compared with a number or a text; received {value!r}")

    def holds(row: Row) -> bool:
        held = row.get(name)
        comparable = isinstance(held, int | float) if number else isinstance(held, str)
        return comparable and compare(held, value)

    return holds
