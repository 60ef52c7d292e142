"""AI/BI dashboards: which there are, and what the queries of one of them give now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from workspace.console.reading import Rows, Workspace
from workspace.console.sections.times import epoch_ms
from workspace.console.sparkline import Sparkline, sparkline
from workspace.dashboards.content import statements
from workspace.errors import ApiError
from workspace.http import Json

ROOT = "/api/2.0/lakeview/dashboards"
SHOWN_ROWS = 50


@dataclass(frozen=True)
class Entry:
    """A dashboard in the list."""

    id: str
    name: str
    path: str
    changed_ms: int
    published_ms: int | None
    """None where nothing is published."""
    datasets: int


@dataclass(frozen=True)
class Dataset:
    """What a query of a dashboard gives."""

    title: str
    statement: str
    rows: Rows
    problem: str

    @property
    def shown(self) -> list[list[str]]:
        """The first rows, as people write numbers and days."""
        return [[_written(cell) for cell in row] for row in self.rows.rows[:SHOWN_ROWS]]

    @property
    def lines(self) -> list[tuple[str, Sparkline]]:
        """The columns of numbers as plots over the first column, where that orders the rows."""
        ordered = sorted(self.rows.rows, key=lambda row: row[0] or "")
        found: list[tuple[str, Sparkline]] = []
        for number, name in enumerate(self.rows.columns[1:], start=1):
            try:
                values = [float(row[number] or "") for row in ordered]
            except ValueError:
                continue
            if len(values) > 1:
                found.append((name, sparkline(values)))
        return found


@dataclass(frozen=True)
class Opened:
    """One dashboard with the answers of its queries."""

    entry: Entry
    datasets: Sequence[Dataset]


async def dashboards(workspace: Workspace) -> list[Entry]:
    listed = await workspace.all(ROOT, "dashboards")
    return sorted(
        [(await _entry(workspace, str(one["dashboard_id"])))[0] for one in listed], key=lambda one: one.name.lower()
    )


async def opened(workspace: Workspace, dashboard_id: str) -> Opened:
    """The draft, whose queries run as the console's caller. ApiError 404."""
    entry, content = await _entry(workspace, dashboard_id)
    return Opened(entry, [await _dataset(workspace, one, content) for one in statements(content)])


async def _entry(workspace: Workspace, dashboard_id: str) -> tuple[Entry, Json]:
    draft = await workspace.get(f"{ROOT}/{dashboard_id}")
    try:
        published = epoch_ms((await workspace.get(f"{ROOT}/{dashboard_id}/published"))["revision_create_time"])
    except ApiError:
        published = None
    content: Json = json.loads(draft.get("serialized_dashboard") or "{}")
    entry = Entry(
        id=dashboard_id,
        name=str(draft["display_name"]),
        path=str(draft["path"]),
        changed_ms=epoch_ms(draft["update_time"]),
        published_ms=published,
        datasets=len(content.get("datasets") or []),
    )
    return entry, content


async def _dataset(workspace: Workspace, named: tuple[str, str, str], content: Json) -> Dataset:
    name, title, statement = named
    stored: Json = next((one for one in content["datasets"] if str(one.get("name", "")) == name), {})
    try:
        rows = await workspace.rows(statement, str(stored.get("catalog", "")), str(stored.get("schema", "")))
    except ApiError as error:
        return Dataset(title, statement, Rows([], []), error.message)
    return Dataset(title, statement, rows, "")


def _written(cell: str | None) -> str:
    if cell is None:
        return "NULL"
    if cell.endswith("T00:00:00.000Z"):
        return cell.partition("T")[0]
    try:
        return f"{float(cell):.6g}" if "." in cell else cell
    except ValueError:
        return cell
