"""Older and newer documents and readers, as they were: none breaks the other within a major version.

`contract/` keeps, for every version of the contract, what stacks of that time exported (`pulumi stack output --json`)
and the JSON Schema that was published then, which is what an app in another language still validates with.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from apps.client import outputs_from_json
from components.outputs import CONTRACT_VERSION, StackOutputs, outputs_schema

FOLDER = Path(__file__).parent / "contract"
DOCUMENTS = sorted(FOLDER.glob("*.outputs.json"))
SCHEMAS: dict[str, dict[str, Any]] = {
    **{file.name.removesuffix(".schema.json"): json.loads(file.read_text()) for file in FOLDER.glob("*.schema.json")},
    CONTRACT_VERSION: outputs_schema(),
}
#: 1.0 asked for keys that could be null, which the engine does not export; 1.1 mended that.
NULL_IN_1_0 = {"dashboardId", "driftMetricsTable", "monitorTable", "payloadTable", "profileMetricsTable"}


def test_every_version_of_the_contract_is_kept() -> None:
    major, _, minor = CONTRACT_VERSION.partition(".")
    versions = {f"{major}.{number}" for number in range(int(minor) + 1)}
    assert set(SCHEMAS) == versions
    assert {file.name.partition("-")[0] for file in DOCUMENTS} == versions, "keep a document of the version before"


@pytest.mark.parametrize("version", sorted(SCHEMAS))
@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: file.name.removesuffix(".outputs.json"))
def test_a_reader_of_any_version_takes_a_document_of_any_other(file: Path, version: str) -> None:
    document = json.loads(file.read_text())
    problems = [error.message for error in Draft202012Validator(SCHEMAS[version]).iter_errors(document)]
    if version == "1.0":
        problems = [one for one in problems if one.split("'")[1] not in NULL_IN_1_0]
    assert problems == []


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: file.name.removesuffix(".outputs.json"))
def test_todays_client_reads_what_stacks_of_any_time_exported(file: Path) -> None:
    document = json.loads(file.read_text())
    read = outputs_from_json(file.read_text())
    assert (read.endpoint_name, read.endpoint_url) == (document["endpointName"], document["endpointUrl"])
    assert {one.name: one.traffic_percentage for one in read.served_entities} == {
        one["name"]: one["trafficPercentage"] for one in document["servedEntities"]
    }
    assert dict(read.aliases) == document["aliases"]
    whole = StackOutputs.model_validate(document)
    assert whole.contract_version == file.name.partition("-")[0]
    # Nothing that was exported is read as something else; a stack may export more than the contract.
    back = whole.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert back == {name: value for name, value in document.items() if name in outputs_schema()["properties"]}


@pytest.mark.parametrize("version", sorted(set(SCHEMAS) - {CONTRACT_VERSION}))
def test_keys_are_only_added_and_keep_their_type_and_their_being_there(version: str) -> None:
    older, newer = SCHEMAS[version], SCHEMAS[CONTRACT_VERSION]
    assert newer.get("additionalProperties") is not False
    for name, before, now in [
        ("the document", older, newer),
        *((name, one, newer["$defs"][name]) for name, one in older["$defs"].items()),
    ]:
        assert before.get("additionalProperties") is not False, name
        assert set(before["properties"]) <= set(now["properties"]), name
        assert {key: _types(one) for key, one in before["properties"].items()} == {
            key: _types(now["properties"][key]) for key in before["properties"]
        }, name
        assert set(before["required"]) - set(now["required"]) <= NULL_IN_1_0, name
        # What is new is no demand on a document of before.
        assert {key for key in now["required"] if key not in before["properties"]} == set(), name


def _types(schema: Any) -> Any:
    """What of a property binds a reader: not its words, nor what it is when it is not there."""
    if isinstance(schema, dict):
        ignored = ("description", "default", "title")
        return {key: _types(value) for key, value in schema.items() if key not in ignored}
    return [_types(one) for one in schema] if isinstance(schema, list) else schema
