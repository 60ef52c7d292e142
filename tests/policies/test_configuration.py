"""The stacks' configurations of the pack: every key is a policy that judges that stack, every value is one it takes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from policies.pack import RULES
from policies.rule import OFF, TRIAL_STACKS, ResourceRule, Rule
from tests.support.engine import PROJECT

FILES = sorted((PROJECT / "policies" / "config").glob("*.json"))
LEVEL = "enforcementLevel"


def judging(stack: str) -> dict[str, Rule]:
    """The policies that judge a stack, by the name that configuration knows them by."""
    if stack in TRIAL_STACKS:
        return {rule.trial_name: rule for rule in RULES if rule.staging is not OFF}
    return {rule.name: rule for rule in RULES if rule.prod is not OFF}


def problems(stack: str, config: Mapping[str, Any]) -> Iterator[str]:
    known = judging(stack)
    for name, value in config.items():
        if name not in known:
            yield f"{name} judges no stack {stack}"
            continue
        rule = known[name]
        options: Mapping[str, Any] = {LEVEL: value} if isinstance(value, str) else value
        level = options.get(LEVEL)
        levels = ["advisory", "mandatory", "disabled"]
        levels += ["remediate"] if isinstance(rule, ResourceRule) and rule.remedy else []
        if level is not None and level not in levels:
            yield f"{name}: level {level} is none of {levels}"
        for option, given in options.items():
            if option == LEVEL:
                continue
            if option not in rule.schema:
                yield f"{name} has no option {option}"
            else:
                for error in jsonschema.Draft202012Validator(rule.schema[option]).iter_errors(given):
                    yield f"{name}.{option}: {error.message}"
        for resource, waiver in options.get("waivers", {}).items():
            if not _is_day(waiver.get("until", "")):
                yield f"{name}: the waiver of {resource} ends on no day"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_key_names_a_policy_of_the_stack_and_an_option_it_has(file: Path) -> None:
    assert list(problems(file.stem, json.loads(file.read_text()))) == []


def test_each_stack_file_of_the_project_has_a_configuration() -> None:
    stacks = {file.stem.removeprefix("Pulumi.") for file in PROJECT.glob("Pulumi.*.yaml")}
    assert {file.stem for file in FILES} == stacks


@pytest.mark.parametrize(
    ("stack", "config", "told"),
    [
        ("prod", {"no-such-rule": "advisory"}, "no-such-rule judges no stack prod"),
        ("prod", {"required-tags-are-set-in-trials": "advisory"}, "judges no stack prod"),
        ("staging", {"required-tags-are-set": "advisory"}, "judges no stack staging"),
        ("staging", {"no-scale-to-zero-in-production": "advisory"}, "judges no stack staging"),
        ("prod", {"traffic-is-explicit": "strict"}, "level strict is none of"),
        ("prod", {"traffic-is-explicit": "remediate"}, "level remediate is none of"),
        ("prod", {"required-tags-are-set": {"tag": ["owner"]}}, "has no option tag"),
        ("prod", {"required-tags-are-set": {"tags": "owner"}}, "required-tags-are-set.tags: 'owner' is not of type"),
        ("prod", {"required-tags-are-set": {"waivers": {"e": {"reason": "r"}}}}, "'owner' is a required property"),
        (
            "prod",
            {"required-tags-are-set": {"waivers": {"e": {"reason": "r", "owner": "o", "until": "2027-02-30"}}}},
            "the waiver of e ends on no day",
        ),
    ],
)
def test_a_key_or_value_that_would_do_nothing_is_noticed(stack: str, config: dict[str, Any], told: str) -> None:
    assert any(told in problem for problem in problems(stack, config))


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
