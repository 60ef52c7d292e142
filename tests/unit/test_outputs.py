"""The stack outputs are a contract: complete, typed, and readable by older and newer apps."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from components.outputs import CONTRACT_VERSION, StackOutputs, export_outputs
from tests.unit.recording import record

VALUES: dict[str, Any] = {
    "environment": "staging",
    "endpoint_name": "ep",
    "endpoint_url": "https://host/serving-endpoints/ep/invocations",
    "served_entities": [{"name": "m-1", "version": "1", "trafficPercentage": 100}],
    "model_name": "c.s.m",
    "aliases": {"champion": "1"},
    "resolved_version": "1",
    "previous_versions": {"champion": ""},
    "payload_table": "c.s.p_payload",
    "online_store_name": "store",
    "online_table_names": ["c.s.t_online"],
    "online_table_states": {"c.s.t_online": "ONLINE_NO_PENDING_UPDATE"},
    "smoke_result": {
        "status": "passed",
        "digest": "d",
        "passedAt": "2026-01-01T00:00:00Z",
        "queriesSent": 2,
        "answeredBy": {"m-1": "ok"},
        "latencyMs": {"max": 21.5, "median": 12.0, "cold_start": 900.0},
    },
    "endpoint_state": "READY",
    "feature_latency": {
        "m-1": {
            "verdict": "met",
            "percentile": 95,
            "boundMs": 3.5,
            "typicalMs": 1.25,
            "targetMs": 5,
            "measuredAt": "2026-01-01T00:00:00Z",
        }
    },
    "consumers": {"batch": {"alias": "champion", "version": "1"}},
    "monitor_table": None,
    "profile_metrics_table": None,
    "drift_metrics_table": None,
    "dashboard_id": None,
    "job_ids": {},
    "cost": None,
    "alert_ids": {},
    "release": None,
    "secret_prefixes": None,
}


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    found: dict[str, Any] = {}
    monkeypatch.setattr(pulumi, "export", found.__setitem__)
    return found


def test_what_is_exported_reads_back_as_the_document(exported: dict[str, Any]) -> None:
    record(lambda: export_outputs(VALUES))
    document = StackOutputs.model_validate(exported)
    assert document.contract_version == CONTRACT_VERSION
    assert document.served_entities[0].traffic_percentage == 100
    assert document.smoke_result.answered_by == {"m-1": "ok"}
    assert document.smoke_result.latency_ms["median"] == 12.0
    assert document.feature_latency["m-1"].bound_ms == 3.5
    assert document.consumers["batch"].version == "1"


def test_a_missing_output_stops_the_program(exported: dict[str, Any]) -> None:
    values = {key: value for key, value in VALUES.items() if key != "endpoint_url"}
    with pytest.raises(KeyError, match="endpoint_url"):
        export_outputs(values)
    assert exported == {}


def test_an_output_outside_the_contract_stops_the_program(exported: dict[str, Any]) -> None:
    with pytest.raises(KeyError, match="surprise"):
        export_outputs({**VALUES, "surprise": 1})
    assert exported == {}


def test_a_newer_document_is_read_by_an_older_app(exported: dict[str, Any]) -> None:
    export_outputs(VALUES)
    newer = {**exported, "contractVersion": "1.7", "alertIds": {"latency": "a"}}
    assert StackOutputs.model_validate(newer).endpoint_name == "ep"
