"""The pack on programs that know nothing of it: three in the style of public examples, on the engine, and one of YAML.

No YAML language host is built here, so the engine does not run that one: its resources are read by the rules that
Pulumi YAML documents (short type tokens, `${resource.property}`), and judged as the engine would hand them over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from policies.pack import RULES
from policies.report.findings import Report, report_of
from tests.policies.judging import UNKNOWN, Declared, judge
from tests.support.engine import PROJECT, EngineProject

FOLDER = Path(__file__).with_name("foreign")
PROVIDER = Path(__file__).with_name("accepting_provider.py")


def preview(folder: Path, name: str, stack: str = "prod") -> Report:
    project = EngineProject.of_program(folder, (FOLDER / f"{name}.py").read_text(), stack=stack)
    project.install_plugin("resource-databricks-v1.118.0", PROVIDER)
    outcome = project.preview("--policy-pack", str(PROJECT / "policies"))
    report = report_of(stack, outcome.events)
    assert report.finished, outcome
    assert not report.errors, outcome
    return report


ENDPOINT_ALONE = {"POL-05", "POL-09", "POL-13", "POL-17"}
"""What every endpoint without tags, inference table, monitor, alerts and smoke query breaks in production."""

MANDATORY: dict[str, dict[str, set[str]]] = {
    "quickstart": {
        "ads-endpoint": {*ENDPOINT_ALONE, "POL-01", "POL-02", "POL-03", "POL-06", "POL-14", "POL-22"},
        "ads-model": {"POL-37"},
        "ads-usage": {"POL-08"},
    },
    "llm_gateway": {
        "chat": {*ENDPOINT_ALONE, "POL-08", "POL-16", "POL-44"},
        "llama": {*ENDPOINT_ALONE, "POL-06", "POL-08"},
        "openai-key": {"POL-57"},
        "llm-readers": {"POL-57", "POL-58"},
        "models": {"POL-20"},
    },
    "nightly_features": {
        "nightly-features": {"POL-13"},
        "customers-online": {"POL-04"},
        "customers-monitor": {"POL-49"},
        "late-features": {"POL-51", "POL-52"},
    },
}
ADVISORY: dict[str, dict[str, set[str]]] = {
    "quickstart": {"ads-endpoint": {"POL-29", "POL-42", "POL-43", "POL-62"}},
    "llm_gateway": {
        "chat": {"POL-29", "POL-30", "POL-42", "POL-43", "POL-62"},
        "llama": {"POL-30", "POL-42", "POL-43", "POL-62"},
    },
    "nightly_features": {"nightly-features": {"POL-46", "POL-48"}, "reports": {"POL-45"}},
}


def by_resource(report: Report, *, mandatory: bool) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one in report.findings:
        assert one.rule is not None
        if one.is_mandatory is mandatory:
            found.setdefault(one.resource, set()).add(one.rule.id)
    return found


@pytest.mark.parametrize("name", MANDATORY)
def test_a_program_of_somebody_else_is_judged_by_the_same_rules(tmp_path: Path, name: str) -> None:
    report = preview(tmp_path / name, name)
    assert by_resource(report, mandatory=True) == MANDATORY[name]
    assert by_resource(report, mandatory=False) == ADVISORY[name]
    assert "planted" not in str(report.as_json())


REFERENCE = re.compile(r"\$\{(\w+)(?:\.(\w+))?\}")


def of_yaml(text: str, stack: str) -> list[Declared]:
    """The resources of a Pulumi YAML program, as the engine hands them over in the preview of a new stack."""
    program = yaml.safe_load(text)
    defaults = {name: declared["default"] for name, declared in program.get("config", {}).items()}
    resources: list[Declared] = []
    for name, declared in program["resources"].items():
        package, kind = declared["type"].split(":")
        token = f"{package}:index/{kind[0].lower()}{kind[1:]}:{kind}"
        given = {one.name: one.properties for one in resources}
        properties = {key: _filled(value, defaults, given) for key, value in declared["properties"].items()}
        sources = {
            key: found.group(1)
            for key, value in declared["properties"].items()
            if isinstance(value, str) and (found := REFERENCE.fullmatch(value)) and found.group(1) in given
        }
        resources.append(Declared(token, properties, name=name, sources=sources, stack=stack))
    return resources


def _filled(value: Any, defaults: Mapping[str, Any], given: Mapping[str, Mapping[str, Any]]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(one, defaults, given) for name, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, defaults, given) for one in value]
    found = REFERENCE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return value
    source, field = found.groups()
    # An input that was given is known at once; whatever the service makes up is not.
    return defaults[source] if field is None else given[source].get(field, UNKNOWN)


def test_a_program_of_yaml_is_judged_by_the_same_rules() -> None:
    resources = of_yaml((FOLDER / "Pulumi.yaml").read_text(), "prod")
    assert {one.type for one in resources} >= {"databricks:index/modelServing:ModelServing"}
    judged = {rule.id: judge(rule, resources) for rule in RULES}
    refused = {number for number, judgement in judged.items() if judgement.violations}
    assert refused == {
        *("POL-02", "POL-05", "POL-07", "POL-09", "POL-13", "POL-16", "POL-17", "POL-22"),
        *("POL-29", "POL-42", "POL-43", "POL-62", "POL-64"),
    }
    assert "'churn-old', which is not served" in str(judged["POL-02"].violations)
    assert "workloadSize is 'Tiny'" in str(judged["POL-07"].violations)
    # The model's full name is an output: it is said that it cannot be judged yet, and not that it is wrong.
    for number in ("POL-14", "POL-23"):
        assert judged[number].unknown == "config.servedEntities.0.entityName"
