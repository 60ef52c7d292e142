"""The calls that deploy taxi fares, on the real engine: online tables alone, then everything, by model URI."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from apps.deploy import DeployError, create_online_tables, deploy, deploy_with_online_tables, roll_back
from apps.deploy.__main__ import REFUSED, main
from tests.support.engine import PROJECT
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


def test_an_interrupted_deployment_ends_at_a_safe_point_and_nobody_else_deploys_meanwhile(
    fresh: Taxi, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in fresh.project.environment().items():
        monkeypatch.setenv(name, value)
    folder = fresh.project.folder
    file = folder / "Pulumi.local.yaml"
    before = file.read_bytes()
    arguments = ["deploy-with-online-tables", "--model-uri", f"{MODEL}/1", "--env", "local", "--folder", str(folder)]
    # The store is made until the clock is moved.
    service = fresh.server.client().api_client
    service.do("PUT", "/_workspace/settings", body={"online_store_provisioning_seconds": 3600})
    log = folder.parent / "log"
    with log.open("w") as lines:
        first = subprocess.Popen(
            [sys.executable, "-m", "apps.deploy", *arguments],
            cwd=PROJECT,
            stdout=lines,
            stderr=lines,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 300
        while "OnlineStore features creating" not in log.read_text():
            assert first.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)

        assert main(arguments) == REFUSED
        said = capsys.readouterr()
        assert "stack local is locked: another update of it is under way" in said.err
        assert said.out == ""

        # What a terminal does with Ctrl-C: engine and caller get it alike.
        os.killpg(first.pid, signal.SIGINT)
        while "SIGINT: waiting until the engine has ended what it has begun" not in log.read_text():
            assert first.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        service.do("PUT", "/_workspace/clock", body={"advance_seconds": 3601})
        assert first.wait(120) == 1, log.read_text()
    finally:
        if first.poll() is None:
            os.killpg(first.pid, signal.SIGKILL)
            first.wait()
    text = log.read_text()
    assert '"status":"failed"' in text
    assert "Traceback" not in text
    assert file.read_bytes() == before
    assert fresh.project.resources(), "what was begun is in state"
    # No lock is left, and no operation hangs in state.
    again = fresh.project.preview()
    assert again.ok, again
    assert "pending" not in again.text
