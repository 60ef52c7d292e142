"""What the service makes of a dashboard's text, `serialized_dashboard`.

Source: databricks/cli `libs/testserver/dashboards.go` (`transformSerializedDashboard`), whose comments say what was
seen of the service: each page gets a type, default catalog and schema go into the datasets, and the text ends with one
line break; one that needs no change is kept as it came.
"""

from __future__ import annotations

import json
from typing import Any

from workspace.errors import invalid
from workspace.http import Json

PAGE_TYPE = "PAGE_TYPE_CANVAS"


def parsed(text: object) -> Json:
    """The dashboard in a text; ApiError 400 where it is no JSON object, or its parts are no lists of objects."""
    if not isinstance(text, str):
        raise invalid(f"serialized_dashboard must be a string, received {text!r}")
    try:
        found = json.loads(text or "{}")
    except ValueError as error:
        raise invalid(f"serialized_dashboard is not valid JSON: {error}") from error
    if not isinstance(found, dict):
        raise invalid("serialized_dashboard must hold a JSON object")
    for part in ("datasets", "pages"):
        entries = found.get(part, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise invalid(f"serialized_dashboard: {part} must be a list of objects")
    return found


def kept(text: str, catalog: str, schema: str) -> str:
    """The text as the service keeps it.

    Args:
        catalog: default catalog of all datasets; each one's own where it is empty.
        schema: default schema, likewise.
    """
    found = parsed(text)
    changed = bool(found.get("pages"))
    for page in found.get("pages", []):
        page.setdefault("pageType", PAGE_TYPE)
    defaults = {name: value for name, value in (("catalog", catalog), ("schema", schema)) if value}
    for dataset in found.get("datasets", []) if defaults else []:
        dataset.update(defaults)
        changed = True
    result = json.dumps(found, ensure_ascii=False) if changed or not found else text
    return result if result.endswith("\n") else f"{result}\n"


def statements(found: Json) -> list[tuple[str, str, str]]:
    """Name, title and SQL of the datasets. Newer texts hold a query as a list of lines."""
    return [
        (str(dataset.get("name", "")), str(dataset.get("displayName") or dataset.get("name", "")), _sql(dataset))
        for dataset in found.get("datasets", [])
    ]


def _sql(dataset: dict[str, Any]) -> str:
    lines = dataset.get("queryLines")
    if isinstance(lines, list):
        return "".join(str(line) for line in lines)
    return str(dataset.get("query", ""))
