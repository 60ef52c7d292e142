"""What the routes of Unity Catalog share: pages, flags, required parameters, full names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from workspace.errors import invalid
from workspace.http import Call, Json
from workspace.unity_catalog import names

BASE = "/api/2.1/unity-catalog"
DEFAULT_PAGE = 100

Item = TypeVar("Item")


def page(
    call: Call, field: str, items: Sequence[Item], key: Callable[[Item], str], size_parameter: str = "max_results"
) -> Json:
    """One page of items that come sorted by `key`; the token is the key of the last one."""
    text = call.query.get(size_parameter) or "0"
    if not text.isdigit():
        raise invalid(f"{size_parameter} must be a number, received '{text}'")
    size = int(text) or DEFAULT_PAGE
    after = call.query.get("page_token", "")
    rest = [item for item in items if key(item) > after]
    shown = rest[:size]
    return {field: shown, **({"next_page_token": key(shown[-1])} if len(rest) > size else {})}


def flag(call: Call, name: str) -> bool:
    return call.query.get(name, "false").lower() == "true"


def asked(call: Call, name: str) -> str:
    """A query parameter that must be there."""
    value = call.query.get(name)
    if not value:
        raise invalid(f"Missing required parameter: {name}")
    return value


def full_name(call: Call, what: str, parameter: str = "full_name") -> str:
    """The three-level name in the path, in lower case; ApiError 400 where it is none."""
    return ".".join(names.split(call.path[parameter], 3, what))


def schema_name(text: str) -> tuple[str, str]:
    catalog, schema = names.split(text, 2, "schema")
    return catalog, schema
