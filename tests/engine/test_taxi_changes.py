"""Changes to a running stack: what serves goes on serving, and nothing is promoted on an old proof."""

from __future__ import annotations

from typing import Any

import pytest

from apps.deploy import roll_back
from tests.support.taxi import ENDPOINT, READS, Taxi

Serving = dict[str, Any]


# Under the same entity name, so that only the version tells what has to be proven again.
def test_a_new_version_is_asked_before_the_alias_moves_and_taken_back_by_one_command(
    outdated: Taxi, monkeypatch: pytest.MonkeyPatch
) -> None:
    def name_the_entity(serving: Serving) -> None:
        serving["model"]["aliases"]["champion"] = "1"
        serving["endpoint"]["entities"][0]["name"] = "fares"

    def serve_the_second(serving: Serving) -> None:
        serving["model"]["aliases"]["champion"] = "2"

    outdated.change(name_the_entity)
    named = outdated.project.up()
    assert named.ok, named
    outdated.change(serve_the_second)
    before = outdated.last_request()
    moved = outdated.project.up()
    assert moved.ok, moved
    paths = [path for method, path in outdated.requests_since(before) if method not in READS]
    asked = paths.index(f"/serving-endpoints/{ENDPOINT}/served-models/fares/invocations")
    assert asked < max(number for number, path in enumerate(paths) if "/aliases/champion" in path)
    assert outdated.alias() == "2"

    for name, value in outdated.project.environment().items():
        monkeypatch.setenv(name, value)
    back = roll_back("local", folder=outdated.project.folder)
    assert (back.status, back.left_version, back.model_version, outdated.alias()) == ("success", "2", "1", "1")
    config = outdated.server.client().serving_endpoints.get(ENDPOINT).config
    assert config is not None
    assert [entity.entity_version for entity in config.served_entities or []] == ["1"]


def test_an_inference_table_is_not_moved_while_it_is_on(running: Taxi) -> None:
    running.change(lambda serving: serving["endpoint"]["inferenceTable"].update(prefix="elsewhere"))
    before = running.last_request()
    outcome = running.project.preview()
    assert outcome.exit_code != 0, outcome
    assert "main.taxi.taxi_fare_regressor_local_payload" in outcome.text, outcome
    assert "main.taxi.elsewhere_payload" in outcome.text, outcome
    assert "Traceback" not in outcome.text, outcome
    assert {method for method, _ in running.requests_since(before)} <= READS


def test_an_endpoint_under_a_new_name_answers_before_the_old_one_goes(running: Taxi) -> None:
    def rename(serving: Serving) -> None:
        serving["endpoint"]["name"] = "fares"
        serving["endpoint"]["inferenceTable"]["prefix"] = "fares"

    running.change(rename)
    before = running.last_request()
    outcome = running.project.up()
    assert outcome.ok, outcome
    sent = running.requests_since(before)
    made = sent.index(("POST", "/api/2.0/serving-endpoints"))
    asked = sent.index(("POST", "/serving-endpoints/fares/invocations"))
    gone = sent.index(("DELETE", f"/api/2.0/serving-endpoints/{ENDPOINT}"))
    assert made < asked < gone
    assert [endpoint.name for endpoint in running.server.client().serving_endpoints.list()] == ["fares"]
    tables = {table.name for table in running.server.client().tables.list("main", "taxi")}
    assert "fares_unpacked" in tables
    assert "taxi_fare_regressor_local_unpacked" not in tables
    again = running.project.up()
    assert again.operations() == [], again


def test_an_inference_table_and_its_monitor_can_be_taken_out_and_put_in_elsewhere(running: Taxi) -> None:
    taken: dict[str, Any] = {}

    def take_out(serving: Serving) -> None:
        # Alerts ask the inference table and the monitor, so they go with them.
        taken.update({name: serving.pop(name) for name in ("monitor", "alerts")})
        taken["table"] = serving["endpoint"].pop("inferenceTable")

    def put_in(serving: Serving) -> None:
        serving.update({name: taken[name] for name in ("monitor", "alerts")})
        serving["endpoint"]["inferenceTable"] = {"prefix": "elsewhere"}

    running.change(take_out)
    without = running.project.up()
    assert without.ok, without
    running.change(put_in)
    elsewhere = running.project.up()
    assert elsewhere.ok, elsewhere
    assert running.project.outputs()["payloadTable"] == "main.taxi.elsewhere_payload"
    again = running.project.up()
    assert again.operations() == [], again


def test_notifications_follow_the_stack_file_and_a_new_description_is_refused_at_preview(running: Taxi) -> None:
    def tell(serving: Serving) -> None:
        serving["endpoint"].update(
            name="told", description="fares", notifications={"onFailure": ["a@example.com"]}, usageTracking=True
        )
        serving["endpoint"]["inferenceTable"]["prefix"] = "told"
        serving["endpoint"]["limits"] = [{"calls": 500}, {"calls": 50, "key": "user"}]

    def live() -> Any:
        return running.server.client().serving_endpoints.get("told")

    running.change(tell)
    made = running.project.up()
    assert made.ok, made
    assert live().email_notifications.on_update_failure == ["a@example.com"]
    assert [limit.calls for limit in live().ai_gateway.rate_limits] == [500, 50]

    running.change(lambda serving: serving["endpoint"]["notifications"].update(onFailure=["b@example.com"]))
    told = running.project.up()
    assert told.ok, told
    assert told.operations() == [("update", "pulumi-python:dynamic/serving:EndpointSettings")]
    assert live().email_notifications.on_update_failure == ["b@example.com"]

    running.change(lambda serving: serving["endpoint"].update(description="rides"))
    refused = running.project.preview()
    assert refused.exit_code != 0, refused
    assert "was made with description 'fares'" in refused.text, refused
