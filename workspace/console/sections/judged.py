"""What alerts on a monitor's metric tables have found: each by its own query, asked about every window and not the
newest alone, so that what an alert takes for no answer (too few rows, no labels) is none here either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from components.report_queries import Watched, judged_by, watched_by
from workspace.console.reading import Workspace
from workspace.errors import ApiError
from workspace.http import Json

DAYS = 30
_SIGNS: Mapping[str, tuple[str, Callable[[float, float], bool]]] = {
    "GREATER_THAN": (">", lambda value, limit: value > limit),
    "GREATER_THAN_OR_EQUAL": ("≥", lambda value, limit: value >= limit),
    "LESS_THAN": ("<", lambda value, limit: value < limit),
    "LESS_THAN_OR_EQUAL": ("≤", lambda value, limit: value <= limit),
}


@dataclass(frozen=True)
class Beyond:
    """A number that an alert fires for."""

    window: str
    """Its beginning, to the minute (UTC)."""
    what: str
    value: float


@dataclass(frozen=True)
class Judged:
    """An alert, and what it found in the windows of the last days."""

    alert: str
    state: str
    limit: str
    windows: int
    """How many were large enough, and labelled enough, to be judged."""
    beyond: Sequence[Beyond]
    """The newest first; of several models in a window the worst."""
    reason: str = ""
    """Why nothing is known."""

    @property
    def beyond_windows(self) -> list[str]:
        return list(dict.fromkeys(one.window for one in self.beyond))


async def judged(workspace: Workspace, alerts: Iterable[Json], drift_table: str) -> list[Judged]:
    """Every alert of the project's form on the metric tables that belong to a drift metrics table."""
    stem = drift_table.removesuffix("drift_metrics")
    found = []
    for alert in alerts:
        query = str(alert.get("query_text", ""))
        watched, statement = watched_by(query), judged_by(query, days=DAYS)
        if alert.get("lifecycle_state") == "DELETED" or watched is None or statement is None:
            continue
        if stem in query.replace("`", ""):
            found.append(await _judged(workspace, alert, watched, statement))
    return sorted(found, key=lambda one: (not one.beyond, one.alert))


async def _judged(workspace: Workspace, alert: Json, watched: Watched, statement: str) -> Judged:
    evaluation = alert.get("evaluation") or {}
    name, state = str(alert.get("display_name", "")), str(evaluation.get("state") or "UNKNOWN")
    value = ((evaluation.get("threshold") or {}).get("value") or {}).get("double_value")
    sign, is_beyond = _SIGNS.get(str(evaluation.get("comparison_operator")), ("", None))
    if value is None or is_beyond is None:
        return Judged(name, state, "", 0, [], "it has no limit of its own")
    limit = float(value)
    try:
        rows = (await workspace.rows(statement)).records()
    except ApiError as error:
        return Judged(name, state, f"{sign} {limit:g}", 0, [], error.message)
    column = str((evaluation.get("source") or {}).get("name"))
    worst: dict[tuple[str, str], Beyond] = {}
    for row in rows:
        number = row.get(column)
        if number is None or not is_beyond(float(number), limit):
            continue
        one = Beyond(str(row["window_start"])[:16].replace("T", " "), _what(watched, row), float(number))
        known = worst.get((one.window, one.what))
        if known is None or abs(one.value) > abs(known.value):
            worst[one.window, one.what] = one
    beyond = sorted(worst.values(), key=lambda one: one.what)
    beyond.sort(key=lambda one: one.window, reverse=True)
    return Judged(name, state, f"{sign} {limit:g}", len({row["window_start"] for row in rows}), beyond)


def _what(watched: Watched, row: Mapping[str, str | None]) -> str:
    what = f"{watched.measure} of {row['column_name']}" if watched.drift_type else watched.measure
    if not watched.sliced:
        return what
    return f"{what} where {row['slice_key']}" + ("" if row["slice_value"] == "true" else f" is {row['slice_value']}")
