"""An inference table that is on stays where it is: another location is refused before anything is changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from components.config.errors import parse_stack_config
from components.dynamic.client import workspace_client
from components.inference_table import InferenceTableError, check_location, inference_table_of
from components.serving_endpoint import InferenceTableArgs
from tests.support.rest_stub import TOKEN, RestStub, endpoint, running
from tests.unit.stack_values import stack_values

WANTED = InferenceTableArgs(catalog="c", schema="s", prefix="taxi")


@pytest.fixture
def stub() -> Iterator[RestStub]:
    with running(RestStub()) as stub:
        yield stub


def check(stub: RestStub, live: dict[str, Any] | None, wanted: InferenceTableArgs | None = WANTED) -> None:
    if live is not None:
        stub.endpoints["fares"] = [{**endpoint("fares", {"m-1": 100}), "ai_gateway": {"inference_table_config": live}}]
    check_location("fares", wanted, workspace_client({"databricks:host": stub.host, "databricks:token": TOKEN}))


def table(**others: Any) -> dict[str, Any]:
    return {"enabled": True, "catalog_name": "c", "schema_name": "s", "table_name_prefix": "taxi", **others}


@pytest.mark.parametrize(
    "live", [None, {}, table(), table(catalog_name="C"), table(enabled=False, table_name_prefix="other")]
)
def test_a_new_endpoint_the_same_table_and_a_table_that_is_off_pass(stub: RestStub, live: dict[str, Any]) -> None:
    check(stub, live)
    assert stub.writes() == []


@pytest.mark.parametrize("other", [{"catalog_name": "x"}, {"schema_name": "x"}, {"table_name_prefix": "x"}])
def test_another_location_is_refused_with_both_and_the_way_out(stub: RestStub, other: dict[str, Any]) -> None:
    with pytest.raises(InferenceTableError, match=r"writes to .*x.*asks for c\.s\.taxi_payload.*take inferenceTable"):
        check(stub, table(**other))
    assert stub.writes() == []


def test_a_table_that_is_not_wanted_any_more_may_go(stub: RestStub) -> None:
    check(stub, table(), wanted=None)


def test_a_workspace_that_does_not_say_is_no_permission(stub: RestStub) -> None:
    stub.fail("GET", "serving-endpoints", 403, code="PERMISSION_DENIED")
    with pytest.raises(InferenceTableError, match="permission denied"):
        check(stub, table(table_name_prefix="x"))


def test_the_table_lies_in_the_stacks_schema_unless_the_file_says_otherwise() -> None:
    values = stack_values()
    assert inference_table_of(parse_stack_config(values, where="the test")) == InferenceTableArgs(
        catalog="p03", schema="e2e_demo_simon", prefix="taxi_fare_regressor_staging"
    )
    values["endpoint"]["inferenceTable"].update(catalog="logs", schema="serving")
    found = inference_table_of(parse_stack_config(values, where="the test"))
    assert found is not None
    assert found.table == "logs.serving.taxi_fare_regressor_staging_payload"
