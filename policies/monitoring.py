"""Inference tables, monitors and alerts: whether anybody would notice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from policies import sources
from policies.endpoints import ENDPOINTS
from policies.reading import UNKNOWN, Reader
from policies.rule import ADVISORY, HIGH, MANDATORY, MEDIUM, OFF, ResourceRule, StackRule
from policies.subject import Stack, Subject

QUALITY_MONITOR = "databricks:index/qualityMonitor:QualityMonitor"
DATA_QUALITY_MONITOR = "databricks:index/dataQualityMonitor:DataQualityMonitor"
MONITORS = frozenset({QUALITY_MONITOR, DATA_QUALITY_MONITOR})
ALERT = "databricks:index/alertV2:AlertV2"
OLD_ALERT = "databricks:index/alert:Alert"
SUPERSEDED = {
    "databricks:index/lakehouseMonitor:LakehouseMonitor": "a QualityMonitor",
    "databricks:index/qualityMonitorV2:QualityMonitorV2": "a QualityMonitor or a DataQualityMonitor",
    "databricks:index/sqlAlert:SqlAlert": "an AlertV2",
}
# The columns of an AI Gateway inference table that alerts of a kind read.
AVAILABILITY, LATENCY = "status_code", "execution_duration_ms"


def _prefix(endpoint: Subject) -> str | None:
    """What the inference table's name begins with, where one is on; None where it is off or not known yet."""
    config = endpoint.get("aiGateway", "inferenceTableConfig")
    if not isinstance(config, Mapping) or endpoint.reader.get(config, "enabled") is False:
        return None
    prefix = endpoint.reader.get(config, "tableNamePrefix")
    return prefix if isinstance(prefix, str) and prefix else None


def _logging(stack: Stack) -> Iterator[tuple[Subject, str]]:
    endpoints = list(stack.of(*ENDPOINTS))
    taken: Counter[str] = Counter()
    for endpoint in endpoints:
        prefix = _prefix(endpoint)
        if prefix is not None:
            config = endpoint.get("aiGateway", "inferenceTableConfig")
            schema = [endpoint.reader.get(config, field) for field in ("catalogName", "schemaName")]
            taken[".".join(map(str, [*schema, prefix])).casefold()] += 1
        elif endpoint.get("aiGateway", "inferenceTableConfig") is not UNKNOWN and not endpoint.reader.met_unknown:
            yield (
                endpoint,
                f"{endpoint.shown} keeps no inference table with a prefix of its own, so nobody can see what "
                "it was asked: "
                "set aiGateway.inferenceTableConfig with enabled, catalogName, schemaName and tableNamePrefix.",
            )
    for endpoint in endpoints:
        prefix = _prefix(endpoint)
        shared = [
            name for name, count in taken.items() if count > 1 and prefix and name.endswith(f".{prefix.casefold()}")
        ]
        if shared:
            yield (
                endpoint,
                f"{taken[shared[0]]} endpoints of the stack write to {shared[0]}_payload: give each a "
                "tableNamePrefix of "
                "its own.",
            )


inference_table_is_on = StackRule(
    id="POL-05",
    name="inference-table-is-on",
    description="Require an inference table of every endpoint, with a prefix that no other endpoint has.",
    remediation="Set aiGateway.inferenceTableConfig with a tableNamePrefix of its own.",
    staging=ADVISORY,
    prod=MANDATORY,
    severity=HIGH,
    source=sources.INFERENCE_TABLES,
    check=_logging,
)


def _watched(stack: Stack) -> Iterator[tuple[Subject, str]]:
    monitors, alerts = list(stack.of(*MONITORS)), list(stack.of(ALERT, OLD_ALERT))
    for endpoint in stack.of(*ENDPOINTS):
        prefix = _prefix(endpoint) or endpoint.shown.replace("-", "_")
        about = [one for one in alerts if _is_about(one, endpoint, prefix)]
        watched = not stack.option("monitor") or any(_watches(one, endpoint, prefix) for one in monitors)
        missing = [] if watched else ["a monitor"]
        missing += [
            f"an alert on {what}"
            for what, column in (("availability", AVAILABILITY), ("latency", LATENCY))
            if not any(column in _query(one) or _query(one) == "" for one in about)
        ]
        if missing:
            yield (
                endpoint,
                f"{endpoint.shown} lacks {', '.join(missing)}: declare a QualityMonitor on its unpacked "
                "inference table, and "
                f"an AlertV2 whose query reads {prefix}_payload ({AVAILABILITY}, {LATENCY}).",
            )


def _watches(monitor: Subject, endpoint: Subject, prefix: str) -> bool:
    table = monitor.text("tableName") or monitor.text("dataProfilingConfig", "monitoredTableName")
    if table is not None and table.rpartition(".")[2].casefold().startswith(prefix.casefold()):
        return True
    # A table of another name, not known yet, or named by its id: what it is made of, or waits for, tells whose it is.
    return endpoint.urn in monitor.depends_on or any(endpoint.urn in made for made in monitor.sources.values())


def _is_about(alert: Subject, endpoint: Subject, prefix: str) -> bool:
    if prefix.casefold() in _query(alert).casefold():
        return True
    return endpoint.urn in alert.depends_on or any(endpoint.urn in made for made in alert.sources.values())


def _query(alert: Subject) -> str:
    """The text of an alert's query; empty where it is not known yet, or stands in another resource."""
    text = Reader().get(alert.props, "queryText")
    return text if isinstance(text, str) else ""


endpoint_is_watched = StackRule(
    id="POL-09",
    name="endpoint-is-watched",
    description="Require a monitor, an availability alert and a latency alert for every endpoint.",
    remediation="Declare a QualityMonitor and AlertV2s on the endpoint's inference table.",
    staging=ADVISORY,
    prod=MANDATORY,
    severity=HIGH,
    source=sources.ALERTS,
    options={
        "monitor": {
            "type": "boolean",
            "description": "Whether a monitor is needed beside the alerts; false is for chatbots, whose answers are "
            "free text: no distribution to watch, and alerts on errors, latency and tokens.",
            "default": True,
        }
    },
    check=_watched,
)


def _metrics(subject: Subject) -> Iterator[str]:
    base = () if subject.type == QUALITY_MONITOR else ("dataProfilingConfig",)
    if not isinstance(subject.get(*base, "inferenceLog"), Mapping):
        return
    metrics = subject.blocks(*base, "customMetrics")
    if metrics.complete and not metrics.known:
        yield (
            f"monitor of {subject.shown} has no custom metric: add one that says what a wrong prediction "
            "costs, such as "
            "an aggregate of type CUSTOM_METRIC_TYPE_AGGREGATE."
        )
    for number, expression in enumerate(subject.texts(*base, "slicingExprs")):
        if not expression.strip() or expression.count("'") % 2 or expression.count("(") != expression.count(")"):
            yield (
                f"slicingExprs[{number}] is '{expression}', which is no expression over columns: correct or remove it."
            )


monitor_measures_the_business = ResourceRule(
    id="POL-10",
    name="monitor-measures-the-business",
    description="Require a custom metric of inference monitors, and slices that can be expressions.",
    remediation="Add a custom metric; write each slice as an expression over columns.",
    staging=ADVISORY,
    prod=MANDATORY,
    severity=MEDIUM,
    source=sources.CUSTOM_METRICS,
    types=MONITORS,
    check=_metrics,
)


def _superseded(subject: Subject) -> Iterator[str]:
    yield f"{subject.shown} is of a type that is superseded: declare {SUPERSEDED[subject.type]} instead."


no_superseded_monitoring_resources = ResourceRule(
    id="POL-49",
    name="no-superseded-monitoring-resources",
    description="Refuse monitors and alerts of types that have been superseded.",
    remediation="Declare QualityMonitor and AlertV2.",
    staging=ADVISORY,
    prod=MANDATORY,
    severity=MEDIUM,
    source=sources.MONITORS,
    types=frozenset(SUPERSEDED),
    check=_superseded,
)


def _payload(subject: Subject) -> Iterator[str]:
    table = subject.text("tableName") or subject.text("dataProfilingConfig", "monitoredTableName")
    base = () if subject.type == QUALITY_MONITOR else ("dataProfilingConfig",)
    if table and table.endswith("_payload") and isinstance(subject.get(*base, "inferenceLog"), Mapping):
        yield (
            f"{table} holds requests and responses as JSON texts, in which a monitor finds neither prediction "
            "nor feature: "
            "unpack it into a table with a column for each, and monitor that."
        )


monitor_watches_unpacked_requests = ResourceRule(
    id="POL-50",
    name="monitor-watches-unpacked-requests",
    description="Refuse an inference monitor on the payload table itself, whose requests are JSON texts.",
    remediation="Monitor a table into which requests are unpacked.",
    staging=MANDATORY,
    prod=MANDATORY,
    severity=HIGH,
    source=sources.MONITORS,
    types=MONITORS,
    check=_payload,
)


def _nobody(subject: Subject) -> Iterator[str]:
    subscriptions = subject.blocks("evaluation", "notification", "subscriptions")
    if subscriptions.complete and not subscriptions.known:
        yield (
            f"alert {subject.shown} tells nobody: add evaluation.notification.subscriptions, with a userEmail or the "
            "destinationId of a NotificationDestination."
        )


alert_tells_somebody = ResourceRule(
    id="POL-51",
    name="alert-tells-somebody",
    description="Require a subscriber of every alert.",
    remediation="Add evaluation.notification.subscriptions.",
    staging=ADVISORY,
    prod=MANDATORY,
    severity=HIGH,
    source=sources.ALERTS,
    types=frozenset({ALERT}),
    check=_nobody,
)


def _paused(subject: Subject) -> Iterator[str]:
    for path in (("schedule",), ("dataProfilingConfig", "schedule")):
        if subject.get(*path, "pauseStatus") == "PAUSED":
            yield f"the schedule of {subject.shown} is paused, so nothing is watched: set pauseStatus to UNPAUSED."


production_schedules_run = ResourceRule(
    id="POL-52",
    name="production-schedules-run",
    description="Refuse paused schedules of monitors and alerts in production.",
    remediation="Set schedule.pauseStatus to UNPAUSED.",
    staging=OFF,
    prod=MANDATORY,
    severity=HIGH,
    source=sources.ALERTS,
    types=MONITORS | {ALERT},
    check=_paused,
)


def _nothing_to_compare_with(subject: Subject) -> Iterator[str]:
    base = () if subject.type == QUALITY_MONITOR else ("dataProfilingConfig",)
    if isinstance(subject.get(*base, "inferenceLog"), Mapping) and not subject.get(*base, "baselineTableName"):
        yield (
            f"monitor of {subject.shown} has no baseline, so a model that is wrong from its first day never drifts: "
            "set baselineTableName to a table of rows that the model has not seen in training, with its predictions."
        )


monitor_has_a_baseline = ResourceRule(
    id="POL-67",
    name="monitor-has-a-baseline",
    description="Require a baseline table of inference monitors.",
    remediation="Set baselineTableName to rows that the model has not seen in training, with its predictions.",
    staging=ADVISORY,
    prod=MANDATORY,
    severity=MEDIUM,
    source=sources.MONITORS,
    types=MONITORS,
    check=_nothing_to_compare_with,
)

RULES = (
    inference_table_is_on,
    endpoint_is_watched,
    monitor_measures_the_business,
    monitor_has_a_baseline,
    no_superseded_monitoring_resources,
    monitor_watches_unpacked_requests,
    alert_tells_somebody,
    production_schedules_run,
)
