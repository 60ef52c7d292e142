"""The calls that deploy taxi fares, on the real engine: online tables alone, then everything, by model URI."""

from __future__ import annotations

import pytest

from apps.deploy import DeployError, create_online_tables, deploy, deploy_with_online_tables, roll_back
from tests.support.taxi import ENDPOINT, MODEL, Taxi, train

ONLINE_TABLES = {"main.taxi.trip_pickup_features_online", "main.taxi.trip_dropoff_features_online"}


def test_online_tables_alone_then_the_endpoint_by_a_model_uri_then_the_next_version_and_back(
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

    train(fresh.server, "--seed", "8")
    assert deploy_with_online_tables(f"{MODEL}/2", "local", folder=folder).status == "success"
    back = roll_back("local", folder=folder)
    assert (back.status, back.left_version, back.model_version, fresh.alias()) == ("success", "2", "1", "1")
    config = fresh.server.client().serving_endpoints.get(ENDPOINT).config
    assert config is not None
    assert [entity.entity_version for entity in config.served_entities or []] == ["1"]
