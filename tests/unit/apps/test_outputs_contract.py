"""Apps and stacks are released at different times: either side may be the older one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from apps.client import OutputsError, ServingOutputs, outputs_from_json
from apps.client.outputs import CONTRACT_MAJOR
from components.outputs import CONTRACT_VERSION, StackOutputs, outputs_schema

SCHEMAS = Path(__file__).parents[3] / "docs" / "schemas"

DOCUMENT: dict[str, Any] = {
    "contractVersion": "1.0",
    "environment": "prod",
    "endpointName": "ep",
    "endpointUrl": "https://host/serving-endpoints/ep/invocations",
    "servedEntities": [{"name": "m-3", "version": "3", "trafficPercentage": 100}],
    "modelName": "c.s.m",
    "resolvedVersion": "3",
    "aliases": {"champion": "3"},
}


def test_the_client_reads_the_contract_that_stacks_write() -> None:
    assert int(CONTRACT_VERSION.partition(".")[0]) == CONTRACT_MAJOR
    written = {field.alias for field in StackOutputs.model_fields.values()}
    read = {field.alias for field in ServingOutputs.model_fields.values()}
    assert read <= written


def test_the_published_schema_is_the_one_that_the_code_has() -> None:
    published = json.loads((SCHEMAS / "stack-outputs.schema.json").read_text())
    assert published == outputs_schema(), "run `python -m components.schemas docs/schemas`"


def test_a_newer_document_is_read_and_what_it_adds_is_passed_over() -> None:
    newer = {**DOCUMENT, "contractVersion": "1.9", "rollout": {"stage": "done"}}
    assert ServingOutputs.read(newer).endpoint_name == "ep"


def test_an_older_document_without_later_keys_is_read() -> None:
    older = {key: DOCUMENT[key] for key in ("contractVersion", "endpointName", "endpointUrl")}
    assert ServingOutputs.read(older).served_entities == ()


@pytest.mark.parametrize(("version", "remedy"), [("2.0", "update the client"), ("0.9", "update the stack")])
def test_another_major_version_is_refused_with_the_side_that_has_to_move(version: str, remedy: str) -> None:
    with pytest.raises(OutputsError, match=remedy):
        ServingOutputs.read({**DOCUMENT, "contractVersion": version})


def test_every_wrong_key_is_named_at_once() -> None:
    with pytest.raises(OutputsError, match=r"endpointUrl.*servedEntities\.0\.trafficPercentage"):
        ServingOutputs.read(
            {
                "contractVersion": "1.0",
                "endpointName": "ep",
                "servedEntities": [{"name": "m-3", "version": "3", "trafficPercentage": "most"}],
            }
        )


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"endpointUrl": "x"}'])
def test_what_is_no_serving_stack_is_refused(text: str) -> None:
    with pytest.raises(OutputsError):
        outputs_from_json(text)
