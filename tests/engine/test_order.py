"""What waits for what, as the engine has it in state: nobody is served before features, nothing moves before proof."""

from __future__ import annotations

import pytest

from tests.support.taxi import Taxi

Graph = dict[str, set[str]]


@pytest.fixture(scope="module")
def waits_for(deployed: Taxi) -> Graph:
    """Resource (`Type name`) to all that it waited for, directly or not; its parent's dependencies are its own."""
    direct: Graph = {}
    for one in deployed.project.resources():
        direct[short(one["urn"])] = {short(urn) for urn in one.get("dependencies") or []}
    whole = {name: set(found) for name, found in direct.items()}
    for _ in direct:
        for name, found in whole.items():
            whole[name] = found | {further for one in found for further in whole.get(one, set())}
    return whole


def short(urn: str) -> str:
    kind, name = urn.rpartition("::")[0].rpartition(":")[2], urn.rpartition("::")[2]
    return f"{kind} {name}"


def test_tables_come_before_the_endpoint_its_proof_before_the_alias_and_the_watch_after_it(waits_for: Graph) -> None:
    tables = {"PublishedTable trip_pickup_features", "PublishedTable trip_dropoff_features"}
    assert "OnlineStore features" in waits_for["PublishedTable trip_pickup_features"]
    assert tables <= waits_for["ModelServing taxi-fare"]
    assert {"ModelServing taxi-fare", *tables} <= waits_for["SmokeQuery smoke"]
    assert "SmokeQuery smoke" in waits_for["ModelAlias champion"]
    assert "ModelServing taxi-fare" in waits_for["QualityMonitor monitor"]
    assert "SqlTable monitor-table" in waits_for["QualityMonitor monitor"]
    assert "ModelServing taxi-fare" in waits_for["AlertV2 alerts-availability"]
    assert "QualityMonitor monitor" in waits_for["AlertV2 alerts-drift-prediction"]
    assert "SmokeQuery smoke" not in waits_for["ModelServing taxi-fare"]
