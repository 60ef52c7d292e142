"""Drift detection on a workspace: a monitor's metric tables, read with SQL, judged, and the decision written down."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.catalog import ModelVersionInfo

from pipelines.churn.drift_detection import LABEL, WHOLE_TABLE, Drift, Performance, Policy, Window, as_utc
from pipelines.churn.drift_journal import JOURNAL, Journal
from pipelines.churn.drift_parameters import flag, guard_of, policy_of, start_of
from pipelines.churn.drift_queries import drift_query, labels_query, performance_query
from pipelines.churn.drift_response import DAY, WEEK, Decision, Guard, History, decide
from pipelines.errors import PipelineError
from pipelines.sql import SqlRunner, Value, Warehouse, find_warehouse
from pipelines.versions import version_tags

# A version's tag: what it was trained for. A retraining by hand counts like one that drift has set going.
TRAINED_BY: Final = "trained_by"
RETRAINING: Final = "retraining"
_BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)


def detect(
    parameters: Mapping[str, str], workspace: WorkspaceClient | None = None, *, run_id: str | None = None
) -> Decision:
    """Judge a monitor as job parameters describe it, write the decision into the journal, and return it.

    Args:
        parameters: texts, by the names in examples/churn: `profile_metrics_table`, `drift_metrics_table`, `model`,
            thresholds and the rest of `Policy` and `Guard`. `start_date` is a date (UTC); windows before the last
            training do not count either, unless `since_training` is `false`. `judge_slices` has every slice judged as
            well. `journal` names the journal's table, in the schema of the metric tables.
        run_id: of the job's run. One that is repaired or tried again decides anew, and is not held back by itself: what
            it set going before may have been lost with the task.

    Raises PipelineError for a parameter that is missing or is none, and where the decision could not be written down.
    """
    client = workspace or WorkspaceClient()
    start, guard = start_of(parameters), guard_of(parameters)
    versions = _versions(client, parameters["model"])
    trained = last_training(versions)
    since = max(start, _next_window(trained)) if trained and flag(parameters, "since_training", default=True) else start
    policy = policy_of(parameters, since)
    catalog, schema, _ = parameters["profile_metrics_table"].split(".")
    warehouse = Warehouse(client, find_warehouse(client, parameters.get("warehouse_id")), catalog, schema)
    journal = Journal(warehouse, parameters.get("journal", JOURNAL), run_id)
    now = journal.now()
    history = History(
        now=now,
        trained=trained,
        retrainings=_retrainings(client, parameters["model"], versions, now, guard),
        triggers=journal.triggers(parameters["model"]),
    )
    performance, drift = read_metrics(client, warehouse, parameters, policy)
    decision = decide(performance, drift, policy, guard, history)
    journal.add_decision(parameters["model"], decision, policy, guard)
    return decision


def last_training(versions: list[ModelVersionInfo]) -> datetime | None:
    """When the newest version of a model was made (aware, UTC); None where there is none."""
    return max((_made(version) for version in versions), default=None)


def _versions(workspace: WorkspaceClient, model: str) -> list[ModelVersionInfo]:
    try:
        return [version for version in workspace.model_versions.list(model) if version.created_at]
    except NotFound:
        return []


def _retrainings(
    workspace: WorkspaceClient, model: str, versions: list[ModelVersionInfo], now: datetime, guard: Guard
) -> list[datetime]:
    """When versions were made by a retraining, as far back as the guard looks; a request for each version since."""
    first = now - max(WEEK, guard.cooldown_days * DAY)
    return [
        _made(version)
        for version in versions
        if _made(version) >= first
        and version_tags(workspace, model, str(version.version)).get(TRAINED_BY) == RETRAINING
    ]


def _made(version: ModelVersionInfo) -> datetime:
    return datetime.fromtimestamp((version.created_at or 0) / 1_000, UTC)


def _next_window(trained: datetime) -> datetime:
    """The window that the training fell into holds what was before it: the next one is the first that counts."""
    midnight = trained.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight if midnight == trained else midnight + timedelta(days=1)


def read_metrics(
    workspace: WorkspaceClient, warehouse: SqlRunner, parameters: Mapping[str, str], policy: Policy
) -> tuple[list[Performance], list[Drift]]:
    """What the metric tables say of every window since `policy.since`, and of the day before it.

    Drift against a window of too few rows is not known: the few queries that prove a deployment, say, are no day.
    """
    profile, drift = parameters["profile_metrics_table"], parameters["drift_metrics_table"]
    model_column = parameters.get("model_id_column", "model_version")
    slices = flag(parameters, "judge_slices", default=False)
    # With its zone: without one it would be a moment of the zone that the warehouse is set to.
    since = {"since": (as_utc(policy.since or _BEGINNING) - DAY).isoformat()}
    performance_text = performance_query(profile, parameters["performance_metric"], model_column, slices=slices)
    labels_text = labels_query(profile, LABEL, model_column, slices=slices)
    drift_text = drift_query(drift, parameters["drift_metric"], model_column, tuple(policy.columns), slices=slices)
    labelled = {
        _window(row): int(str(row["labelled"] or 0)) for row in _rows(workspace, warehouse, profile, labels_text, since)
    }
    performance = [_performance(row, labelled) for row in _rows(workspace, warehouse, profile, performance_text, since)]
    large = {row.window for row in performance if row.rows >= policy.minimum_rows}
    return performance, [_drift(row, large) for row in _rows(workspace, warehouse, drift, drift_text, since)]


def _rows(
    workspace: WorkspaceClient, warehouse: SqlRunner, table: str, query: str, parameters: Mapping[str, str]
) -> list[dict[str, Value]]:
    # A monitor makes its tables at its first refresh: before that there is no window, and no error.
    if not workspace.tables.exists(table).table_exists:
        return []
    result = warehouse.run(query, parameters)
    return [dict(zip(result.columns, row, strict=True)) for row in result.rows]


def _performance(row: Mapping[str, Value], labelled: Mapping[Window, int]) -> Performance:
    window = _window(row)
    return Performance(
        time=window.time,
        model_id=window.model_id,
        segment=window.segment,
        rows=int(str(row["rows"] or 0)),
        labelled=labelled.get(window, 0),
        performance_metric=_number(row["performance_metric"]),
        expected_loss=_number(row["expected_loss"]),
    )


def _drift(row: Mapping[str, Value], large: set[Window]) -> Drift:
    window = _window(row)
    before = Window(_moment(row["compared_with"]), window.model_id, window.segment)
    return Drift(
        time=window.time,
        model_id=window.model_id,
        segment=window.segment,
        column_name=str(row["column_name"]),
        drift_metric=_number(row["drift_metric"]) if before in large else None,
    )


def _window(row: Mapping[str, Value]) -> Window:
    segment = WHOLE_TABLE if row["slice_key"] is None else f"{row['slice_key']}={row['slice_value']}"
    return Window(_moment(row["time"]), str(row["Model Id"]), segment)


def _moment(value: Value) -> datetime:
    if not isinstance(value, datetime):
        raise PipelineError(f"The start of a monitor's window is {value!r}, not a timestamp.")
    return as_utc(value)


def _number(value: Value) -> float | None:
    return None if value is None else float(str(value))
