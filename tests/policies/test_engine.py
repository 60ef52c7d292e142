"""The pack on the real engine: what a user sees for good and bad stacks. Previews only: the provider accepts all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from policies.pack import RULES
from policies.rule import TRIAL_SUFFIX
from tests.support.engine import PROJECT, EngineProject, Outcome

PACK = PROJECT / "policies"
PROVIDER = Path(__file__).with_name("accepting_provider.py")
FOUR = ("POL-01", "POL-02", "POL-04", "POL-17")
RULE_NAMES = {rule.name for rule in RULES if rule.id in FOUR}
"""The rules that the small programs below are about."""

GOOD = """
import pulumi
import pulumi_databricks as databricks
from components.dynamic import SmokeCase, SmokeExpectation, SmokeQuery, SmokeQueryArgs

def entity(name, version):
    return databricks.ModelServingConfigServedEntityArgs(
        name=name, entity_name="c.s.m", entity_version=version, workload_size="Small", scale_to_zero_enabled=False
    )

endpoint = databricks.ModelServing(
    "endpoint",
    name="fares-prod",
    budget_policy_id="policy",
    config=databricks.ModelServingConfigArgs(
        served_entities=[entity("old", "14"), entity("new", "15")],
        traffic_config=databricks.ModelServingConfigTrafficConfigArgs(
            routes=[
                databricks.ModelServingConfigTrafficConfigRouteArgs(served_model_name="old", traffic_percentage=80),
                databricks.ModelServingConfigTrafficConfigRouteArgs(served_entity_name="new", traffic_percentage=20),
            ]
        ),
    ),
    ai_gateway=databricks.ModelServingAiGatewayArgs(
        inference_table_config=databricks.ModelServingAiGatewayInferenceTableConfigArgs(
            enabled=True, catalog_name="c", schema_name="s", table_name_prefix="fares"
        ),
        usage_tracking_config=databricks.ModelServingAiGatewayUsageTrackingConfigArgs(enabled=True),
    ),
    tags=[
        databricks.ModelServingTagArgs(key=key, value="x") for key in ("environment", "owner", "cost_center")
    ],
    opts=pulumi.ResourceOptions(protect=True, custom_timeouts=pulumi.CustomTimeouts(create="30m", update="30m")),
)
SmokeQuery(
    "smoke",
    SmokeQueryArgs(
        endpoint_name=endpoint.name,
        served_entities=["old", "new"],
        queries=[SmokeCase(name="one", payload={"dataframe_records": [{"zip": 1}]}, expect=SmokeExpectation())],
    ),
)
databricks.Permissions(
    "permissions",
    serving_endpoint_id=endpoint.serving_endpoint_id,
    access_controls=[databricks.PermissionsAccessControlArgs(group_name="apps", permission_level="CAN_QUERY")],
)
databricks.QualityMonitor(
    "monitor",
    table_name="c.s.fares_unpacked",
    assets_dir="/Shared/fares",
    output_schema_name="c.s",
    baseline_table_name="c.s.fares_baseline",
    inference_log=databricks.QualityMonitorInferenceLogArgs(
        granularities=["1 day"],
        timestamp_col="at",
        model_id_col="model",
        prediction_col="prediction",
        problem_type="PROBLEM_TYPE_REGRESSION",
    ),
    custom_metrics=[
        databricks.QualityMonitorCustomMetricArgs(
            type="CUSTOM_METRIC_TYPE_AGGREGATE", name="loss", input_columns=[":table"], definition="1",
            output_data_type="double",
        )
    ],
)
for column in ("status_code", "execution_duration_ms"):
    databricks.AlertV2(
        column,
        display_name=column,
        warehouse_id="w",
        query_text=f"SELECT max({column}) AS worst FROM c.s.fares_payload",
        schedule=databricks.AlertV2ScheduleArgs(quartz_cron_schedule="0 0 * * * ?", timezone_id="UTC"),
        evaluation=databricks.AlertV2EvaluationArgs(
            comparison_operator="GREATER_THAN",
            source=databricks.AlertV2EvaluationSourceArgs(name="worst"),
            notification=databricks.AlertV2EvaluationNotificationArgs(
                subscriptions=[
                    databricks.AlertV2EvaluationNotificationSubscriptionArgs(user_email="oncall@example.com")
                ]
            ),
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

WAIVER = {"reason": "read by the old app", "owner": "ml-platform", "until": "9999-12-31"}

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
    """Policy to level, of the violations of the four rules."""
    found = {violation.policy: violation.level for violation in outcome.violations()}
    return {policy: level for policy, level in found.items() if policy.removesuffix(TRIAL_SUFFIX) in RULE_NAMES}


@pytest.fixture(scope="module")
def refused_in_prod(preview: Preview) -> Outcome:
    return preview(BAD, stack="prod")


def test_a_good_stack_of_the_projects_own_classes_passes_in_production(preview: Preview) -> None:
    outcome = preview(GOOD, stack="prod")
    assert outcome.ok, outcome
    assert outcome.violations() == []
    assert ("create", "pulumi-python:dynamic/serving:SmokeQuery") in outcome.operations()


def test_a_bad_stack_is_refused_by_several_rules_in_one_preview(refused_in_prod: Outcome) -> None:
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
        "no-retired-online-table": {"waivers": {"c.s.retired": WAIVER}},
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
    waivers = {"c.s.retired": {**WAIVER, "reason": ""}}
    outcome = preview(BAD, stack="prod", policy_config={"no-retired-online-table": {"waivers": waivers}})
    assert not outcome.ok
    assert "waivers" in outcome.text, outcome


def test_what_is_not_known_before_the_update_is_said_and_the_rest_is_judged(preview: Preview) -> None:
    outcome = preview(NOT_KNOWN, stack="staging")
    assert not outcome.ok
    assert "config.servedEntities.0.entityVersion can't be known during preview" in outcome.text
    assert [one.level for one in outcome.violations() if "add up to 90" in one.message] == ["mandatory"]
