"""All that a report says, gathered once: what the outputs name is asked for, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

from databricks.sdk.errors import NotFound
from databricks.sdk.errors.base import DatabricksError

from apps.report.limits import Alert, read_alerts
from apps.report.registry import History, read_history
from apps.report.source import Reading, Row, Source
from components import report_queries
from components.alert_queries import DriftType
from components.names import ThreePartName

_NO_TABLE = "the stack has no inference table (endpoint.inferenceTable in its stack file)"
_NO_MONITOR = "the stack has no monitor (monitor in its stack file)"
_NO_JOURNAL = "no job of the stack keeps a journal of decisions (docs/loop.md)"
_DAILY = "1 day"
# What the unpacked table of a stack calls them (components/unpack.py).
_PREDICTION, _MODEL_ID = "prediction", "served_entity_id"
_OWN = ("request_id", "record_index", "inference_timestamp")
_QUALITY = {
    "PROBLEM_TYPE_CLASSIFICATION": ("f1_score.macro", "accuracy_score"),
    "PROBLEM_TYPE_REGRESSION": ("root_mean_squared_error", "r2_score"),
}


@dataclass(frozen=True, kw_only=True)
class Monitored:
    """The monitor as the workspace knows it."""

    table: str
    prediction: str
    label: str
    model_column: str
    timestamp: str
    problem_type: str
    granularity: str
    custom_metrics: tuple[str, ...]
    slices: tuple[str, ...]
    baseline: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What was found. Rows are as `components/report_queries.py` names their columns."""

    outputs: Mapping[str, Any]
    host: str
    days: int
    now: Reading[datetime | None]
    """The warehouse's time: windows and ages go by it."""
    traffic: Reading[list[Row]]
    by_entity: Reading[list[Row]]
    entity_names: Mapping[str, str]
    """Opaque id of a served entity to what the report calls it."""
    names_missing: str
    monitor: Reading[Monitored | None]
    drift: Mapping[str, Reading[list[Row]]]
    """By drift type."""
    not_features: frozenset[str]
    """Columns of the monitored table that are keys, or the table's own."""
    quality: Reading[list[Row]]
    measures: tuple[str, ...]
    """What `quality` has been asked for."""
    alerts: Reading[list[Alert]]
    judged: Mapping[str, Reading[list[Row]]]
    """What each alert on the monitor would have compared in every window, by its name."""
    decisions: Reading[list[Row]]
    history: Reading[History]
    billed: Reading[list[Row]]


def gather(source: Source, outputs: Mapping[str, Any], *, days: int) -> Facts:
    """Ask everything that a report of the last `days` days says.

    Args:
        outputs: of the stack, as `pulumi stack output --json` prints them.
    """
    alerts = read_alerts(source, outputs.get("alertIds") or {})
    by_entity = _payload(source, outputs, days, by_entity=True)
    names, names_missing = _names(source, outputs, by_entity.value)
    monitor = _monitor(source, outputs)
    measures = _measures(source, outputs, monitor.value, alerts.value)
    return Facts(
        outputs=outputs,
        host=source.client.config.host or "",
        days=days,
        now=_now(source),
        traffic=_payload(source, outputs, days, by_entity=False),
        by_entity=by_entity,
        entity_names=names,
        names_missing=names_missing,
        monitor=monitor,
        drift={kind: _drift(source, outputs, monitor, alerts.value, kind, days) for kind in get_args(DriftType)},
        not_features=_not_features(source, outputs, monitor.value, days),
        quality=_quality(source, outputs, monitor, measures, days),
        measures=measures,
        alerts=alerts,
        judged={one.name: _judged(source, one, days) for one in alerts.value if one.watches is not None},
        decisions=_decisions(source, outputs, days),
        history=read_history(source, str(outputs.get("modelName", ""))),
        billed=source.rows(
            "billed DBU by day", report_queries.billed_by_day(str(outputs.get("endpointName", "")), days=days)
        ),
    )


def _now(source: Source) -> Reading[datetime | None]:
    found = source.rows("the warehouse's time", "SELECT current_timestamp() AS now")
    return Reading(found.value[0]["now"] if found.value else None, found.missing)


def _payload(source: Source, outputs: Mapping[str, Any], days: int, *, by_entity: bool) -> Reading[list[Row]]:
    table = outputs.get("payloadTable")
    if not table:
        return Reading([], _NO_TABLE)
    statement = report_queries.traffic_by_day(ThreePartName.parse(table), days=days, by_entity=by_entity)
    return source.rows(f"requests{' of each served entity' if by_entity else ''} by day", statement)


def _names(source: Source, outputs: Mapping[str, Any], rows: Sequence[Row]) -> tuple[dict[str, str], str]:
    """What each served entity is called: its name, or the beginning of its id where nobody says it."""
    endpoint = str(outputs.get("endpointName", ""))
    found = source.rows("names of the served entities", report_queries.entity_names(endpoint))
    names = {str(row["served_entity_id"]): str(row["served_entity_name"]) for row in found.value}
    seen = dict.fromkeys(str(row["served_entity_id"]) for row in rows)
    unknown = {one: f"entity {one[:8]}" for one in seen if one not in names}
    reason = (
        f"entities are shown by the beginning of their ids, because names are in system.serving.served_entities only, "
        f"which usage tracking fills ({found.missing or 'it does not know them'})"
        if unknown
        else ""
    )
    return {**names, **unknown}, reason


def _monitor(source: Source, outputs: Mapping[str, Any]) -> Reading[Monitored | None]:
    table = outputs.get("monitorTable")
    if not table or not outputs.get("profileMetricsTable"):
        return Reading(None, _NO_MONITOR)
    found = source.one(f"the monitor of {table}", lambda: source.client.quality_monitors.get(table))
    info = found.value
    log = None if info is None else info.inference_log
    granularities = (log.granularities if log else None) or [_DAILY]
    return Reading(
        # A monitor of the other API is not known by its table's name: its columns are those that the stack declares.
        Monitored(
            table=table,
            prediction=log.prediction_col if log else _PREDICTION,
            label=(log.label_col or "") if log else "",
            model_column=log.model_id_col if log else _MODEL_ID,
            timestamp=log.timestamp_col if log else "",
            problem_type=log.problem_type.value if log else "",
            granularity=_DAILY if _DAILY in granularities else granularities[0],
            custom_metrics=tuple(one.name for one in (info.custom_metrics if info else None) or [] if one.name),
            slices=tuple((info.slicing_exprs if info else None) or []),
            baseline=(info.baseline_table_name or "") if info else "",
        ),
        found.missing,
    )


def _measures(
    source: Source, outputs: Mapping[str, Any], monitor: Monitored | None, alerts: Sequence[Alert]
) -> tuple[str, ...]:
    """What alerts judge, the custom metrics, and what is usual for the kind of problem, as far as the table has it."""
    if monitor is None:
        return ()
    judged = [one.watches.measure for one in alerts if one.watches is not None and not one.watches.drift_type]
    wanted = dict.fromkeys((*judged, *_QUALITY.get(monitor.problem_type, ())[:1], *monitor.custom_metrics))
    table = str(outputs["profileMetricsTable"])
    columns = source.many(f"the columns of {table}", lambda: source.client.tables.get(table).columns or [])
    known = {str(column.name) for column in columns.value}
    # Where the columns are not told, the query says itself what is missing.
    return tuple(name for name in wanted if not known or name.partition(".")[0] in known)


def _not_features(source: Source, outputs: Mapping[str, Any], monitor: Monitored | None, days: int) -> frozenset[str]:
    if monitor is None:
        return frozenset()
    statement = report_queries.identifiers(
        ThreePartName.parse(str(outputs["profileMetricsTable"])),
        model_column=monitor.model_column,
        granularity=monitor.granularity,
        days=days,
    )
    keys = source.rows("columns that identify", statement).value
    return frozenset({*_OWN, monitor.model_column, monitor.timestamp, *(str(row["column_name"]) for row in keys)})


def _drift(
    source: Source,
    outputs: Mapping[str, Any],
    monitor: Reading[Monitored | None],
    alerts: Sequence[Alert],
    kind: DriftType,
    days: int,
) -> Reading[list[Row]]:
    table = outputs.get("driftMetricsTable")
    if monitor.value is None or not table:
        return Reading([], monitor.missing or _NO_MONITOR)
    if kind == "BASELINE" and not monitor.value.baseline:
        return Reading([], "the monitor has no baseline table")
    judged = [one.watches.measure for one in alerts if one.watches is not None and one.watches.drift_type == kind]
    statement = report_queries.drift_by_window(
        ThreePartName.parse(table),
        measures=list(dict.fromkeys((*report_queries.DRIFT_MEASURES, *judged))),
        drift_type=kind,
        granularity=monitor.value.granularity,
        days=days,
    )
    against = "the window before" if kind == "CONSECUTIVE" else "the baseline"
    return source.rows(f"drift against {against}", statement)


def _quality(
    source: Source,
    outputs: Mapping[str, Any],
    monitor: Reading[Monitored | None],
    measures: Sequence[str],
    days: int,
) -> Reading[list[Row]]:
    if monitor.value is None:
        return Reading([], monitor.missing)
    if not measures:
        return Reading([], "the profile metrics table has no measure of the predictions' quality: nothing is labelled")
    statement = report_queries.quality_by_window(
        ThreePartName.parse(str(outputs["profileMetricsTable"])),
        measures=measures,
        model_column=monitor.value.model_column,
        granularity=monitor.value.granularity,
        days=days,
    )
    return source.rows("quality of the predictions by window", statement)


def _judged(source: Source, alert: Alert, days: int) -> Reading[list[Row]]:
    statement = report_queries.judged_by(alert.query, days=days)
    if statement is None:
        return Reading([], f"the query of alert {alert.name} is not one of the project's: its windows are not known")
    return source.rows(f"windows that alert {alert.name} judges", statement)


def _decisions(source: Source, outputs: Mapping[str, Any], days: int) -> Reading[list[Row]]:
    """The journal is named by the parameters of the job that writes it."""
    problems: list[str] = []
    for role, job_id in sorted((outputs.get("jobIds") or {}).items()):
        found = _parameters(source, role, int(job_id))
        problems += [found.missing] if found.missing else []
        journal = found.value.get("journal")
        if journal is None:
            continue
        catalog, schema, _ = str(outputs["monitorTable"]).split(".")
        name = journal if journal.count(".") == 2 else f"{catalog}.{schema}.{journal}"
        if _is_absent(source, name):
            return Reading([], f"nothing was decided yet: drift detection makes its journal {name} with its first run")
        statement = report_queries.decisions(ThreePartName.parse(name), days=days)
        return source.rows("decisions of drift detection", statement)
    return Reading([], "; ".join(problems) or _NO_JOURNAL)


def _is_absent(source: Source, table: str) -> bool:
    try:
        source.client.tables.get(table)
    except NotFound:
        return True
    except DatabricksError:
        # The query's own words say more.
        return False
    return False


def _parameters(source: Source, role: str, job_id: int) -> Reading[dict[str, str]]:
    def ask() -> dict[str, str]:
        settings = source.client.jobs.get(job_id).settings
        return {one.name: one.default for one in (settings.parameters if settings else None) or []}

    found = source.one(f"job {role}", ask)
    return Reading(found.value or {}, found.missing)
