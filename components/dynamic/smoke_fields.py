"""Fields of an answer: where they are, and of which JSON type. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

ITSELF = "."
"""The path of the prediction itself, where it is no object."""
OPTIONAL = "?"
"""Behind a type: the field may be null."""
JSON_TYPES = ("number", "integer", "string", "boolean", "array", "object")

_MISSING = object()


def field_problems(
    required: Sequence[str], types: Mapping[str, str], answer: Mapping[str, Any], predictions: Any
) -> Iterator[str]:
    """What required and typed fields lack: of every prediction; of the answer itself where it has no predictions."""
    places = (
        [(f"predictions[{index}]", prediction) for index, prediction in enumerate(predictions)]
        if isinstance(predictions, list)
        else [("the answer", answer)]
    )
    if (required or types) and not places:
        yield f"there is no prediction that could have {', '.join(dict.fromkeys([*required, *types]))}"
    for place, value in places:
        missing = [path for path in required if value_at(value, path) in (None, _MISSING)]
        if missing:
            yield f"{place} has no {', '.join(missing)}"
        for path, wanted in types.items():
            if path not in missing:
                yield from _type_problem(place, path, wanted, value_at(value, path))


def type_problems(types: Mapping[str, str]) -> Iterator[str]:
    """Types that are none."""
    for path, wanted in types.items():
        if wanted.removesuffix(OPTIONAL) not in JSON_TYPES:
            yield f"field_types.{path} is {wanted!r}; use one of {', '.join(JSON_TYPES)}; ? behind it allows null"


def value_at(value: Any, path: str) -> Any:
    """What stands at a path of names and list positions with dots between them."""
    if path == ITSELF:
        return value
    for part in path.split("."):
        if isinstance(value, dict):
            value = value.get(part, _MISSING)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return _MISSING
    return value


def _type_problem(place: str, path: str, wanted: str, value: Any) -> Iterator[str]:
    where = place if path == ITSELF else f"{place}.{path}"
    if value is _MISSING:
        yield f"{where} is missing, expected {wanted}"
    elif value is None:
        if not wanted.endswith(OPTIONAL):
            yield f"{where} is null, expected {wanted}"
    elif not _is(value, wanted.removesuffix(OPTIONAL)):
        yield f"{where} is {_type_of(value)}, expected {wanted}"


def _is(value: Any, wanted: str) -> bool:
    found = _type_of(value)
    # As in JSON Schema: an integer is a number, and 3.0 is an integer.
    if wanted == "number":
        return found in ("number", "integer")
    return found == wanted or (wanted == "integer" and isinstance(value, float) and value.is_integer())


def _type_of(value: Any) -> str:
    # bool is an int in Python.
    for kind, name in ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array")):
        if isinstance(value, kind):
            return name
    return "object"
