"""SCIM filters (RFC 7644 section 3.4.2.2) over resources: `userName eq "a" and active eq true`.

Comparisons do not tell cases apart. Value paths (`emails[type eq "work"]`) are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from workspace.identity.scim_errors import ScimError

Test = Callable[[Mapping[str, Any]], bool]

_WORD = re.compile(r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*")|(?P<mark>[()])|(?P<word>[^\s()"]+))""")
_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "eq": lambda found, wanted: found == wanted,
    "co": lambda found, wanted: wanted in found,
    "sw": lambda found, wanted: found.startswith(wanted),
    "ew": lambda found, wanted: found.endswith(wanted),
    "gt": lambda found, wanted: found > wanted,
    "ge": lambda found, wanted: found >= wanted,
    "lt": lambda found, wanted: found < wanted,
    "le": lambda found, wanted: found <= wanted,
}


def parse_filter(text: str) -> Test:
    """Raises ScimError 400 invalidFilter, naming what was not understood."""
    words = _words(text)
    test, rest = _either(words, text)
    if rest:
        raise _invalid(text, f"'{rest[0]}' was not expected")
    return test


def values_at(resource: Mapping[str, Any], path: str) -> Iterator[Any]:
    """The values of an attribute path such as `name.familyName` or `emails.value`; names go without case."""
    first, _, rest = path.partition(".")
    for name, value in resource.items():
        if name.lower() != first.lower():
            continue
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, Mapping):
                yield from values_at(item, rest or "value")
            elif not rest:
                yield item


def _either(words: Sequence[str], text: str) -> tuple[Test, Sequence[str]]:
    left, words = _both(words, text)
    while words and words[0].lower() == "or":
        right, words = _both(words[1:], text)
        left = _or(left, right)
    return left, words


def _both(words: Sequence[str], text: str) -> tuple[Test, Sequence[str]]:
    left, words = _one(words, text)
    while words and words[0].lower() == "and":
        right, words = _one(words[1:], text)
        left = _and(left, right)
    return left, words


def _one(words: Sequence[str], text: str) -> tuple[Test, Sequence[str]]:
    if not words:
        raise _invalid(text, "it ends too early")
    if words[0].lower() == "not":
        inner, rest = _one(words[1:], text)
        return lambda resource: not inner(resource), rest
    if words[0] == "(":
        inner, rest = _either(words[1:], text)
        if not rest or rest[0] != ")":
            raise _invalid(text, "a parenthesis is not closed")
        return inner, rest[1:]
    path, operator = words[0], words[1].lower() if len(words) > 1 else ""
    if operator == "pr":
        return lambda resource: any(value not in (None, "") for value in values_at(resource, path)), words[2:]
    if operator not in (*_OPERATORS, "ne") or len(words) < 3:
        raise _invalid(text, f"'{operator or path}' is no comparison")
    wanted = _value(words[2])
    compare = _OPERATORS["eq" if operator == "ne" else operator]

    def test(resource: Mapping[str, Any]) -> bool:
        found = any(compare(_text(value), wanted) for value in values_at(resource, path))
        return not found if operator == "ne" else found

    return test, words[3:]


def _and(left: Test, right: Test) -> Test:
    return lambda resource: left(resource) and right(resource)


def _or(left: Test, right: Test) -> Test:
    return lambda resource: left(resource) or right(resource)


def _words(text: str) -> list[str]:
    found, at = [], 0
    stripped = text.rstrip()
    while at < len(stripped):
        match = _WORD.match(stripped, at)
        if match is None:
            raise _invalid(text, f"'{stripped[at:]}' is not understood")
        found.append(match.group().strip())
        at = match.end()
    return found


def _value(word: str) -> str:
    return _text(json.loads(word)) if word.startswith('"') else word.lower()


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value).lower()


def _invalid(text: str, why: str) -> ScimError:
    return ScimError(400, f"Invalid filter '{text}': {why}.", scim_type="invalidFilter")
