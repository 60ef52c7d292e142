"""Waivers: for one resource, with a reason and an owner, and over on a day."""

from __future__ import annotations

from datetime import date

import pytest

from policies import waivers
from policies.features import ONLINE_TABLE, no_retired_online_table
from policies.naming import endpoint_names_are_unique
from policies.pack import RULES
from policies.rule import Rule
from tests.policies.judging import Declared, Judgement, judge

TABLE = Declared(ONLINE_TABLE, {"name": "c.s.features_online"}, name="features")


def waiver(until: str, name: str = "c.s.features_online") -> dict[str, object]:
    return {"waivers": {name: {"reason": "read by the old app", "owner": "ml-platform", "until": until}}}


@pytest.fixture(autouse=True)
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waivers, "today", lambda: date(2026, 12, 1))


@pytest.mark.parametrize("name", ["c.s.features_online", "features"])
@pytest.mark.parametrize("until", ["2026-12-01", "2027-03-31"])
def test_a_waiver_holds_to_the_end_of_its_last_day_by_either_name(until: str, name: str) -> None:
    judgement = judge(no_retired_online_table, [TABLE], waiver(until, name))
    assert judgement == Judgement([], waived=f"waived for {name} until {until} by ml-platform: read by the old app")


def test_a_waiver_that_is_over_fails_and_says_whose_it_was() -> None:
    (violation,) = judge(no_retired_online_table, [TABLE], waiver("2026-11-30")).violations
    assert "is an OnlineTable" in violation
    assert "The waiver of ml-platform for 'c.s.features_online' ended on 2026-11-30" in violation


def test_a_last_day_that_is_no_day_fails() -> None:
    (violation,) = judge(no_retired_online_table, [TABLE], waiver("2027-02-30")).violations
    assert "'2027-02-30', which is no day" in violation


def test_a_waiver_is_for_one_resource() -> None:
    assert len(judge(no_retired_online_table, [TABLE], waiver("2027-01-01", "c.s.other")).violations) == 1


def test_a_waiver_of_one_resource_leaves_the_others_of_a_stack_rule() -> None:
    twins = [Declared("databricks:index/modelServing:ModelServing", {"name": "fares"}, name=name) for name in "ab"]
    assert len(judge(endpoint_names_are_unique, twins).violations) == 2
    (violation,) = judge(endpoint_names_are_unique, twins, waiver("2027-01-01", "a")).violations
    assert violation.startswith(twins[1].urn)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_takes_waivers(rule: Rule) -> None:
    assert "waivers" in rule.schema
