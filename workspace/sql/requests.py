"""A request to execute a statement, read and checked.

Source: the page "Execute a SQL statement" of the Statement Execution API
(https://docs.databricks.com/api/workspace/statementexecution/executestatement).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workspace.errors import invalid
from workspace.sql.parsing import Parameter

INLINE, EXTERNAL_LINKS = "INLINE", "EXTERNAL_LINKS"
JSON_ARRAY, ARROW_STREAM, CSV = "JSON_ARRAY", "ARROW_STREAM", "CSV"
CONTINUE, CANCEL = "CONTINUE", "CANCEL"
_FIELDS = frozenset(
    {"statement", "warehouse_id", "catalog", "schema", "parameters", "row_limit", "byte_limit", "disposition", "format"}
    | {"wait_timeout", "on_wait_timeout", "query_tags"}
)
# 0 s, or 5 s to 50 s.
_WAIT = re.compile(r"(\d{1,9})s")
_DEFAULT_WAIT = "10s"
_MAX_STATEMENT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Request:
    """What is to be executed, and how its result is wanted."""

    statement: str
    parameters: list[Parameter]
    catalog: str | None
    schema: str | None
    row_limit: int | None
    byte_limit: int | None
    disposition: str
    form: str
    wait_seconds: int
    after_wait: str

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Request:
        """Raises ApiError 400 naming the field that is wrong, what was received and what is expected."""
        unknown = sorted(set(body) - _FIELDS)
        if unknown:
            raise invalid(f"the embedded workspace does not know the field(s) {unknown} of a statement")
        statement = _text(body, "statement") or ""
        if len(statement.encode("utf-8", "surrogatepass")) > _MAX_STATEMENT_BYTES:
            raise invalid(f"a statement has at most {_MAX_STATEMENT_BYTES} bytes")
        disposition = _choice(body, "disposition", (INLINE, EXTERNAL_LINKS))
        form = _choice(body, "format", (JSON_ARRAY, ARROW_STREAM, CSV))
        if disposition == INLINE and form != JSON_ARRAY:
            raise invalid(f"disposition INLINE supports format JSON_ARRAY only, received {form}; use EXTERNAL_LINKS")
        seconds = _seconds(body.get("wait_timeout") or _DEFAULT_WAIT)
        after = _choice(body, "on_wait_timeout", (CONTINUE, CANCEL))
        if seconds == 0 and after == CANCEL:
            raise invalid("on_wait_timeout CANCEL needs a wait_timeout of 5s or more")
        return cls(
            statement,
            named_parameters(body.get("parameters") or []),
            _text(body, "catalog"),
            _text(body, "schema"),
            _limit(body, "row_limit"),
            _limit(body, "byte_limit"),
            disposition,
            form,
            seconds,
            after,
        )


def named_parameters(given: Sequence[Mapping[str, Any]]) -> list[Parameter]:
    """Named parameters of a request; ApiError 400 for one without a name."""
    if not isinstance(given, list | tuple) or not all(isinstance(item, Mapping) for item in given):
        raise invalid(f"parameters must be a list of objects with name, value and type, received {given!r}")
    found = []
    for item in given:
        if not isinstance(item.get("name"), str) or not item["name"]:
            raise invalid("a statement's parameter has a name; positional parameters (?) are not carried out")
        value, kind = item.get("value"), item.get("type") or "STRING"
        if not isinstance(value, str | int | float | None) or not isinstance(kind, str):
            raise invalid(f"the value and the type of parameter '{item['name']}' must be texts, received {item!r}")
        text = str(value).lower() if isinstance(value, bool) else value
        found.append(Parameter(item["name"], None if text is None else str(text), kind))
    return found


def _text(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise invalid(f"{name} must be a string, received {value!r}")
    return value


def _choice(body: Mapping[str, Any], name: str, choices: tuple[str, ...]) -> str:
    value = body.get(name) or choices[0]
    if value not in choices:
        raise invalid(f"{name} must be one of {', '.join(choices)}, received '{value}'")
    return str(value)


def _limit(body: Mapping[str, Any], name: str) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    number = value if isinstance(value, int) and not isinstance(value, bool) else -1
    if isinstance(value, str) and value.isascii() and value.isdigit():
        # 64-bit numbers are texts in some clients' JSON.
        number = int(value[:19])
    if number < 1:
        raise invalid(f"{name} must be a whole number of 1 or more, received {value!r}")
    return number


def _seconds(text: Any) -> int:
    match = _WAIT.fullmatch(str(text))
    seconds = int(match.group(1)) if match else -1
    if seconds != 0 and not 5 <= seconds <= 50:
        raise invalid(f"wait_timeout must be 0s, or from 5s to 50s; received '{text}'")
    return seconds
