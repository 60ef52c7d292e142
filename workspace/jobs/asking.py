"""What requests of the Jobs API have in common: ids, flags, pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workspace.documents import Document
from workspace.errors import invalid
from workspace.http import Call, Json


def whole_number(values: Any, name: str) -> int:
    """A field of a query or body as a number; ApiError 400 naming it."""
    value = str(values.get(name, ""))
    if not value.isdecimal():
        raise invalid(f"{name} must be a whole number, received '{value}'")
    return int(value)


def flag(values: Any, name: str) -> bool:
    return str(values.get(name, "")).lower() == "true"


def page(call: Call, entries: Sequence[Document], most: int) -> tuple[Sequence[Document], Json]:
    """The page that `page_token` (or the older `offset`) and `limit` name, and what says how to go on."""
    try:
        start = int(call.query.get("page_token") or call.query.get("offset") or 0)
        limit = int(call.query.get("limit") or 20)
    except ValueError as error:
        raise invalid(f"limit and page_token must be numbers: {error}") from error
    if not 1 <= limit <= most or start < 0:
        raise invalid(f"limit must be from 1 to {most}, received {limit}")
    more = start + limit < len(entries)
    return entries[start : start + limit], {
        "has_more": more,
        **({"next_page_token": str(start + limit)} if more else {}),
    }
