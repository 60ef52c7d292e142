"""`make policy`: a preview under the pack and its report; a stack that cannot be previewed here says what it needs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from policies.pack import NAME
from tests.support.engine import PROJECT
from toolchain.layout import Layout
from toolchain.policy import judge, policy_arguments
from toolchain.report import Steps, ToolchainError
from toolchain.stacks import Request

PROGRAM = """
from pulumi.dynamic import CreateResult, Resource, ResourceProvider

class Nothing(ResourceProvider):
    def create(self, props):
        return CreateResult("made", props)

class ModelAlias(Resource, module="serving", name="ModelAlias"):
    pass

ModelAlias(Nothing(), "alias", {"model": "c.s.m", "alias": "latest", "version": "1"})
"""


@pytest.fixture
def clone(ready_clone: Layout) -> Layout:
    """A clone with the pack, and a project of one alias that a mandatory rule refuses."""
    (ready_clone.root / "policies").symlink_to(PROJECT / "policies")
    (ready_clone.root / "Pulumi.yaml").write_text(
        "name: fares\nruntime:\n  name: python\n  options:\n    virtualenv: .venv\n"
    )
    (ready_clone.root / "__main__.py").write_text(PROGRAM)
    return ready_clone


def test_a_preview_is_judged_and_reported(clone: Layout, capfd: pytest.CaptureFixture[str]) -> None:
    assert judge(Request(clone, stack="dev"), "", Steps()) == 1
    shown = capfd.readouterr().out
    assert "POL-15 alias-is-of-the-ladder" in shown
    report = json.loads((clone.policy / "dev.json").read_text())
    assert [(one["id"], one["resource"]) for one in report["findings"] if one["level"] == "mandatory"] == [
        ("POL-15", "alias")
    ]
    assert {file.name for file in clone.policy.iterdir()} == {
        f"dev.{ending}" for ending in ("json", "junit.xml", "sarif", "md", "events.jsonl")
    }
    # What an earlier preview has said is over.
    (clone.root / "__main__.py").write_text(PROGRAM.replace('"latest"', '"champion"'))
    assert judge(Request(clone, stack="dev"), "", Steps()) == 0


def test_events_of_a_preview_made_elsewhere_are_reported_without_another(clone: Layout, tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    events.write_text(json.dumps({"summaryEvent": {"PolicyPacks": {f"{NAME}|local|/pack": "0.1.0"}}}))
    assert judge(Request(clone, stack="staging"), str(events), Steps()) == 0
    assert json.loads((clone.policy / "staging.json").read_text())["summary"]["finished"] is True
    assert not clone.state.exists()


def test_missing_events_are_refused_with_the_command_that_writes_them(clone: Layout) -> None:
    with pytest.raises(ToolchainError, match=r"EVENTS is 'none'.*--event-log FILE"):
        judge(Request(clone, stack="staging"), "none", Steps())


@pytest.mark.parametrize("host", ["https://staging.cloud.databricks.example", '"https://x.example"'])
def test_a_stack_of_no_real_workspace_says_what_it_needs(clone: Layout, host: str) -> None:
    (clone.root / "Pulumi.staging.yaml").write_text(f"config:\n  databricks:host: {host}\n")
    with pytest.raises(
        ToolchainError, match=r"is no workspace.*databricks:host.*DATABRICKS_CLIENT_ID.*EVENTS="
    ) as told:
        judge(Request(clone, stack="staging"), "", Steps())
    assert "Pulumi.staging.yaml" in str(told.value)


def test_a_preview_that_failed_for_another_reason_says_what_it_may_need(
    clone: Layout, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    events = tmp_path / "events.jsonl"
    events.write_text(json.dumps({"diagnosticEvent": {"severity": "error", "message": "401 Unauthorized"}}))
    assert judge(Request(clone, stack="staging"), str(events), Steps()) == 2
    told = capfd.readouterr()
    assert "401 Unauthorized" in told.out
    assert "DATABRICKS_TOKEN" in told.err


def test_a_stack_with_a_configuration_of_the_pack_is_judged_by_it() -> None:
    layout = Layout(PROJECT)
    assert policy_arguments(layout, "staging")[2:] == [
        "--policy-pack-config",
        str(PROJECT / "policies" / "config" / "staging.json"),
    ]
    assert policy_arguments(layout, "dev") == ["--policy-pack", str(PROJECT / "policies")]
