"""The pack as a whole: its metadata, its levels, and its page in the documentation."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from policies.docs import PAGE, page
from policies.endpoints import MODEL_SERVING
from policies.online_tables import ONLINE_TABLE
from policies.pack import RULES
from policies.rule import MANDATORY, OFF, ResourceRule, Rule, StackRule, is_production
from policies.served_entities import served_entity_version_is_a_number
from tests.policies.judging import Declared, judge

REFUSED = {
    "POL-01": Declared(
        MODEL_SERVING,
        {"config": {"servedEntities": [{"name": "m", "entityName": "c.s.m", "entityVersion": "latest"}]}},
    ),
    "POL-02": Declared(
        MODEL_SERVING,
        {
            "config": {
                "servedEntities": [{"name": "m", "entityName": "c.s.m", "entityVersion": "1"}],
                "trafficConfig": {"routes": [{"servedEntityName": "m", "trafficPercentage": 90}]},
            }
        },
    ),
    "POL-04": Declared(ONLINE_TABLE, {"name": "c.s.t"}),
    "POL-17": Declared(MODEL_SERVING, {"name": "fares"}),
}
"""For each rule, a resource that it refuses."""


def assert_refused(rule: Rule) -> None:
    assert judge(rule, [REFUSED[rule.id]]).violations, f"{rule.name} finds nothing wrong"


def without_body(rule: Rule) -> Rule:
    if isinstance(rule, ResourceRule):
        return replace(rule, check=lambda _args: ())
    assert isinstance(rule, StackRule)
    return replace(rule, check=lambda _args: ())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_refuses_something_and_a_rule_without_a_body_would_be_noticed(rule: Rule) -> None:
    assert_refused(rule)
    with pytest.raises(AssertionError, match="finds nothing wrong"):
        assert_refused(without_body(rule))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_says_what_it_is_in_the_form_of_the_pack(rule: Rule) -> None:
    assert re.fullmatch(r"POL-\d\d", rule.id)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+", rule.name)
    assert re.match(r"(Refuse|Require) ", rule.description)
    assert rule.remediation.endswith(".")
    for option in rule.options.values():
        assert "default" in option
        assert option["description"].endswith(".")


def test_ids_and_names_are_unique() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_the_levels_are_those_that_were_asked_for() -> None:
    assert {rule.id: (rule.staging.value, rule.prod.value) for rule in RULES} == {
        "POL-01": ("mandatory", "mandatory"),
        "POL-02": ("mandatory", "mandatory"),
        "POL-04": ("mandatory", "mandatory"),
        "POL-17": ("advisory", "mandatory"),
    }


@pytest.mark.parametrize("stack", ["prod", "production", "prod-eu", "live"])
def test_a_stack_that_is_no_known_trial_is_production(stack: str) -> None:
    assert is_production(replace(REFUSED["POL-17"], stack=stack).urn)


@pytest.mark.parametrize("stack", ["local", "dev", "test", "staging"])
def test_trials_are_not_production(stack: str) -> None:
    assert not is_production(replace(REFUSED["POL-17"], stack=stack).urn)


@pytest.mark.parametrize("stack", ["prod", "staging"])
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_exactly_one_policy_of_a_rule_judges_a_stack(rule: Rule, stack: str) -> None:
    assert len(judge(rule, [replace(REFUSED[rule.id], stack=stack)]).violations) == 1


def test_a_rule_that_is_off_in_trials_leaves_them_alone() -> None:
    rule = replace(served_entity_version_is_a_number, staging=OFF)
    assert [policy.enforcement_level for policy in rule.policies()] == [MANDATORY]
    assert judge(rule, [replace(REFUSED["POL-01"], stack="staging")]).violations == []
    assert len(judge(rule, [REFUSED["POL-01"]]).violations) == 1


def test_the_documentation_is_what_the_rules_say() -> None:
    assert PAGE.read_text() == page(), "docs/policies.md is out of date: run `python -m policies.docs`"
