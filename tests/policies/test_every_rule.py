"""Every rule on the real engine: one program with a failing stack for each, one with a passing stack for each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from policies.pack import RULES
from policies.rule import OFF
from tests.policies.cases import CASES, Case
from tests.policies.judging import UNKNOWN, Declared
from tests.support.engine import PROJECT, EngineProject, Outcome

PACK = PROJECT / "policies"
PROVIDER = Path(__file__).with_name("accepting_provider.py")

# Declares resources that were written to a file. Dynamic ones have a provider that does nothing; what is not known
# before the update is made of the id of another resource.
PROGRAM = """
import json
import pathlib

import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider

UNKNOWN, PREFIX = {unknown!r}, "pulumi-python:dynamic/serving:"

class Nothing(ResourceProvider):
    def create(self, props):
        return CreateResult("made", dict(props))

class Raw(pulumi.CustomResource):
    pass

def dynamic(kind):
    class Made(Resource, module="serving", name=kind):
        pass
    return lambda name, props, opts: Made(Nothing(), name, props, opts)

def filled(value, source):
    if value == UNKNOWN:
        return source.id
    if isinstance(value, dict):
        return {{name: filled(one, source) for name, one in value.items()}}
    return [filled(one, source) for one in value] if isinstance(value, list) else value

other = Raw("databricks:index/directory:Directory", "other", {{"path": "/other"}})
made = {{}}
for one in json.loads(pathlib.Path({path!r}).read_text()):
    props = {{
        name: made[one["sources"][name]].id if name in one["sources"] else filled(value, other)
        for name, value in one["properties"].items()
        if value is not None
    }}
    options = pulumi.ResourceOptions(
        protect=one["protect"],
        delete_before_replace=one["delete_before_replace"],
        custom_timeouts=pulumi.CustomTimeouts(*(f"{{seconds}}s" if seconds else None for seconds in one["timeouts"])),
        depends_on=[made[name] for name in one["after"]],
    )
    make = dynamic(one["type"].removeprefix(PREFIX)) if one["type"].startswith(PREFIX) else None
    if make is None:
        make = lambda name, props, opts, kind=one["type"]: Raw(kind, name, props, opts)
    made[one["name"]] = make(one["name"], props, options)
"""


def own(case: Case, text: str) -> str:
    """The names in a text made the case's own, so that the cases of one program do not meet each other."""
    number = case.rule.id.partition("-")[2]
    return re.sub(r"(?i)\bc\.s(?=\.)|fares", lambda found: found[0] + number, text)


def written(case: Case, resources: Iterable[Declared]) -> Iterator[dict[str, Any]]:
    """A stack's resources as the program reads them, under names that say whose they are."""

    def name(one: str) -> str:
        return f"{case.rule.id}-{one}"

    for one in resources:
        yield {
            "type": one.type,
            "name": name(one.name),
            "properties": json.loads(own(case, json.dumps(dict(one.properties)))),
            "sources": {field: name(source) for field, source in one.sources.items()},
            "after": [name(other) for other in one.after],
            "protect": one.protect,
            "delete_before_replace": one.delete_before_replace,
            "timeouts": one.timeouts,
        }


Preview = Callable[[str, Iterable[dict[str, Any]]], Outcome]


@pytest.fixture(scope="module")
def preview(tmp_path_factory: pytest.TempPathFactory) -> Preview:
    def run(stack: str, resources: Iterable[dict[str, Any]]) -> Outcome:
        folder = tmp_path_factory.mktemp(stack)
        (folder / "resources.json").write_text(json.dumps(list(resources)))
        program = PROGRAM.format(path=str(folder / "resources.json"), unknown=UNKNOWN)
        project = EngineProject.of_program(folder, program, stack=stack)
        for plugin in ("databricks-v1.118.0", "aws-v7.0.0"):
            project.install_plugin(f"resource-{plugin}", PROVIDER)
        return project.preview("--policy-pack", str(PACK))

    return run


def of_stack(stack: str) -> list[Case]:
    """The cases of the rules that have a level in a stack."""
    return [case for case in CASES if (case.rule.prod if stack == "prod" else case.rule.staging) is not OFF]


def found(outcome: Outcome, case: Case) -> list[str]:
    """What the case's own rule says of the case's own resources."""
    names = {policy.name for policy in case.rule.policies()}
    return [
        one.message
        for one in outcome.violations()
        if one.policy in names and one.urn.rpartition("::")[2].startswith(f"{case.rule.id}-")
    ]


@pytest.mark.parametrize("stack", ["prod", "staging"])
def test_every_rule_refuses_its_failing_stack_on_the_engine(preview: Preview, stack: str) -> None:
    cases = of_stack(stack)
    outcome = preview(stack, [one for case in cases for one in written(case, case.refuses[0][0])])
    assert not outcome.ok
    silent = [
        case.rule.name
        for case in cases
        if not any(own(case, case.refuses[0][1]) in text for text in found(outcome, case))
    ]
    assert not silent, outcome


def test_every_rule_lets_its_passing_stack_pass_on_the_engine(preview: Preview) -> None:
    outcome = preview("prod", [one for case in CASES for one in written(case, case.passes[0])])
    loud = {case.rule.name: texts for case in CASES if (texts := found(outcome, case))}
    assert not loud, outcome
    assert len(outcome.operations()) >= len(RULES), outcome
