"""Findings: what makes which exit code, what an error is worth, and what the outputs alone can tell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from databricks.sdk.errors import InternalError, NotFound

from apps.ops import serving_checks, verify
from apps.ops.findings import (
    FAILED,
    NOT_RUN,
    PASSED,
    UNCERTAIN,
    Finding,
    OpsError,
    Verdict,
    as_json,
    as_text,
    exit_code,
    run,
)
from apps.ops.stack import StackFile, outputs_of_file


def finding(verdict: Verdict) -> Finding:
    return Finding("traffic", "ep", verdict, "as found", "the fix")


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([], NOT_RUN),
        (["pass", "pass"], PASSED),
        (["pass", "unknown"], UNCERTAIN),
        (["unknown", "fail", "pass"], FAILED),
    ],
)
def test_the_worst_verdict_is_the_exit_code(verdicts: list[Verdict], code: int) -> None:
    findings = [finding(verdict) for verdict in verdicts]
    assert exit_code(findings) == code
    assert json.loads(as_json("verify", "prod", findings))["exit_code"] == code


def test_a_fix_is_told_where_something_is_wrong_and_only_there() -> None:
    text = as_text([finding("pass"), finding("fail")])
    assert text.count("-> the fix") == 1
    assert text.splitlines()[-1] == "1 passed, 1 failed, 0 not known"
    assert "the fix" not in as_text([finding("fail")], fixes=False)


@pytest.mark.parametrize(
    ("error", "verdict"),
    [(NotFound("no such thing"), "fail"), (InternalError("boom"), "unknown"), (TimeoutError(), "unknown")],
)
def test_only_not_there_is_an_answer_and_what_was_found_before_an_error_stays(error: Exception, verdict: str) -> None:
    def look() -> Iterator[Finding]:
        yield finding("pass")
        raise error

    first, second = run("alert", "latency", look)
    assert first == finding("pass")
    assert (second.check, second.subject, second.verdict) == ("alert", "latency", verdict)
    assert second.fix


@pytest.mark.parametrize(("measured", "verdict"), [("met", "pass"), ("unproven", "unknown")])
def test_lookups_are_told_as_the_deployment_measured_them(measured: str, verdict: str) -> None:
    figures = {
        "verdict": measured,
        "percentile": 95,
        "boundMs": 4.5,
        "typicalMs": 1.5,
        "targetMs": 5,
        "measuredAt": "t",
    }
    (found,) = serving_checks.lookups({"endpointName": "ep", "featureLatency": {"m-1": figures}})
    assert (found.subject, found.verdict) == ("ep/m-1", verdict)
    assert found.found == "p95 at most 4.5 ms, typically 1.5 ms, target 5 ms (t)"
    assert list(serving_checks.lookups({"endpointName": "ep"})) == []


def test_a_table_of_an_external_database_is_left_to_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def online(_: object, table: str, *__: object) -> Any:
        asked.append(table)
        return list

    monkeypatch.setattr(verify, "_online", online)
    nothing = SimpleNamespace(endpoint=lambda *_: [], aliases=lambda *_: [], lookups=lambda *_: [])
    monkeypatch.setattr(verify, "serving_checks", nothing)
    outputs: dict[str, Any] = {
        "endpointName": "ep",
        "modelName": "c.s.m",
        "onlineTableNames": ["feature_store.online_feature_table", "c.s.trips_online"],
    }
    client: Any = SimpleNamespace()
    assert verify.verify(StackFile(Path(), "p", "s", {}, None, Path()), outputs, client, query=False) == []
    assert asked == ["c.s.trips_online"]


def test_the_endpoint_is_asked_with_the_test_payloads_of_a_project_that_has_its_requests_in_files() -> None:
    folder = Path(__file__).parents[3] / "examples" / "taxi_e2e"
    single, batch = StackFile.read(folder, "local").queries
    assert (single["name"], len(single["payload"]["dataframe_records"])) == ("single", 1)
    assert (batch["name"], len(batch["payload"]["dataframe_records"])) == ("batch", 3)
    # Queries of the stack file come first; files that are not there are none.
    own = {"smoke": {"queries": [{"name": "mine", "payload": {}}]}, "testPayloads": {"single": "nowhere.json"}}
    assert [one["name"] for one in StackFile(folder, "p", "s", own, None, Path()).queries] == ["mine", "batch"]
    assert StackFile(Path("nowhere"), "p", "s", {}, None, Path()).queries == []


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "was not deployed yet"),
        ({"endpointName": "ep"}, "contractVersion is 'missing'"),
        ({"endpointName": "ep", "endpointUrl": "u", "contractVersion": "2.0"}, "update the client"),
    ],
)
def test_outputs_of_another_contract_are_not_looked_at(document: Any, said: str, tmp_path: Path) -> None:
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(document))
    with pytest.raises(OpsError, match=said):
        outputs_of_file(file)
