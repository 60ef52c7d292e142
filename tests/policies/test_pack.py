"""The pack as a whole: its metadata, its levels, and its page in the documentation."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import sqlglot

from policies.docs import PAGE, page
from policies.pack import RULES
from policies.rule import MANDATORY, OFF, Rule, is_production
from policies.serving import served_entity_version_is_a_number
from tests.policies.cases import CASES, Case
from tests.policies.judging import Declared, judge

REFUSED = {case.rule.id: case for case in CASES}


def shown(part: Case | str) -> str:
    return part if isinstance(part, str) else part.rule.name


CASES_AND_STACKS = [(case, stack) for case in CASES for stack in ("prod", "staging")]


def violations(case: Case, stack: str) -> list[str]:
    resources, _ = case.refuses[0]
    return judge(case.rule, [replace(one, stack=stack) for one in resources], case.options).violations


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_says_what_it_is_in_the_form_of_the_pack(rule: Rule) -> None:
    assert re.fullmatch(r"POL-\d\d", rule.id)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+", rule.name)
    assert re.match(r"(Refuse|Require) ", rule.description)
    assert re.search(r"[^.]\.$", rule.remediation)
    assert rule.source.startswith("https://")
    for option in rule.options.values():
        assert "default" in option
        assert option["description"].endswith(".")


def test_ids_and_names_are_unique() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_the_levels_are_those_that_were_asked_for() -> None:
    """Of the first 22 rules, which the documents name with their levels; the others were chosen here."""
    everywhere = {1, 2, 3, 4, 7, 11, 12, 14, 15, 16, 21}
    advised_in_trials = {5, 8, 9, 10, 13, 17, 19, 20, 22}
    not_in_trials = {6, 18}
    wanted = dict.fromkeys(everywhere, ("mandatory", "mandatory"))
    wanted |= dict.fromkeys(advised_in_trials, ("advisory", "mandatory"))
    wanted |= dict.fromkeys(not_in_trials, ("disabled", "mandatory"))
    levels = {int(rule.id.partition("-")[2]): (rule.staging.value, rule.prod.value) for rule in RULES}
    assert {number: levels[number] for number in range(1, 23)} == wanted


@pytest.mark.parametrize("stack", ["prod", "production", "prod-eu", "live"])
def test_a_stack_that_is_no_known_trial_is_production(stack: str) -> None:
    assert is_production(Declared("t", {}, stack=stack).urn)


@pytest.mark.parametrize("stack", ["local", "dev", "test", "staging"])
def test_trials_are_not_production(stack: str) -> None:
    assert not is_production(Declared("t", {}, stack=stack).urn)


@pytest.mark.parametrize(("case", "stack"), CASES_AND_STACKS, ids=shown)
def test_a_rule_judges_a_stack_where_it_has_a_level_and_only_once(case: Case, stack: str) -> None:
    level = case.rule.prod if stack == "prod" else case.rule.staging
    found = violations(case, stack)
    assert bool(found) == (level is not OFF)
    assert len(found) == len(set(found))


def test_a_rule_that_is_off_in_trials_leaves_them_alone() -> None:
    rule = replace(served_entity_version_is_a_number, staging=OFF)
    assert [policy.enforcement_level for policy in rule.policies()] == [MANDATORY]
    assert not violations(replace(REFUSED["POL-01"], rule=rule), "staging")
    assert len(violations(replace(REFUSED["POL-01"], rule=rule), "prod")) == 1


def test_the_statements_of_the_documentation_are_databricks_sql() -> None:
    statements = re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(statements) == 2
    for statement in statements:
        (parsed,) = sqlglot.parse(statement, dialect="databricks")
        assert isinstance(parsed, sqlglot.exp.Select)


def test_the_documentation_is_what_the_rules_say() -> None:
    assert PAGE.read_text() == page(), "docs/policies.md is out of date: run `python -m policies.docs`"
