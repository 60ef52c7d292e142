"""Remedies on the real engine: only where the level says so, only what is missing, and secrets stay secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pulumi_policy import EnforcementLevel, PolicyResourceOptions, ResourceValidationArgs, ResourceValidationPolicy
from pulumi_policy.deserialize import deserialize_properties, serialize_properties

from policies.cost import required_tags_are_set
from policies.endpoints import MODEL_SERVING
from policies.jobs import JOB
from policies.report.findings import report_of
from policies.rule import ResourceRule
from policies.serving import scale_to_zero_is_explicit
from tests.policies.judging import UNKNOWN, Declared
from tests.support.engine import PROJECT, EngineProject, Outcome

VALUES = {"values": {"environment": "prod", "owner": "ml", "cost_center": "taxi"}}
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": "planted"}
"""A secret as the engine sends it."""


def remedied(
    rule: ResourceRule, properties: dict[str, Any], kind: str = MODEL_SERVING, config: Any = None, stack: str = "prod"
) -> Any:
    """What the engine gets back; None where nothing is changed."""
    declared = Declared(kind, properties, stack=stack)
    for policy in rule.policies():
        assert isinstance(policy, ResourceValidationPolicy)
        assert policy.enforcement_level is not EnforcementLevel.REMEDIATE, "nobody asked for it"
        options: PolicyResourceOptions = declared.options
        props = deserialize_properties(properties, True)
        args = ResourceValidationArgs(kind, props, declared.urn, declared.name, options, None, config)
        changed: Any = policy.remediate(args)
        if changed is not None:
            return serialize_properties(changed)
    return None


def test_missing_tags_are_added_behind_those_that_are_there_and_secrets_stay_secret() -> None:
    tags = [{"key": "owner", "value": SECRET}, {"key": "other", "value": "x"}]
    changed = remedied(required_tags_are_set, {"name": "e", "token": SECRET, "tags": tags}, config=VALUES)
    assert changed["token"] == SECRET
    assert changed["tags"] == [
        *tags,
        {"key": "environment", "value": "prod"},
        {"key": "cost_center", "value": "taxi"},
    ]


def test_tags_are_added_where_there_are_none_in_the_form_of_the_type() -> None:
    three = [{"key": key, "value": value} for key, value in VALUES["values"].items()]
    assert remedied(required_tags_are_set, {"name": "e"}, config=VALUES)["tags"] == three
    assert remedied(required_tags_are_set, {"name": "j"}, JOB, VALUES)["tags"] == VALUES["values"]
    changed = remedied(required_tags_are_set, {"tags": {"owner": "me"}}, JOB, VALUES)
    assert changed["tags"] == {**VALUES["values"], "owner": "me"}


@pytest.mark.parametrize("tags", [UNKNOWN, [{"key": UNKNOWN, "value": "x"}], [UNKNOWN]])
def test_tags_that_are_not_known_yet_are_left_alone(tags: Any) -> None:
    assert remedied(required_tags_are_set, {"name": "e", "tags": tags}, config=VALUES) is None


def test_without_values_there_is_nothing_to_add() -> None:
    assert remedied(required_tags_are_set, {"name": "e"}) is None


def test_a_waived_resource_is_left_alone() -> None:
    waiver = {"e": {"reason": "made elsewhere", "owner": "ml", "until": "9999-12-31"}}
    assert remedied(required_tags_are_set, {"name": "e"}, config={**VALUES, "waivers": waiver}) is None


def serving(*entities: Any) -> dict[str, Any]:
    return {"name": "e", "config": {"servedEntities": list(entities)}}


@pytest.mark.parametrize(("stack", "scales"), [("prod", False), ("staging", True)])
def test_scale_to_zero_is_said_as_the_pack_wants_it_in_the_stack(stack: str, scales: bool) -> None:
    silent = {"entityName": "c.s.m", "entityVersion": "1", "environmentVars": SECRET}
    said = {**silent, "scaleToZeroEnabled": not scales}
    changed = remedied(scale_to_zero_is_explicit, serving(silent, said), stack=stack)
    assert changed["config"]["servedEntities"] == [{**silent, "scaleToZeroEnabled": scales}, said]


@pytest.mark.parametrize(
    "entity",
    [
        {"entityName": "system.ai.llama", "entityVersion": "1"},
        {"externalModel": {"name": "gpt-4"}},
        {"entityName": UNKNOWN, "entityVersion": "1"},
        UNKNOWN,
    ],
)
def test_entities_that_may_not_be_ones_own_are_left_alone(entity: Any) -> None:
    assert remedied(scale_to_zero_is_explicit, serving(entity)) is None


PROGRAM = """
import pulumi

class Raw(pulumi.CustomResource):
    pass

entity = {"name": "m", "entityName": "c.s.m", "entityVersion": "1",
          "environmentVars": {"GREETING": pulumi.Output.secret("planted-secret")}}
routes = [{"servedEntityName": "m", "trafficPercentage": 100}]
Raw("databricks:index/modelServing:ModelServing", "endpoint",
    {"name": "fares-staging", "config": {"servedEntities": [entity], "trafficConfig": {"routes": routes}}})
"""
CONFIG = {
    "required-tags-are-set-in-trials": {"enforcementLevel": "remediate", **VALUES},
    "scale-to-zero-is-explicit": "remediate",
}


@pytest.fixture(scope="module")
def updated(tmp_path_factory: pytest.TempPathFactory) -> tuple[EngineProject, Outcome]:
    folder = tmp_path_factory.mktemp("remedies")
    project = EngineProject.of_program(folder, PROGRAM, stack="staging")
    project.install_plugin("resource-databricks-v1.118.0", Path(__file__).with_name("accepting_provider.py"))
    (folder / "policy.json").write_text(json.dumps(CONFIG))
    pack = ["--policy-pack", str(PROJECT / "policies"), "--policy-pack-config", str(folder / "policy.json")]
    return project, project.up(*pack)


def test_the_engine_makes_the_resource_as_remedied(updated: tuple[EngineProject, Outcome]) -> None:
    project, outcome = updated
    assert outcome.ok, outcome
    (endpoint,) = (one for one in project.resources() if one["type"] == MODEL_SERVING)
    assert [tag["key"] for tag in endpoint["inputs"]["tags"]] == ["environment", "owner", "cost_center"]
    (entity,) = endpoint["inputs"]["config"]["servedEntities"]
    assert entity["scaleToZeroEnabled"] is True
    report = report_of("staging", outcome.events)
    assert {policy for policy, _ in report.remediated} == set(CONFIG)
    assert not {finding.policy for finding in report.findings} & set(CONFIG)


def test_a_secret_beside_what_is_remedied_is_not_in_the_state_in_plain_text(
    updated: tuple[EngineProject, Outcome],
) -> None:
    project, _ = updated
    assert "planted-secret" not in project.must("stack", "export").stdout
