"""What a section is made of: plots with the table behind each, tables, and words where there is nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from apps.report.charts import MOST_SERIES, Chart, Kind, Limit, Series
from apps.report.facts import Facts
from apps.report.limits import Alert
from apps.report.source import Row

NONE = "-"


@dataclass(frozen=True)
class Table:
    """Columns and rows of texts; columns that begin with # hold numbers."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Plot:
    """A chart and the values behind it."""

    chart: Chart
    table: Table


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page."""

    name: str
    title: str
    says: str = ""
    plots: Sequence[Plot] = field(default=())
    tables: Sequence[tuple[str, Table]] = field(default=())
    """Each with its caption."""
    missing: Sequence[str] = field(default=())
    """What is not here, and why."""


def number(value: Any, digits: int = 3) -> str:
    """A number as people write it; a dash for none."""
    if value is None:
        return NONE
    if isinstance(value, int):
        return f"{value:,}"
    if value and abs(value) < 10**-digits:
        return f"{value:.1e}"
    written = f"{value:,.{digits}f}"
    if "." in written:
        written = written.rstrip("0").rstrip(".")
    return "0" if written in ("", "-0") else written


def day(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) and not isinstance(value, datetime) else f"{value:%Y-%m-%d}"


def instant(value: Any) -> str:
    return NONE if value is None else f"{value:%Y-%m-%d %H:%M}"


def at(value: Any) -> datetime:
    """A day or a moment as a moment in UTC."""
    if isinstance(value, datetime):
        return value
    return datetime(value.year, value.month, value.day, tzinfo=UTC)


def series(
    rows: Iterable[Row], x: str, y: str, *, by: str = "", names: Mapping[str, str] | None = None
) -> list[Series]:
    """The rows as lines over time, the highest first; rows without a value are left out.

    Args:
        by: the column that tells lines apart; all rows are one line when left out.
        names: what to call each of its values.
    """
    found: dict[str, list[tuple[datetime, float]]] = {}
    for row in rows:
        if row[y] is not None:
            key = str(row[by]) if by else y
            found.setdefault((names or {}).get(key, key), []).append((at(row[x]), float(row[y])))
    lines = [Series(name, sorted(points)) for name, points in found.items()]
    return sorted(lines, key=lambda one: (-max(value for _, value in one.points), one.name))


def plot(
    name: str,
    title: str,
    kind: Kind,
    lines: Sequence[Series],
    table: Table,
    *,
    unit: str = "",
    limits: Sequence[Limit] = (),
    whole_numbers: bool = False,
    named: bool = True,
    instants: bool = False,
) -> Plot:
    """A plot of the highest lines, with words for who does not see it."""
    shown = sorted(lines[:MOST_SERIES], key=lambda one: one.name)
    chart = Chart(
        name=name,
        title=title,
        alt=_in_words(shown, lines, unit, limits),
        kind=kind,
        series=shown,
        unit=unit,
        limits=limits,
        whole_numbers=whole_numbers,
        named=named,
        instants=instants,
    )
    return Plot(chart, table)


def limits_of(alerts: Iterable[Alert | None]) -> list[Limit]:
    """The limits of alerts as lines of a plot, each value once."""
    found = {one.limit: one for one in alerts if one is not None and one.limit is not None}
    return [Limit(value, f"alert {one.name}: {one.sign} {number(value)}") for value, one in sorted(found.items())]


def alert_named(facts: Facts, name: str) -> Alert | None:
    return next((one for one in facts.alerts.value if one.name == name), None)


def _in_words(shown: Sequence[Series], all_lines: Sequence[Series], unit: str, limits: Sequence[Limit]) -> str:
    parts = []
    for one in shown:
        values = [value for _, value in one.points]
        last, unit_text = one.points[-1], f" {unit}" if unit else ""
        parts.append(
            f"{one.name}: {len(values)} points from {number(min(values))} to {number(max(values))}{unit_text}, "
            f"the last {number(last[1])} on {day(last[0])}"
        )
    if len(all_lines) > len(shown):
        parts.append(f"{len(all_lines) - len(shown)} more are in the table only")
    parts += [f"limit of {limit.says}" for limit in limits]
    return "; ".join(parts) + ". The table below has all values."
