"""Drift, quality of the predictions, and the windows that are beyond a limit: what the monitor measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.report.charts import Series
from apps.report.facts import Facts, Monitored
from apps.report.limits import Alert, limit_of
from apps.report.sections import Plot, Section, Table, at, day, limits_of, number, plot, series
from apps.report.source import Row
from components.report_queries import DRIFT_MEASURES, Watched, short_name

_AGAINST = {"BASELINE": "the baseline", "CONSECUTIVE": "the window before"}
ALL_MODELS = "*"


@dataclass(frozen=True)
class Beyond:
    """A number of a window that an alert would fire for."""

    window: datetime
    what: str
    value: float
    alert: Alert
    kind: str
    """`drift` or `quality`."""


def drift(facts: Facts, *, of_predictions: bool) -> Section:
    """Drift of predictions and labels, or of the features, against the baseline and the window before."""
    name, title = ("prediction-drift", "Prediction drift") if of_predictions else ("feature-drift", "Feature drift")
    monitor = facts.monitor.value
    if monitor is None:
        return Section(name=name, title=title, missing=[facts.monitor.missing])
    plots: list[Plot] = []
    missing: list[str] = []
    for kind, reading in facts.drift.items():
        rows = [
            row
            for row in reading.value
            if (row["column_name"] in _answers(monitor)) == of_predictions
            and row["column_name"] not in facts.not_features - _answers(monitor)
        ]
        found = list(_drift_plots(facts, name, kind, rows))
        plots += found
        if not found:
            missing.append(reading.missing or f"against {_AGAINST[kind]}: no column of this kind has a measure")
    measures = ", ".join(DRIFT_MEASURES)
    return Section(
        name=name,
        title=title,
        says=f"By window of {monitor.granularity}, whole table, the worst of the served models. {measures}: no unit; "
        "0 is no drift."
        + ("" if of_predictions else f" Left out as keys: {', '.join(sorted(facts.not_features - {''}))}."),
        plots=plots,
        missing=missing,
    )


def performance(facts: Facts) -> Section:
    """The quality measures of the whole table, for each model."""
    rows = facts.quality.value
    name, title = "performance", "Performance and expected loss"
    if not rows:
        return Section(name=name, title=title, missing=[facts.quality.missing])
    plots: list[Plot] = []
    missing: list[str] = []
    for measure in facts.measures:
        column = short_name(measure)
        named = [{**row, "model": model_name(facts, str(row["model_id"]))} for row in _of_models(rows)]
        lines = series(named, "window_start", column, by="model")
        if not lines:
            missing.append(f"{measure} has no value in any window: it needs labels that have arrived")
            continue
        table = Table(
            ["Window", "Model", f"#{measure}", "#Rows"],
            [[day(row["window_start"]), row["model"], number(row[column], 4), number(row["rows"])] for row in named],
        )
        limits = limits_of([limit_of(facts.alerts.value, measure)])
        plots.append(plot(f"quality-{column}".replace("_", "-"), measure, "lines", lines, table, limits=limits))
    return Section(
        name=name,
        title=title,
        says="By window, whole table, each model. A window whose labels have not arrived has no value, or that of none "
        "being wrong.",
        plots=plots,
        missing=missing,
    )


def violations(facts: Facts) -> Section:
    """How many numbers of each window are beyond the limit of an alert."""
    name, title = "violations", "Violations"
    judged = [one for one in facts.alerts.value if one.watches is not None]
    if not judged:
        why = facts.alerts.missing or "no alert of the stack watches its monitor"
        return Section(name=name, title=title, missing=[f"there is no limit to be beyond: {why}"])
    problems = [reading.missing for reading in facts.judged.values() if reading.missing]
    windows = sorted({at(row["window_start"]) for reading in facts.judged.values() for row in reading.value})
    if not windows:
        return Section(name=name, title=title, missing=problems or ["no window is large enough to be judged"])
    found = beyond(facts)
    lines = [
        Series(kind, [(window, float(_count(found, window, kind))) for window in windows])
        for kind in ("drift", "quality")
    ]
    counts = Table(
        ["Window", "#Drift", "#Quality", "Beyond its limit"],
        [
            [
                day(window),
                *(number(_count(found, window, kind)) for kind in ("drift", "quality")),
                "; ".join(
                    f"{one.what} {number(one.value)} {one.alert.sign} {number(one.alert.limit)}"
                    for one in found
                    if one.window == window
                )
                or "none",
            ]
            for window in reversed(windows)
        ],
    )
    total = len(found)
    return Section(
        name=name,
        title=title,
        says=f"{total} number{'' if total == 1 else 's'} of {len(windows)} windows beyond the limit of an alert, of "
        "the whole table or of a slice, as each alert judges; the limit itself does not count.",
        missing=problems,
        plots=[
            plot(
                "violations",
                "Numbers beyond a limit, by window",
                "bars",
                lines,
                counts,
                unit="numbers",
                whole_numbers=True,
            )
        ],
    )


def beyond(facts: Facts) -> list[Beyond]:
    """Every number of a window that an alert fires for, in the order of time; of several models the worst.

    Each alert judges by its own query: windows of too few rows, or without labels, are no answer here either.
    """
    found: dict[tuple[datetime, str, str], Beyond] = {}
    for alert in facts.alerts.value:
        if alert.watches is None:
            continue
        for row in facts.judged[alert.name].value:
            value = row[alert.column]
            if value is None or not alert.is_beyond(float(value)):
                continue
            one = Beyond(at(row["window_start"]), _what(alert.watches, row), float(value), alert, _kind(alert.watches))
            known = found.get((one.window, one.what, alert.name))
            if known is None or abs(one.value) > abs(known.value):
                found[one.window, one.what, alert.name] = one
    return sorted(found.values(), key=lambda one: (one.window, one.what, one.alert.name))


def _kind(watched: Watched) -> str:
    return "drift" if watched.drift_type else "quality"


def _what(watched: Watched, row: Row) -> str:
    column = f" of {row['column_name']}" if watched.drift_type else ""
    if not watched.sliced:
        return f"{watched.measure}{column}"
    # An expression is sliced by whether it holds; a column by its values.
    value = "" if row["slice_value"] == "true" else f" is {row['slice_value']}"
    return f"{watched.measure}{column} where {row['slice_key']}{value}"


def model_name(facts: Facts, model_id: str) -> str:
    """What a value of the monitor's model column is called."""
    if model_id == ALL_MODELS:
        return "all models"
    return facts.entity_names.get(model_id, f"version {model_id}" if model_id.isdigit() else model_id)


def _drift_plots(facts: Facts, section: str, kind: str, rows: Sequence[Row]) -> Iterator[Plot]:
    """One plot a measure: numbers of different measures are not compared."""
    measures = dict.fromkeys(
        (
            *DRIFT_MEASURES,
            *(one.watches.measure for one in facts.alerts.value if one.watches and one.watches.drift_type == kind),
        )
    )
    for measure in measures:
        column = short_name(measure)
        lines = series((row for row in rows if column in row), "window_start", column, by="column_name")
        if not lines:
            continue
        columns = [one.name for one in lines]
        limits = limits_of(limit_of(facts.alerts.value, measure, column=one, drift_type=kind) for one in columns)
        table = Table(
            ["Window", "Column", f"#{measure}"],
            [
                [day(row["window_start"]), str(row["column_name"]), number(row[column], 4)]
                for row in rows
                if row.get(column) is not None
            ],
        )
        yield plot(
            f"{section}-{kind}-{measure}".lower().replace("_", "-").replace(".", "-"),
            f"{measure} against {_AGAINST[kind]}",
            "lines",
            lines,
            table,
            limits=limits,
        )


def _answers(monitor: Monitored) -> set[str]:
    return {monitor.prediction, monitor.label} - {""}


def _of_models(rows: Sequence[Row]) -> list[Row]:
    """Without the row over all models, where there are rows of models."""
    return [row for row in rows if row["model_id"] != ALL_MODELS] or list(rows)


def _count(found: Sequence[Beyond], window: datetime, kind: str) -> int:
    return sum(one.window == window and one.kind == kind for one in found)
