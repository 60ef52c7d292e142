"""`Arguments`: the base of everything a component is described with. Fields hold what they say, or nothing is made.

Type checkers say so too, to those who run one. Without this a wrong word of a `Literal` would be refused in the middle
of an update, a text in the place of a list would be a list of its letters, and a value that is known only while an
update runs (`pulumi.Output`) would become part of a name, as "Calling __str__ on an Output[T] is not supported".
"""

from __future__ import annotations

import functools
import math
import re
import types
from collections.abc import Awaitable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import pulumi

_WORDS: dict[Any, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    type(None): "None",
    Sequence: "a list",
    Mapping: "a mapping",
}
_SECRET = re.compile(r"password|passwd|secret|token|credential|(api|private|access)_?key", re.IGNORECASE)
_LONGEST = 120


class ArgumentError(ValueError):
    """A field of a component's arguments holds what it cannot: which, the value received, the fix."""


class Arguments:
    """Base of frozen dataclasses that users write. One with rules of its own calls `super().__post_init__()` first."""

    def __post_init__(self) -> None:
        """Raises ArgumentError for the first field that does not hold what it is declared to."""
        cls: type = type(self)
        hints = declared(cls)
        for field in fields(self):  # type: ignore[arg-type]  # its subclasses are dataclasses
            wrong = _wrong(field.name, getattr(self, field.name), hints[field.name])
            if wrong is not None:
                hidden = not field.repr or _SECRET.search(wrong.place.removeprefix(field.name))
                received = "not shown, being a secret" if hidden else _shown(wrong.value)
                fix = _fix(wrong, "..." if hidden else received)
                raise ArgumentError(f"{type(self).__name__}.{wrong.place} is {received}; {fix}")


@functools.cache
def declared(cls: type) -> dict[str, Any]:
    """The types of a class's fields."""
    # `pulumi.Input` refers to these two by name.
    return get_type_hints(cls, localns={"Output": pulumi.Output, "T": Any})


def takes_outputs(hint: Any) -> bool:
    """Whether a field of this type may hold a value that is known only while an update runs."""
    return hint is Any or any(get_origin(one) in (pulumi.Output, Awaitable) for one in _alternatives(hint))


class _Wrong(NamedTuple):
    place: str
    value: Any
    hint: Any


def _alternatives(hint: Any) -> tuple[Any, ...]:
    if get_origin(hint) in (Union, types.UnionType):
        return tuple(inner for one in get_args(hint) for inner in _alternatives(one))
    return (hint,)


def _wrong(place: str, value: Any, hint: Any) -> _Wrong | None:
    """What does not fit: the value, or the part of it that is to blame."""
    found = [_wrong_as(place, value, one) for one in _alternatives(hint)]
    if None in found:
        return None
    deeper = [one for one in found if one is not None and one.place != place]
    return deeper[0] if deeper else _Wrong(place, value, hint)


def _wrong_as(place: str, value: Any, hint: Any) -> _Wrong | None:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Sequence, list) and _is_list(value):
        parts = [_wrong(f"{place}[{number}]", part, inner[0]) for number, part in enumerate(value)]
        return next((part for part in parts if part is not None), None)
    if origin in (Mapping, dict) and isinstance(value, Mapping):
        parts = [_wrong(f"{place}[{key!r}]", part, inner[1]) for key, part in value.items()]
        keys = [_wrong(f"a key of {place}", key, inner[0]) for key in value]
        return next((part for part in (*keys, *parts) if part is not None), None)
    return None if _is_one(value, hint, origin, inner) else _Wrong(place, value, hint)


def _is_list(value: Any) -> bool:
    # A set has no order, and so another plan each time.
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _is_one(value: Any, hint: Any, origin: Any, inner: tuple[Any, ...]) -> bool:
    if hint is Any:
        return True
    if origin is Literal:
        return any(value == choice and type(value) is type(choice) for choice in inner)
    if hint in (int, float):
        # True is a number to Python, and to nobody who reads a program. What is no number of any size has no JSON.
        number = isinstance(value, int if hint is int else int | float) and not isinstance(value, bool)
        return number and math.isfinite(value)
    if origin is tuple:
        return isinstance(value, tuple) and len(value) == len(inner)
    if origin in (Sequence, list, Mapping, dict):
        return False
    return isinstance(value, origin or hint)


def _fix(wrong: _Wrong, shown: str) -> str:
    value, alternatives = wrong.value, _alternatives(wrong.hint)
    kinds = [get_origin(one) or one for one in alternatives]
    if isinstance(value, pulumi.Output):
        return (
            "it decides what is declared, so it has to be known at preview: give the value itself, from the program or "
            "from pulumi.Config"
        )
    if Sequence in kinds and isinstance(value, str):
        return f"a list is expected: write [{shown}]"
    if Sequence in kinds and isinstance(value, AbstractSet):
        return "a list is expected, because a set has no order: write sorted(...)"
    choices = [repr(choice) for one in alternatives if get_origin(one) is Literal for choice in get_args(one)]
    if choices:
        return f"use one of {', '.join(choices)}"
    if str in kinds and isinstance(value, int | float) and not isinstance(value, bool):
        return f'a text is expected: write "{shown}"'
    words = [_WORDS.get(kind, getattr(kind, "__name__", str(kind))) for kind in kinds]
    return f"expected {' or '.join(word for word in words if word not in ('Awaitable', 'Output'))}"


def _shown(value: Any) -> str:
    if isinstance(value, pulumi.Output):
        return "an output, whose value is known only while an update runs"
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
