"""`python -m apps.ops`: a stack that is well, one that was changed by hand, and a machine that is not ready."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError

import pytest
import yaml
from databricks.sdk.service.serving import Route, TrafficConfig

from apps.ops.__main__ import main
from apps.ops.findings import FAILED, NOT_RUN, PASSED, UNCERTAIN
from components.outputs import StackOutputs
from tests.support.engine import PROJECT
from tests.support.example import STACK
from tests.support.principals import signed_in
from tests.support.taxi import ENDPOINT, MODEL, Taxi

PICKUPS = "main.taxi.trip_pickup_features"


@pytest.fixture(scope="module")
def taxi(deployed: Taxi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Taxi]:
    """The taxi stack, deployed, for all tests here."""
    taxi = deployed.copy(tmp_path_factory.mktemp("ops"))
    yield taxi
    taxi.server.kill()


@pytest.fixture
def at_hand(taxi: Taxi, monkeypatch: pytest.MonkeyPatch) -> Taxi:
    """The stack in the shell that `make env` describes."""
    for name, value in taxi.project.environment().items():
        monkeypatch.setenv(name, value)
    return taxi


def asked(capsys: pytest.CaptureFixture[str], taxi: Taxi, command: str, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code and document of one command."""
    folder = str(taxi.project.folder)
    code = main([command, "--project", folder, "--stack", STACK, "--json", *arguments])
    told = capsys.readouterr()
    return code, json.loads(told.out) if told.out else {"stderr": told.err}


def verdicts(document: dict[str, Any], *wanted: str) -> set[tuple[str, str]]:
    """Check and subject of the findings with one of these verdicts."""
    return {(one["check"], one["subject"]) for one in document["findings"] if one["verdict"] in wanted}


def by_check(document: dict[str, Any], check: str) -> str:
    return " | ".join(one["found"] for one in document["findings"] if one["check"] == check)


def test_what_up_has_made_is_verified_against_its_outputs(at_hand: Taxi, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = StackOutputs.model_validate(at_hand.project.outputs())
    deadline = time.monotonic() + 30
    while True:  # the smoke query's row is delivered a second later
        code, document = asked(capsys, at_hand, "verify")
        if code == PASSED or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    assert (code, verdicts(document, "fail", "unknown")) == (PASSED, set())
    assert (document["command"], document["stack"], document["exit_code"]) == ("verify", STACK, PASSED)
    looked_at = verdicts(document, "pass")
    assert looked_at >= {
        *((check, ENDPOINT) for check in ("endpoint", "versions", "traffic", "answer", "inference table")),
        ("answer", f"{ENDPOINT}/taxi_fare_regressor-1"),
        ("alias", f"{MODEL}@champion"),
        *((check, table) for table in outputs.online_table_names for check in ("online table", "lag")),
        ("deliveries", str(outputs.payload_table)),
        ("monitor", str(outputs.monitor_table)),
        *(("alert", f"{name} ({identity})") for name, identity in outputs.alert_ids.items()),
        *(("job", f"{name} ({identity})") for name, identity in outputs.job_ids.items()),
    }


def test_the_runbooks_statements_run_and_find_what_they_say(at_hand: Taxi) -> None:
    payload = "/serving-endpoints/taxi-fare-regressor-local/invocations"
    with pytest.raises(HTTPError):
        at_hand.ask({"dataframe_records": [{"pickup_zip": "no zip"}]}, payload)
    text = (PROJECT / "docs" / "operations.md").read_text()
    failed, by_minute, by_caller = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)

    def rows(statement: str) -> list[list[Any]]:
        execute = at_hand.server.client().statement_execution.execute_statement
        answer = execute(statement, "local", wait_timeout="30s")
        assert answer.status is not None
        assert answer.status.error is None, answer.status.error
        return (answer.result.data_array if answer.result else None) or []

    deadline = time.monotonic() + 30
    while not (found := rows(failed)):  # the request's row is delivered a second later
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert found[0][1] == "400"
    assert int(rows(by_minute)[0][1]) >= len(found)
    assert sum(int(row[1]) for row in rows(by_caller)) == sum(int(row[1]) for row in rows(by_minute))


def test_status_and_a_verify_without_a_query_send_only_reads(at_hand: Taxi, capsys: pytest.CaptureFixture[str]) -> None:
    before = at_hand.last_request()
    assert main(["status", "--project", str(at_hand.project.folder), "--stack", STACK]) == PASSED
    screen = capsys.readouterr().out
    assert len(screen.splitlines()) <= 40
    for words in ("taxi_fare_regressor-1 (version 1, 100 %)", "champion 1", "passed 20", "ONLINE_NO_PENDING_UPDATE"):
        assert words in screen
    asked(capsys, at_hand, "verify", "--no-query")
    # A statement on the warehouse is a POST that reads.
    assert {sent for sent in at_hand.requests_since(before) if sent[0] not in ("GET", "HEAD")} == {
        ("POST", "/api/2.0/sql/statements")
    }


def test_what_somebody_changed_by_hand_is_told_with_what_was_found_and_the_fix(
    at_hand: Taxi, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs, client = StackOutputs.model_validate(at_hand.project.outputs()), at_hand.server.client()
    served = client.serving_endpoints.get(ENDPOINT).config.served_entities  # type: ignore[union-attr]
    renamed = {**served[0].as_dict(), "name": "by-hand"}  # type: ignore[index]
    entity = {key: renamed[key] for key in ("name", "entity_name", "entity_version", "workload_size")}
    changed = {
        "served_entities": [{**entity, "scale_to_zero_enabled": True}],
        "traffic_config": TrafficConfig(routes=[Route(100, served_model_name="by-hand")]).as_dict(),
    }
    client.api_client.do("PUT", f"/api/2.0/serving-endpoints/{ENDPOINT}/config", body=changed)
    client.serving_endpoints.wait_get_serving_endpoint_not_updating(ENDPOINT)
    client.registered_models.delete_alias(MODEL, "champion")
    client.feature_store.delete_online_table(f"{PICKUPS}_online")
    client.quality_monitors.delete(str(outputs.monitor_table))
    client.alerts_v2.trash_alert(outputs.alert_ids["latency"])
    client.jobs.update(int(outputs.job_ids["unpack"]), new_settings=paused(client, outputs))
    # Rows that the other copy has not been told of.
    at_hand.server.client().statement_execution.execute_statement(
        "UPDATE main.taxi.trip_dropoff_features SET dropoff_zip = dropoff_zip WHERE dropoff_zip > 0",
        "local",
        wait_timeout="30s",
    )
    at_hand.change(lambda serving: serving["featureTables"][1].update(maxLagSeconds=0.001))

    code, document = asked(capsys, at_hand, "verify")

    assert (code, document["exit_code"]) == (FAILED, FAILED)
    alert = ("alert", f"latency ({outputs.alert_ids['latency']})")
    assert verdicts(document, "fail") >= {
        ("versions", ENDPOINT),
        ("traffic", ENDPOINT),
        ("alias", f"{MODEL}@champion"),
        ("online table", f"{PICKUPS}_online"),
        ("lag", "main.taxi.trip_dropoff_features_online"),
        ("answer", f"{ENDPOINT}/taxi_fare_regressor-1"),
        ("monitor", str(outputs.monitor_table)),
        alert,
    }
    assert ("job", f"unpack ({outputs.job_ids['unpack']})") in verdicts(document, "unknown")
    assert "by-hand: 100; the stack says taxi_fare_regressor-1: 100" in by_check(document, "traffic")
    assert "points to nothing, the stack says 1" in by_check(document, "alias")
    assert "schedule PAUSED" in by_check(document, "job")
    assert ("inference table", ENDPOINT) in verdicts(document, "pass")
    assert all(one["fix"] for one in document["findings"] if one["verdict"] == "fail")


def paused(client: Any, outputs: StackOutputs) -> Any:
    from databricks.sdk.service.jobs import CronSchedule, JobSettings, PauseStatus

    schedule = client.jobs.get(int(outputs.job_ids["unpack"])).settings.schedule
    return JobSettings(schedule=CronSchedule(schedule.quartz_cron_expression, schedule.timezone_id, PauseStatus.PAUSED))


def test_an_error_of_the_workspace_is_no_answer(at_hand: Taxi, capsys: pytest.CaptureFixture[str]) -> None:
    client = at_hand.server.client()
    rule = {"method": "GET", "path": "/api/2.0/alerts/*", "status": 500}
    client.api_client.do("POST", "/_workspace/faults", body=rule)
    try:
        _, document = asked(capsys, at_hand, "verify", "--no-query")
    finally:
        client.api_client.do("DELETE", "/_workspace/faults")
    alerts = {one["verdict"] for one in document["findings"] if one["check"] == "alert"}
    assert alerts == {"unknown"}
    assert "InternalError" in by_check(document, "alert")


def test_the_doctor_finds_everything_where_the_stack_could_be_deployed(
    at_hand: Taxi, capsys: pytest.CaptureFixture[str]
) -> None:
    at_hand.change(lambda serving: serving["model"]["aliases"].update(champion="1"))
    before = at_hand.last_request()
    code, document = asked(capsys, at_hand, "doctor")
    assert [sent for sent in at_hand.requests_since(before) if sent[0] not in ("GET", "HEAD")] == []
    assert verdicts(document, "fail") == set()
    # The model was logged on this machine: no runtime of a cluster is in it.
    assert (code, verdicts(document, "unknown")) == (UNCERTAIN, {("runtime", f"{MODEL}/1")})
    checks = {check for check, _ in verdicts(document, "pass")}
    assert checks >= {"tool", "backend", "secrets", "plugin", "workspace", "credentials", "warehouse", "catalog"}
    assert checks >= {"schema", "feature table", "model", "version", "requirements", "feature lookup"}


def test_the_doctor_names_the_missing_tool_object_and_right(
    at_hand: Taxi, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_everything(serving: dict[str, Any]) -> None:
        serving["warehouseId"] = "not-there"
        serving["featureTables"][0]["source"] = "no_such_table"
        serving["featureTables"][1]["primaryKeys"] = ["dropoff_zip", "hour"]
        serving["model"]["aliases"] = {"champion": "77"}

    at_hand.change(break_everything)
    with signed_in(at_hand.server.client()) as stranger:
        monkeypatch.setenv("DATABRICKS_TOKEN", str(stranger.client.config.token))
        monkeypatch.setenv("PATH", "/nowhere")
        code, document = asked(capsys, at_hand, "doctor", "--tool", "databricks")
        assert code == FAILED
        failed = verdicts(document, "fail")
        assert failed >= {("tool", "pulumi"), ("tool", "databricks")}
        lacking = {subject: one for one in document["findings"] if (subject := one["subject"]) and one["fix"]}
        assert f"{stranger.name} lacks USE_SCHEMA, CREATE_TABLE" in by_check(document, "schema")
        assert f"TO `{stranger.name}`" in lacking["main.taxi"]["fix"]

    monkeypatch.setenv("DATABRICKS_TOKEN", at_hand.server.token)
    code, document = asked(capsys, at_hand, "doctor")
    assert code == FAILED
    assert verdicts(document, "fail") >= {
        ("warehouse", "not-there"),
        ("feature table", "main.taxi.no_such_table"),
        ("feature table", "main.taxi.trip_dropoff_features"),
        ("version", f"{MODEL}/77"),
    }
    assert "has no column hour" in by_check(document, "feature table")


def test_a_wrong_token_ends_the_doctors_round_without_showing_it(
    at_hand: Taxi, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABRICKS_TOKEN", "not-the-token-of-anybody")
    code, document = asked(capsys, at_hand, "doctor")
    assert code == FAILED
    assert "Invalid access token" in by_check(document, "credentials")
    assert verdicts(document, "pass").isdisjoint({("catalog", "main")})
    assert "not-the-token-of-anybody" not in json.dumps(document)


def test_what_cannot_be_looked_at_is_said_within_ten_seconds(
    at_hand: Taxi, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = at_hand.project.folder / f"Pulumi.{STACK}.yaml"
    whole = file.read_text()
    started = time.monotonic()
    monkeypatch.setenv("DATABRICKS_HOST", "http://127.0.0.1:9")
    assert asked(capsys, at_hand, "verify")[0] == NOT_RUN
    code, document = asked(capsys, at_hand, "doctor")
    assert (code, "cannot be reached" in by_check(document, "workspace")) == (FAILED, True)
    assert main(["status", "--project", str(at_hand.project.folder), "--stack", "nobody"]) == NOT_RUN
    assert "Pulumi.nobody.yaml cannot be read" in capsys.readouterr().err
    undeployed = at_hand.project.folder / "outputs.json"
    undeployed.write_text("{}")
    assert main(["verify", "--project", str(at_hand.project.folder), "--outputs", str(undeployed)]) == NOT_RUN
    assert "was not deployed yet" in capsys.readouterr().err
    file.write_text(yaml.safe_dump({"config": {}}))
    assert main(["verify", "--project", str(at_hand.project.folder), "--stack", STACK]) == NOT_RUN
    file.write_text(whole)
    assert time.monotonic() - started < 30
