"""Turns what the schema found into lines a person can act on: path, what is wrong, the value received, the fix."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, overload

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ..dynamic.redaction import MASK
from .rules import BrokenRulesError, broken_rules, first_section, partly_read
from .stack import PlaceConfig, StackConfig

# What other tools and older documents call things that this schema refuses, and the way out.
RETIRED = {
    "autoCaptureConfig": (
        "legacy inference tables cannot be enabled since February 2026; use endpoint.inferenceTable: {prefix: ...}, "
        "which writes the AI Gateway inference table"
    ),
    "servedModels": "was replaced by served entities; use endpoint.entities",
    "onlineTables": "Databricks' OnlineTable is gone since January 2026; use onlineStore and featureTables",
    "rateLimits": "top-level rate limits are retired; AI Gateway rate limits take their place",
    "stage": "model stages are retired since MLflow 2.9; use model.aliases",
}
RETIRED["auto_capture_config"] = RETIRED["autoCaptureConfig"]

_FIXES = {
    "list_type": "; write a list, one `- ` line for each entry",
    "dict_type": "; write `key: value` lines below it",
    "model_type": "; write `key: value` lines below it",
    "bool_type": "; write true or false",
    "too_short": "; name at least one",
}

# Names of secrets. `maxTokens` is a number of tokens.
_SECRET = re.compile(
    r"password|passwd|secret(?!s?/)|credential|api_?key|private_?key|access_?key|token(?!s$)", re.IGNORECASE
)
_LONGEST = 200

Config = TypeVar("Config", bound=PlaceConfig)


class StackConfigError(Exception):
    """A stack file breaks the schema; the message lists every mistake."""


@overload
def parse_stack_config(values: Mapping[str, Any], *, where: str) -> StackConfig: ...


@overload
def parse_stack_config(values: Mapping[str, Any], schema: type[Config], *, where: str) -> Config: ...


def parse_stack_config(
    values: Mapping[str, Any], schema: type[PlaceConfig] = StackConfig, *, where: str
) -> PlaceConfig:
    """The checked configuration of a stack.

    Args:
        values: the object under `<project>:serving`.
        schema: of the project's stack files; the taxi stack's when left out.
        where: how the stack file calls that object, for messages.

    Raises:
        StackConfigError: naming every mistake with its path, the value and the fix.
    """
    try:
        return schema.model_validate(dict(values))
    except ValidationError as error:
        details = error.errors(include_url=False)
        lines = [line for detail in details for line in _lines(detail, schema)]
        # pydantic asks a section's rules only where every field of it is right.
        for where_it_is, section in partly_read(schema, values, [detail["loc"] for detail in details]):
            lines += [
                _told(_path((*where_it_is, at) if at else where_it_is), text) for at, text in broken_rules(section)
            ]
        count = f"{len(lines)} mistake{'s' if len(lines) > 1 else ''}"
        raise StackConfigError("\n".join([f"{where} has {count}:", *(f"  - {line}" for line in lines)])) from None


def _lines(detail: ErrorDetails, schema: type[BaseModel]) -> Iterator[str]:
    path = _path(detail["loc"])
    kind, value = detail["type"], detail["input"]
    if kind == "extra_forbidden":
        yield f"{path}: {_unknown_key(detail['loc'], schema)}"
    elif kind == "missing":
        yield f"{path}: is missing; add it"
    elif kind == "value_error":
        broken = detail["ctx"]["error"]
        if isinstance(broken, BrokenRulesError):
            for at, text in broken.problems:
                yield _told(_path((*detail["loc"], at) if at else detail["loc"]), text)
        else:
            yield from (_told(path, problem) for problem in str(broken).splitlines())
    else:
        message = detail["msg"]
        if _is_secret(detail["loc"]):
            yield (
                f"{path}: {message[0].lower()}{message[1:]}, received {MASK}; a secret does not stand in a stack file: "
                "put it into a secret scope and write {{secrets/<scope>/<key>}}"
            )
        else:
            yield f"{path}: {message[0].lower()}{message[1:]}, received {_shown(value)}{_fix(kind, value)}"


def _told(path: str, problem: str) -> str:
    return f"{path}: {problem}" if path else problem


def _is_secret(loc: tuple[int | str, ...]) -> bool:
    return any(_SECRET.search(part) for part in loc if isinstance(part, str))


def _shown(value: Any) -> str:
    """A value as it was written, without what is called a secret in it, and not for pages."""
    text = repr(_without_secrets(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: MASK if _SECRET.search(str(key)) else _without_secrets(part) for key, part in value.items()}
    return [_without_secrets(part) for part in value] if isinstance(value, list) else value


def _fix(kind: str, value: Any) -> str:
    """What to write instead, where the library's words leave it open."""
    if kind == "string_type" and isinstance(value, int | float):
        return f'; put it in quotes: "{value}"'
    if kind in ("int_type", "float_type") and isinstance(value, str):
        return "; write a number without quotes"
    return _FIXES.get(kind, "")


def _path(loc: tuple[int | str, ...]) -> str:
    path = ""
    for part in loc:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _unknown_key(loc: tuple[int | str, ...], schema: type[BaseModel]) -> str:
    key = str(loc[-1])
    if key in RETIRED:
        return f"{key!r} is refused: {RETIRED[key]}"
    if _SECRET.search(key):
        return (
            f"{key!r} is refused: everything here goes to state and outputs in plain text; credentials are Pulumi "
            "secrets of their own (`pulumi config set --secret <namespace>:<key>`) or stand in a secret scope"
        )
    known = _known_keys(loc[:-1], schema)
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    return f"unknown key {key!r}{hint} Known here: {', '.join(known)}"


def _known_keys(loc: tuple[int | str, ...], schema: type[BaseModel]) -> list[str]:
    section = schema
    for part in loc:
        if isinstance(part, str):
            section = _section_behind(section, part) or section
    return sorted(field.alias or name for name, field in section.model_fields.items())


def _section_behind(section: type[BaseModel], alias: str) -> type[BaseModel] | None:
    for name, field in section.model_fields.items():
        if (field.alias or name) == alias:
            return first_section(field.annotation)
    return None
