"""`SmokeQuery` on the real engine: proof before the alias moves, nothing asked twice, no move after a failure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engine import EngineProject
from tests.support.rest_stub import TOKEN, Received, Reply, RestStub, endpoint, running
from tests.support.stack_file import configure

TYPE = "pulumi-python:dynamic/serving:SmokeQuery"
ALIAS = "pulumi-python:dynamic/serving:ModelAlias"
MODEL = "main.ml.fare"
PROGRAM = """
import pulumi
from components.dynamic import (
    GoldenQuery, ModelAlias, ModelAliasArgs, SmokeCase, SmokeExpectation, SmokeQuery, SmokeQueryArgs
)

settings = pulumi.Config()
version = settings.get("version") or "1"
smoke = SmokeQuery(
    "smoke",
    SmokeQueryArgs(
        endpoint_name="taxi",
        served_entities=[f"fare-{version}"],
        queries=[
            SmokeCase(
                name="known trip",
                payload={"dataframe_records": [{"pickup_zip": 10110, "note": settings.get_secret("note") or "none"}]},
                expect=SmokeExpectation(values=[12.5], absolute_tolerance=settings.get_float("tolerance") or 0.01),
            )
        ],
        golden=[
            GoldenQuery(name="batch", sql="SELECT zip, prediction FROM main.ml.scored", warehouse_id="w1")
        ] if settings.get_bool("golden") else [],
        timeout_seconds=settings.get_float("timeout") or 60.0,
        warm_up_seconds=0.0,
        retries=0,
        triggers={"version": version},
    ),
)
alias = ModelAlias(
    "champion",
    ModelAliasArgs(model="main.ml.fare", alias="champion", version=version, evidence=smoke.digest),
)
pulumi.export("digest", smoke.digest)
pulumi.export("evidence", alias.evidence)
pulumi.export("answered_by", smoke.answered_by)
pulumi.export("queries_sent", smoke.queries_sent)
pulumi.export("golden_difference", smoke.golden_difference)
"""


@pytest.fixture
def stub() -> Iterator[RestStub]:
    made = RestStub(
        versions={MODEL: dict.fromkeys((1, 2), "READY")},
        endpoints={"taxi": [endpoint("taxi", {"fare-1": 100})]},
        answer=lambda _: (200, {"predictions": [12.5]}),
    )
    with running(made) as stub:
        yield stub


@pytest.fixture
def project(stub: RestStub, tmp_path: Path) -> EngineProject:
    return EngineProject.of_program(
        tmp_path / "project",
        PROGRAM,
        config={"databricks:host": stub.host},
        environ={"DATABRICKS_TOKEN": TOKEN, "SMOKE_REPORT_DIR": str(tmp_path / "reports")},
    )


def asked(stub: RestStub) -> list[Received]:
    return [one for one in stub.received if one.path.endswith("/invocations")]


def test_a_proof_is_asked_for_once_and_becomes_the_evidence_of_the_alias(
    project: EngineProject, stub: RestStub
) -> None:
    assert project.preview().ok
    assert asked(stub) == []
    created = project.up()
    assert created.operations() == [("create", TYPE), ("create", ALIAS)], created
    assert [one.path for one in asked(stub)] == [
        "/serving-endpoints/taxi/served-models/fare-1/invocations",
        "/serving-endpoints/taxi/invocations",
    ]
    assert asked(stub)[0].text == '{"dataframe_records":[{"pickup_zip":10110,"note":"none"}]}'
    outputs = project.outputs()
    assert outputs["evidence"] == outputs["digest"]
    assert outputs["answered_by"] == {"fare-1": "ok"}
    assert outputs["queries_sent"] == 2
    assert stub.aliases[MODEL, "champion"] == 1

    stub.forget()
    configure(project, timeout="5")
    assert project.up().operations() == []
    assert project.refresh().ok
    assert asked(stub) == []

    configure(project, tolerance="0.5")
    assert project.up().operations() == [("update", TYPE)]
    assert len(asked(stub)) == 2
    assert project.destroy().ok


def test_a_failed_proof_moves_no_alias_and_the_next_up_converges(
    project: EngineProject, stub: RestStub, tmp_path: Path
) -> None:
    assert project.up().ok
    before = project.outputs()["digest"]
    stub.endpoints["taxi"] = [endpoint("taxi", {"fare-2": 100})]
    stub.answer = lambda _: (200, {"predictions": [99.0]})
    configure(project, version="2")
    failed = project.up()
    assert not failed.ok
    assert "'known trip' to fare-2: predictions[0] is 99.0, expected 12.5 (tolerance 0.01 absolute" in failed.text
    assert ("update", ALIAS) not in failed.operations()
    assert stub.aliases[MODEL, "champion"] == 1
    (report,) = (tmp_path / "reports").iterdir()
    assert json.loads(report.read_text())["status"] == "failed"
    assert TOKEN not in failed.text + report.read_text()
    (smoke,) = [resource for resource in project.resources() if resource["type"] == TYPE]
    assert smoke["outputs"]["digest"] == before

    stub.answer = lambda _: (200, {"predictions": [12.5]})
    mended = project.up()
    assert mended.operations() == [("update", TYPE), ("update", ALIAS)], mended
    assert stub.aliases[MODEL, "champion"] == 2


def test_a_first_proof_that_fails_leaves_nothing(project: EngineProject, stub: RestStub) -> None:
    stub.answer = lambda _: (500, {"message": "Feature lookup setup failed"})
    failed = project.up()
    assert not failed.ok
    first = next(line for line in failed.text.splitlines() if "smoke queries" in line)
    assert "endpoint taxi failed 2 of 2 smoke queries: 'known trip' to fare-1: status 500, expected 200" in first
    assert "Exception calling application" not in failed.text
    assert "Databricks ML runtime" in failed.text
    assert [resource["type"] for resource in project.resources() if "dynamic/serving" in resource["type"]] == []
    assert stub.aliases == {}


def test_a_secret_in_a_payload_reaches_the_endpoint_and_nothing_else(
    project: EngineProject, stub: RestStub, tmp_path: Path
) -> None:
    secret = "planted-payload-secret"
    project.must("config", "set", "--secret", "note", secret)
    created = project.up()
    assert created.ok, created
    assert secret in asked(stub)[0].text
    stub.answer = lambda _: echo(secret)
    configure(project, tolerance="0.5")
    failed = project.up()
    assert not failed.ok
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert [file for file in files if secret.encode() in file.read_bytes()] == []
    assert secret not in created.text + failed.text


def echo(secret: str) -> Reply:
    """A server that repeats what it should not."""
    return 400, {"message": f"cannot parse record with password={secret}"}


def test_an_endpoint_that_is_gone_takes_its_proof_with_it(project: EngineProject, stub: RestStub) -> None:
    project.up()
    kept = stub.endpoints.pop("taxi")
    assert project.refresh().ok
    assert TYPE not in [resource["type"] for resource in project.resources()]
    stub.endpoints["taxi"] = kept
    assert project.up().operations() == [("create", TYPE)]


def test_golden_rows_of_a_table_are_part_of_the_proof_and_read_once(project: EngineProject, stub: RestStub) -> None:
    configure(project, golden="true")
    stub.rows = {"columns": {"zip": "INT", "prediction": "DOUBLE"}, "rows": [["10110", "12.5"]]}
    stub.answer = lambda _: (200, {"predictions": [12.5000004]})
    assert project.preview().ok
    assert [call for call in stub.calls() if "statements" in call] == []
    created = project.up()
    assert created.ok, created
    assert project.outputs()["golden_difference"]["batch"] == pytest.approx(4e-7)
    stub.forget()
    rest = project.up()
    assert rest.operations() == [], rest
    assert [call for call in stub.calls() if "statements" in call or "invocations" in call] == []

    configure(project, version="2")
    stub.endpoints["taxi"] = [endpoint("taxi", {"fare-2": 100})]
    stub.answer = lambda _: (200, {"predictions": [12.50001]})
    failed = project.up()
    assert not failed.ok
    assert "predictions[0] is 12.50001, expected 12.5 (tolerance 1e-06 absolute" in failed.text
    assert stub.aliases[MODEL, "champion"] == 1
