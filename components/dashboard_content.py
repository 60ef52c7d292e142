"""The text of an AI/BI dashboard (`serialized_dashboard`): datasets, pages, widgets. Pure: no Pulumi, no SDK.

The service publishes no schema of it. Forms and versions of the widgets are those of exported dashboards and of
databricks-solutions/ai-dev-kit, "Widget Specifications"; a grid of six columns.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .arguments import Arguments

Kind = Literal["line", "bar", "table", "counter"]
_VERSIONS = {"line": 3, "bar": 3, "table": 2, "counter": 2}
_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")
GRID_WIDTH = 6


@dataclass(frozen=True, kw_only=True)
class DatasetArgs(Arguments):
    """A query, and the widgets that show it."""

    name: str
    """Letters, digits, dashes and underscores."""
    title: str
    """What people read."""
    query: str
    """Databricks SQL."""


@dataclass(frozen=True, kw_only=True)
class WidgetArgs(Arguments):
    """A picture of one dataset."""

    title: str
    """Above it."""
    dataset: str
    """Name of the dataset."""
    kind: Kind
    """What it is drawn as."""
    x: str = ""
    """Column of the horizontal axis; for line and bar."""
    y: Mapping[str, str] = field(default_factory=dict)
    """Columns to draw, or the columns of a table, with the words for each."""
    color: str = ""
    """Column whose values are lines, or parts of bars, of their own."""
    time: bool = True
    """Whether `x` is a date or a time."""
    width: int = 3
    """Columns of the grid, 1 to 6."""
    height: int = 5
    """Rows of the grid."""


class DashboardError(ValueError):
    """A dashboard cannot be made as it is described: which part, the value received, the fix."""


def serialized(title: str, datasets: Sequence[DatasetArgs], widgets: Sequence[WidgetArgs]) -> str:
    """The dashboard as one page, always in the same words for the same arguments.

    Raises:
        DashboardError: a name is none or is taken, a widget shows no dataset or no column, or there is no widget.
    """
    known = {dataset.name for dataset in datasets}
    _check(title, datasets, widgets, known)
    page = {
        "name": "overview",
        "displayName": title,
        "layout": [
            {"widget": _widget(number, widget), "position": position}
            for number, (widget, position) in enumerate(zip(widgets, _positions(widgets), strict=True), start=1)
        ],
    }
    document = {
        "datasets": [
            {
                "name": dataset.name,
                "displayName": dataset.title,
                "queryLines": dataset.query.rstrip().splitlines(keepends=True),
            }
            for dataset in datasets
        ],
        "pages": [page],
    }
    return json.dumps(document, ensure_ascii=False, indent=1)


def _check(title: str, datasets: Sequence[DatasetArgs], widgets: Sequence[WidgetArgs], known: set[str]) -> None:
    if not title:
        raise DashboardError("a dashboard has no title; name it")
    if not widgets:
        raise DashboardError(f"dashboard {title!r} shows nothing; give widgets")
    if len(known) != len(datasets):
        raise DashboardError(f"dashboard {title!r} has two datasets of one name; give each its own")
    for dataset in datasets:
        if not _NAME.fullmatch(dataset.name):
            raise DashboardError(f"dataset {dataset.name!r}: use letters, digits, dashes and underscores, at most 60")
        if not dataset.query.strip():
            raise DashboardError(f"dataset {dataset.name!r} has no query")
    for widget in widgets:
        if widget.dataset not in known:
            raise DashboardError(
                f"widget {widget.title!r} shows dataset {widget.dataset!r}, and there is {', '.join(sorted(known))}"
            )
        if not widget.y or (widget.kind in ("line", "bar") and not widget.x):
            raise DashboardError(f"widget {widget.title!r} names no column to draw; give y, and x for a line or bar")
        if not 1 <= widget.width <= GRID_WIDTH or widget.height < 1:
            raise DashboardError(f"widget {widget.title!r} is {widget.width} wide; the grid has {GRID_WIDTH} columns")


def _positions(widgets: Sequence[WidgetArgs]) -> list[dict[str, int]]:
    """From left to right, a new row where the next one does not fit."""
    positions: list[dict[str, int]] = []
    x = y = tallest = 0
    for widget in widgets:
        if x + widget.width > GRID_WIDTH:
            x, y, tallest = 0, y + tallest, 0
        positions.append({"x": x, "y": y, "width": widget.width, "height": widget.height})
        x, tallest = x + widget.width, max(tallest, widget.height)
    return positions


def _widget(number: int, widget: WidgetArgs) -> dict[str, Any]:
    columns = [*([widget.x] if widget.x else []), *widget.y, *([widget.color] if widget.color else [])]
    query = {
        "datasetName": widget.dataset,
        "fields": [{"name": column, "expression": f"`{column}`"} for column in dict.fromkeys(columns)],
        "disaggregated": True,
    }
    return {
        "name": f"widget-{number}",
        "queries": [{"name": "main_query", "query": query}],
        "spec": {
            "version": _VERSIONS[widget.kind],
            "widgetType": widget.kind,
            "encodings": _encodings(widget),
            "frame": {"showTitle": True, "title": widget.title},
        },
    }


def _encodings(widget: WidgetArgs) -> dict[str, Any]:
    named = [{"fieldName": column, "displayName": words} for column, words in widget.y.items()]
    if widget.kind == "table":
        return {"columns": named}
    if widget.kind == "counter":
        return {"value": named[0]}
    y: dict[str, Any] = {"scale": {"type": "quantitative"}}
    y |= {"fields": named} if len(named) > 1 else named[0]
    encodings: dict[str, Any] = {
        "x": {"fieldName": widget.x, "scale": {"type": "temporal" if widget.time else "categorical"}},
        "y": y,
    }
    if widget.color:
        encodings["color"] = {"fieldName": widget.color, "scale": {"type": "categorical"}}
    return encodings
