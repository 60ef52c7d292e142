"""The pack on the real engine: what a user sees for good and bad stacks. Previews only: the provider accepts all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from policies.pack import RULES
from tests.support.engine import PROJECT, EngineProject, Outcome

PACK = PROJECT / "policies"
PROVIDER = Path(__file__).with_name("accepting_provider.py")
RULE_NAMES = {rule.name for rule in RULES}

GOOD = """
import pulumi_databricks as databricks
from components.dynamic import SmokeCase, SmokeExpectation, SmokeQuery, SmokeQueryArgs

endpoint = databricks.ModelServing(
    "endpoint",
    name="fares",
    config=databricks.ModelServingConfigArgs(
        served_entities=[
            databricks.ModelServingConfigServedEntityArgs(name="old", entity_name="c.s.m", entity_version="14"),
            databricks.ModelServingConfigServedEntityArgs(name="new", entity_name="c.s.m", entity_version="15"),
        ],
        traffic_config=databricks.ModelServingConfigTrafficConfigArgs(
            routes=[
                databricks.ModelServingConfigTrafficConfigRouteArgs(served_model_name="old", traffic_percentage=80),
                databricks.ModelServingConfigTrafficConfigRouteArgs(served_entity_name="new", traffic_percentage=20),
            ]
        ),
    ),
)
SmokeQuery(
    "smoke",
    SmokeQueryArgs(
        endpoint_name=endpoint.name,
        served_entities=["old", "new"],
        queries=[SmokeCase(name="one", payload={"dataframe_records": [{"zip": 1}]}, expect=SmokeExpectation())],
    ),
)
"""

RAW = """
import pulumi

class Raw(pulumi.CustomResource):
    pass

def serving(logical_name, **properties):
    return Raw("databricks:index/modelServing:ModelServing", logical_name, properties)

def entity(version):
    return {"name": "m", "entityName": "c.s.m", "entityVersion": version}

def split(*percentages):
    return {"routes": [{"servedEntityName": "m", "trafficPercentage": share} for share in percentages]}
"""

BAD = (
    RAW
    + """
serving("unproven", name="unproven", config={"servedEntities": [entity("latest")], "trafficConfig": split(90)})
Raw("databricks:index/onlineTable:OnlineTable", "retired", {"name": "c.s.retired"})
"""
)

NOT_KNOWN = (
    RAW
    + """
other = serving("other", name="other")
config = {"servedEntities": [entity(other.id)], "trafficConfig": split(90)}
serving("endpoint", name="endpoint", config=config)
"""
)

Preview = Callable[..., Outcome]


@pytest.fixture(scope="module")
def preview(tmp_path_factory: pytest.TempPathFactory) -> Preview:
    """Previews a program under the pack, in a stack of its own."""

    def run(program: str, *, stack: str, policy_config: Any = None) -> Outcome:
        folder = tmp_path_factory.mktemp(stack)
        project = EngineProject.of_program(folder, program, stack=stack)
        project.install_plugin("resource-databricks-v1.118.0", PROVIDER)
        arguments = ["--policy-pack", str(PACK)]
        if policy_config is not None:
            (folder / "policy.json").write_text(json.dumps(policy_config))
            arguments += ["--policy-pack-config", str(folder / "policy.json")]
        return project.preview(*arguments)

    return run


def levels(outcome: Outcome) -> dict[str, str]:
    return {violation.policy: violation.level for violation in outcome.violations()}


@pytest.fixture(scope="module")
def refused_in_prod(preview: Preview) -> Outcome:
    return preview(BAD, stack="prod")


def test_a_good_stack_of_the_projects_own_classes_passes_in_production(preview: Preview) -> None:
    outcome = preview(GOOD, stack="prod")
    assert outcome.ok, outcome
    assert outcome.violations() == []
    assert ("create", "pulumi-python:dynamic/serving:SmokeQuery") in outcome.operations()


def test_a_bad_stack_is_refused_by_every_rule_in_one_preview(refused_in_prod: Outcome) -> None:
    assert not refused_in_prod.ok
    assert levels(refused_in_prod) == dict.fromkeys(RULE_NAMES, "mandatory")


@pytest.mark.parametrize(
    ("resource", "text"),
    [
        ("unproven", "config.servedEntities[0] (m): the version of c.s.m is 'latest'"),
        ("unproven", "the routes add up to 90 (m 90)"),
        ("retired", "c.s.retired is an OnlineTable"),
        ("unproven", "no SmokeQuery asks endpoint 'unproven'"),
    ],
)
def test_a_violation_names_the_resource_and_the_value(refused_in_prod: Outcome, resource: str, text: str) -> None:
    assert text in refused_in_prod.text
    assert [one.urn.endswith(f"::{resource}") for one in refused_in_prod.violations() if text in one.message] == [True]


def test_outside_production_the_smoke_query_is_advice(preview: Preview) -> None:
    outcome = preview(BAD, stack="staging")
    assert not outcome.ok
    others = dict.fromkeys(RULE_NAMES - {"endpoint-has-a-smoke-query"}, "mandatory")
    assert levels(outcome) == {**others, "endpoint-has-a-smoke-query-in-trials": "advisory"}


def test_policy_configuration_can_waive_a_table_and_change_a_level(preview: Preview) -> None:
    waived = {
        "no-retired-online-table": {"waivers": {"c.s.retired": "read by the old app until March"}},
        "served-entity-version-is-a-number": {"enforcementLevel": "advisory"},
        "traffic-routes-add-up": {"enforcementLevel": "advisory"},
    }
    outcome = preview(BAD, stack="prod-eu", policy_config=waived)
    assert levels(outcome) == {
        "served-entity-version-is-a-number": "advisory",
        "traffic-routes-add-up": "advisory",
        "endpoint-has-a-smoke-query": "mandatory",
    }


def test_a_waiver_without_a_reason_is_no_valid_configuration(preview: Preview) -> None:
    outcome = preview(BAD, stack="prod", policy_config={"no-retired-online-table": {"waivers": {"c.s.retired": ""}}})
    assert not outcome.ok
    assert "waivers" in outcome.text, outcome


def test_what_is_not_known_before_the_update_is_said_and_the_rest_is_judged(preview: Preview) -> None:
    outcome = preview(NOT_KNOWN, stack="staging")
    assert not outcome.ok
    assert "config.servedEntities.0.entityVersion can't be known during preview" in outcome.text
    assert [one.level for one in outcome.violations() if "add up to 90" in one.message] == ["mandatory"]
