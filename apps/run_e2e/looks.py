"""Looks at what was deployed: predictions, health, latency, and the online copies of features."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from databricks.sdk.errors import NotFound

from apps.deploy.project import DeployError, Say
from apps.run_e2e.phases import PhaseError

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

ONLINE = ("SYNCED_TABLE_ONLINE", "SYNCED_TABLED_ONLINE", "ONLINE")
SAMPLES = 20


def records_of(folder: Path, settings: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The records of a test payload of the stack file. Raises DeployError where the file holds none."""
    defaults = {"single": "test_single_prediction.json", "batch": "test_batch_predictions.json"}
    stated = (settings.get("testPayloads") or {}).get(name, f"serving/config/{defaults[name]}")
    file = folder / str(stated)
    try:
        records = json.loads(file.read_text(encoding="utf-8"))["dataframe_records"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DeployError(
            f"test payload {file} has no dataframe_records ({type(error).__name__}: {error}); correct the file"
        ) from None
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records) or not records:
        raise DeployError(f"test payload {file}: dataframe_records is no list of objects; correct the file")
    return records


def predictions(client: WorkspaceClient, endpoint: str, records: Sequence[dict[str, Any]]) -> list[float]:
    """One number for each record, by REST. Raises PhaseError for any other answer."""
    answer = client.serving_endpoints.query(endpoint, dataframe_records=list(records)).predictions
    numbers = [one for one in answer or [] if isinstance(one, int | float) and not isinstance(one, bool)]
    if len(numbers) != len(records) or len(numbers) != len(answer or []):
        raise PhaseError(f"endpoint {endpoint} answered {len(records)} records with {answer!r}, not a number for each")
    return [float(number) for number in numbers]


def latency_ms(client: WorkspaceClient, endpoint: str, records: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Milliseconds of single requests in a row, as this machine sees them; of so few no more than p90 is said."""
    took = []
    for _ in range(SAMPLES):
        began = time.perf_counter()
        client.serving_endpoints.query(endpoint, dataframe_records=list(records))
        took.append((time.perf_counter() - began) * 1_000)
    return {
        "requests": float(SAMPLES),
        "p50": round(statistics.median(took), 1),
        "p90": round(statistics.quantiles(took, n=10)[-1], 1),
        "largest": round(max(took), 1),
    }


def health(client: WorkspaceClient, endpoint: str, version: str) -> str:
    """The endpoint's state, which is READY, with the version deployed. Raises PhaseError."""
    found = client.serving_endpoints.get(endpoint)
    ready = found.state.ready.value if found.state and found.state.ready else "UNKNOWN"
    update = found.state.config_update.value if found.state and found.state.config_update else "UNKNOWN"
    if (ready, update) != ("READY", "NOT_UPDATING"):
        raise PhaseError(f"endpoint {endpoint} is {ready}, its configuration {update}; look at its events")
    entities = (found.config.served_entities if found.config else None) or []
    served = {
        str(entity.entity_version): entity.state.deployment.value
        for entity in entities
        if entity.state and entity.state.deployment
    }
    # Scaled to zero is healthy: the predictions before have woken it, and it goes to sleep again by itself.
    if served.get(version) not in ("DEPLOYMENT_READY", "DEPLOYMENT_SCALED_TO_ZERO"):
        raise PhaseError(f"endpoint {endpoint} does not serve version {version}: {served or 'nothing is deployed'}")
    return ready


def tables_exist(client: WorkspaceClient, names: Sequence[str]) -> None:
    """Raises PhaseError for a table that is not there."""
    if missing := [name for name in names if not client.tables.exists(name).table_exists]:
        raise PhaseError(f"{', '.join(missing)} not there: run without --skip-features once")


def online_states(client: WorkspaceClient, names: Sequence[str], tell: Say) -> dict[str, str]:
    """State of every online table; each is online.

    Read from its entry as a synced table, which online stores on Lakebase have (an assumption: databricks-sdk has no
    call for the state of a published table).

    Raises:
        PhaseError: one is missing, or not online.
    """
    states: dict[str, str] = {}
    for name in names:
        try:
            status = client.database.get_synced_database_table(name).data_synchronization_status
        except NotFound:
            states[name] = "MISSING"
            continue
        states[name] = status.detailed_state.value if status and status.detailed_state else "UNKNOWN"
    for name, state in states.items():
        tell(f"online table {name}: {state}")
    if wrong := {name: state for name, state in states.items() if not state.startswith(ONLINE)}:
        raise PhaseError(
            "online tables are not online: "
            + ", ".join(f"{name} is {state}" for name, state in wrong.items())
            + "; look at their pipelines, then run again"
        )
    return states
