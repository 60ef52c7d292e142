"""The calls that deploy taxi fares, on the real engine: online tables alone, then everything, by model URI."""

from __future__ import annotations

import pytest

from apps.deploy import DeployError, create_online_tables, deploy, deploy_with_online_tables, roll_back
from tests.support.taxi import ENDPOINT, MODEL, Taxi

ONLINE_TABLES = {"main.taxi.trip_pickup_features_online", "main.taxi.trip_dropoff_features_online"}


def test_online_tables_are_made_alone_and_then_the_endpoint_by_a_model_uri(
    fresh: Taxi, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in fresh.project.environment().items():
        monkeypatch.setenv(name, value)
    folder = fresh.project.folder
    with pytest.deprecated_call(), pytest.raises(DeployError, match="would make features, trip_dropoff_features"):
        deploy(f"models:/{MODEL}/1", "local", online_tables=False, folder=folder)

    states = create_online_tables("local", folder=folder)
    assert states == dict.fromkeys(ONLINE_TABLES, "ONLINE_NO_PENDING_UPDATE")
    assert list(fresh.server.client().serving_endpoints.list()) == []

    result = deploy_with_online_tables(f"{MODEL}/1", "local", folder=folder)
    assert (result.status, result.endpoint_name, result.model_version) == ("success", ENDPOINT, "1")
    assert set(result.online_tables) == ONLINE_TABLES
    assert fresh.alias() == "1"
    with pytest.raises(DeployError, match="knows no version before 1"):
        roll_back("local", folder=folder)
