"""A stack file's smoke suite: queries from the file and beside it, golden rows, and what cannot be asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from components.config import SmokeConfig, StackConfig
from components.dynamic import GoldenQuery
from components.smoke import SmokeSuiteError, check_suite, golden_queries, smoke_cases
from tests.unit.stack_values import stack_values

PAYLOAD = {"dataframe_records": [{"zip": 10110}]}


def smoke(**values: Any) -> SmokeConfig:
    return SmokeConfig.model_validate(values)


def test_every_expectation_of_the_stack_file_reaches_the_case() -> None:
    expect = {
        "status": 200,
        "predictions": 1,
        "requiredFields": ["fare"],
        "schema": {"fare": "number"},
        "values": [{"fare": 7.5}],
        "tolerance": 0.1,
        "relativeTolerance": 0.01,
        "maxLatencyMs": 900.0,
        "latency": {"p50Ms": 100.0, "p95Ms": 300.0, "p99Ms": 400.0, "samples": 299},
    }
    (case,) = smoke_cases(smoke(queries=[{"name": "q", "payload": PAYLOAD, "expect": expect}]))
    got = case.expect
    assert (got.status, got.predictions_count, got.required_fields) == (200, 1, ["fare"])
    assert (got.field_types, got.values) == ({"fare": "number"}, [{"fare": 7.5}])
    assert (got.absolute_tolerance, got.relative_tolerance, got.max_latency_ms) == (0.1, 0.01, 900.0)
    assert (got.max_percentile_ms, got.samples) == ({"50": 100.0, "95": 300.0, "99": 400.0}, 299)


def test_queries_of_files_come_after_those_of_the_stack_file(tmp_path: Path) -> None:
    file = tmp_path / "more.json"
    file.write_text(json.dumps([{"name": "b", "payload": PAYLOAD, "expect": {"status": 400}}]))
    first, second = smoke_cases(smoke(queries=[{"name": "a", "payload": PAYLOAD}], files=[str(file)]))
    assert (first.name, second.name, second.payload, second.expect.status) == ("a", "b", PAYLOAD, 400)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "No such file"),
        ("{", "holds no queries"),
        ("[]", "empty list"),
        ('[{"name": "a"}]', "payload"),
        ('[{"name": "a", "payload": {}, "expcet": {}}]', "expcet"),
    ],
)
def test_a_file_without_queries_is_refused(tmp_path: Path, text: str | None, says: str) -> None:
    file = tmp_path / "more.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SmokeSuiteError, match=says) as caught:
        smoke_cases(smoke(files=[str(file)]))
    assert str(file) in str(caught.value)


def test_golden_rows_come_from_a_file_at_once_and_from_a_table_later(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    file.write_text(json.dumps([{"zip": 10110, "fare": 7.25}]))
    config = smoke(
        golden=[
            {"name": "rows", "file": str(file), "expected": "fare", "version": 15},
            {"name": "table", "sql": "SELECT * FROM main.ml.scored ORDER BY zip", "tolerance": 0.5},
        ]
    )
    (case,) = smoke_cases(config)
    assert (case.name, case.payload, case.expect.values, case.version) == ("rows", PAYLOAD, [7.25], "15")
    assert golden_queries(config, "w1") == [
        GoldenQuery(name="table", sql="SELECT * FROM main.ml.scored ORDER BY zip", warehouse_id="w1", tolerance=0.5)
    ]


def test_golden_rows_that_are_no_rows_are_refused_with_the_setting(tmp_path: Path) -> None:
    with pytest.raises(SmokeSuiteError, match=r"smoke.golden: golden rows: .* holds no rows"):
        smoke_cases(smoke(golden=[{"name": "rows", "file": str(tmp_path / "none.json")}]))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "asks nothing"),
        ({"golden": [{"name": "g"}]}, "exactly one of `file` and `sql`"),
        ({"golden": [{"name": "g", "file": "a", "sql": "b"}]}, "exactly one of `file` and `sql`"),
        ({"golden": [{"name": "g", "file": "a", "version": "x"}]}, "whole number"),
        ({"golden": [{"name": "g", "file": "a", "tolerance": -1.0}]}, "greater than or equal to 0"),
        ({"files": ["a"], "retries": -1}, "greater than or equal to 0"),
        ({"files": ["a"], "retryStatuses": []}, "at least 1"),
        ({"files": ["a"], "retrySeconds": 0.0}, "greater than 0"),
    ],
)
def test_a_suite_that_cannot_be_asked_is_refused(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        smoke(**values)


@pytest.mark.parametrize("golden", [{"sql": "SELECT 1"}, {"file": "rows.json", "version": "15"}])
def test_a_release_takes_golden_rows_of_files_for_any_version_only(golden: dict[str, str]) -> None:
    values = stack_values()
    values["smoke"]["golden"] = [{"name": "batch", **golden}]
    check_suite(StackConfig.model_validate(values))
    values["endpoint"]["entities"] = [{"alias": "champion", "traffic": 100}]
    values["endpoint"]["rollout"] = {}
    with pytest.raises(SmokeSuiteError, match=r"'batch': with endpoint\.rollout, golden rows come from a file"):
        check_suite(StackConfig.model_validate(values))
    values["smoke"]["golden"] = [{"name": "batch", "file": "rows.json"}]
    check_suite(StackConfig.model_validate(values))
