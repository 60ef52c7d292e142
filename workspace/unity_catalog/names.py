"""Names of Unity Catalog: three levels, not told apart by case, stored in lower case."""

from __future__ import annotations

import re
from typing import Any

from workspace.errors import ApiError, invalid

# https://docs.databricks.com/sql/language-manual/sql-ref-names.html: no period, space, slash or control character.
_FORBIDDEN = re.compile(r"[./\s\x00-\x1f\x7f]")
_LONGEST = 255


def identifier(name: Any, what: str) -> str:
    """The stored form of one level of a name; 400 where it cannot be one."""
    if not isinstance(name, str) or not name or len(name) > _LONGEST or _FORBIDDEN.search(name):
        raise invalid(
            f"'{name}' is not a valid name of a {what}: 1 to {_LONGEST} characters without period, space or slash"
        )
    return name.lower()


def split(full_name: str, levels: int, what: str) -> tuple[str, ...]:
    """The levels of a full name in lower case; 400 where their number is another."""
    parts = tuple(part.strip("`").lower() for part in full_name.split("."))
    if len(parts) != levels or not all(parts):
        form = ".".join(("catalog", "schema", what)[-3:] if levels == 3 else ("catalog", what)[:levels])
        raise invalid(f"'{full_name}' is not the full name of a {what}: {form}")
    return parts


def missing(what: str, full_name: str) -> ApiError:
    """404 as Unity Catalog words it."""
    return ApiError(404, f"{what.upper()}_DOES_NOT_EXIST", f"{what.capitalize()} '{full_name}' does not exist.")


def taken(what: str, full_name: str) -> ApiError:
    """400, not 409, as Unity Catalog answers."""
    return ApiError(400, f"{what.upper()}_ALREADY_EXISTS", f"{what.capitalize()} '{full_name}' already exists")
