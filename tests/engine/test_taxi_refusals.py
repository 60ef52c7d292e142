"""Bad input to the taxi stack ends in a clear error, at preview where it can be known, before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.taxi import MODEL, READS, Taxi

Serving = dict[str, Any]


@pytest.fixture(scope="module")
def shared(trained: Taxi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Taxi]:
    """One server for all previews of this module: none of them may change it."""
    taxi = trained.copy(tmp_path_factory.mktemp("refusals"))
    execute = taxi.server.client().statement_execution.execute_statement
    execute("CREATE TABLE main.taxi.keyless (zip INT NOT NULL, fare DOUBLE)", "local")
    yield taxi
    taxi.server.kill()


def stays_at_90(serving: Serving) -> None:
    serving["endpoint"]["entities"] = [{"version": "1", "traffic": 90}]


def unknown_alias(serving: Serving) -> None:
    serving["endpoint"]["entities"][0]["alias"] = "chalenger"


def observed_alias_nobody_set(serving: Serving) -> None:
    serving["model"]["aliases"]["challenger"] = "observed"


def two_part_model(serving: Serving) -> None:
    serving["model"]["name"] = "taxi.taxi_fare_regressor"


def missing_model(serving: Serving) -> None:
    serving["model"]["name"] = "main.taxi.no_such_model"


def missing_version(serving: Serving) -> None:
    serving["model"]["aliases"]["champion"] = "99"


def missing_source(serving: Serving) -> None:
    serving["featureTables"][0]["source"] = "no_such_features"


def source_without_key(serving: Serving) -> None:
    serving["featureTables"][0].update(source="keyless", primaryKeys=["zip"])


def other_key_order(serving: Serving) -> None:
    serving["featureTables"][0]["primaryKeys"].reverse()


def auto_capture(serving: Serving) -> None:
    serving["endpoint"]["autoCaptureConfig"] = {"catalogName": "main", "schemaName": "taxi", "enabled": True}


@pytest.mark.parametrize(
    ("edit", "messages"),
    [
        (stays_at_90, ["endpoint.entities", "adds up to 90", "total 100"]),
        (unknown_alias, ["unknown alias 'chalenger'", "champion"]),
        (observed_alias_nobody_set, ["has no alias 'challenger'", "set it first"]),
        (two_part_model, ["model.name", "'taxi.taxi_fare_regressor' has 2 parts instead of three"]),
        (missing_model, ["registered model main.taxi.no_such_model does not exist", "train and register it first"]),
        (missing_version, ["has no version 99", "versions: 1"]),
        (missing_source, ["main.taxi.no_such_features", "does not exist"]),
        (source_without_key, ["main.taxi.keyless", "PRIMARY KEY"]),
        (other_key_order, ["rounded_pickup_datetime", "pickup_zip"]),
        (auto_capture, ["endpoint.autoCaptureConfig", "use endpoint.inferenceTable"]),
    ],
)
def test_preview_refuses_and_names_what_where_and_the_fix(
    shared: Taxi, tmp_path: Path, edit: Callable[[Serving], None], messages: list[str]
) -> None:
    taxi = Taxi.new(shared.server, tmp_path / "project")
    taxi.change(edit)
    before = taxi.last_request()
    outcome = taxi.project.preview()
    assert outcome.exit_code != 0, outcome
    for message in messages:
        assert message in outcome.text, outcome
    assert "Traceback" not in outcome.text, outcome
    assert {method for method, _ in taxi.requests_since(before)} <= READS


def test_a_wrong_token_is_refused_without_showing_it(shared: Taxi, tmp_path: Path) -> None:
    taxi = Taxi.new(shared.server, tmp_path / "project")
    taxi.project.environ = {**taxi.project.environ, "DATABRICKS_TOKEN": "dapi-planted-and-wrong"}
    outcome = taxi.project.preview()
    assert outcome.exit_code != 0
    assert "Unauthenticated" in outcome.text, outcome
    assert "Check DATABRICKS_TOKEN" in outcome.text
    assert "dapi-planted-and-wrong" not in outcome.text


def test_an_unreachable_host_ends_in_an_error_that_names_it(shared: Taxi, tmp_path: Path) -> None:
    taxi = Taxi.new(shared.server, tmp_path / "project")
    taxi.project.environ = {**taxi.project.environ, "DATABRICKS_HOST": "http://127.0.0.1:9"}
    outcome = taxi.project.preview()
    assert outcome.exit_code != 0
    assert "the workspace at http://127.0.0.1:9 cannot be reached" in outcome.text, outcome


def test_the_local_stack_refuses_a_host_that_is_not_this_machine(shared: Taxi, tmp_path: Path) -> None:
    taxi = Taxi.new(shared.server, tmp_path / "project")
    taxi.project.environ = {**taxi.project.environ, "DATABRICKS_HOST": "https://workspace.example"}
    outcome = taxi.project.preview()
    assert outcome.exit_code != 0
    assert "reaches this machine only, but the host is https://workspace.example" in outcome.text, outcome


def test_a_wrong_expected_value_fails_the_up_and_the_alias_stays_until_it_is_corrected(fresh: Taxi) -> None:
    right: list[dict[str, Any]] = []

    def expect_nonsense(serving: Serving) -> None:
        query = serving["smoke"]["queries"][0]
        right.append(dict(query))
        query["expect"] = {"values": [-1.0], "tolerance": 0.01}

    def expect_what_is_right(serving: Serving) -> None:
        serving["smoke"]["queries"][0] = right[0]

    fresh.change(expect_nonsense)
    failed = fresh.project.up()
    assert failed.exit_code != 0
    assert "expected -1 (tolerance 0.01" in failed.text, failed
    assert fresh.server.client().registered_models.get(MODEL, include_aliases=True).aliases in (None, [])

    fresh.change(expect_what_is_right)
    corrected = fresh.project.up()
    assert corrected.ok, corrected
    assert fresh.alias() == "1"
