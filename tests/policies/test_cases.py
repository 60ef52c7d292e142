"""Every rule lets pass what keeps it, refuses what breaks it, and says what it could not judge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from policies.pack import RULES
from policies.rule import ResourceRule, Rule, StackRule
from tests.policies.cases import CASES, Case
from tests.policies.cases.building import Stack
from tests.policies.judging import Judgement, judge


def names(case: Case) -> str:
    return case.rule.name


def judged(rule: Rule, case: Case, stack: Stack) -> Judgement:
    return judge(rule, [replace(one, stack=case.stack) for one in stack], case.options)


def refusals(case: Case, rule: Rule) -> Iterator[bool]:
    """For each stack that the rule has to refuse, whether it does."""
    for stack, text in case.refuses:
        yield any(text in violation for violation in judged(rule, case, stack).violations)


def test_every_rule_has_a_case_that_passes_and_one_that_fails() -> None:
    assert {case.rule.name for case in CASES} == {rule.name for rule in RULES}
    assert all(case.passes and case.refuses for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=names)
def test_what_keeps_the_rule_passes(case: Case) -> None:
    for stack in case.passes:
        assert judged(case.rule, case, stack).violations == [], stack


@pytest.mark.parametrize("case", CASES, ids=names)
def test_what_breaks_the_rule_is_refused_with_the_value_and_the_change(case: Case) -> None:
    for stack, text in case.refuses:
        judgement = judged(case.rule, case, stack)
        assert any(text in violation for violation in judgement.violations), (text, judgement)


@pytest.mark.parametrize("case", CASES, ids=names)
def test_what_is_not_known_yet_is_told_and_not_made_up(case: Case) -> None:
    for stack, path in case.unknown:
        assert judged(case.rule, case, stack) == Judgement([], path), stack


@pytest.mark.parametrize("case", CASES, ids=names)
def test_a_rule_without_a_body_would_be_noticed(case: Case) -> None:
    """Mutation: the check is replaced by one that finds nothing, and each failing case has to turn red."""
    assert all(refusals(case, case.rule))
    assert not any(refusals(case, without_body(case.rule)))


def without_body(rule: Rule) -> Rule:
    if isinstance(rule, ResourceRule):
        return replace(rule, check=lambda _subject: ())
    assert isinstance(rule, StackRule)
    return replace(rule, check=lambda _stack: ())
