"""Whole projects previewed under the pack, on the engine."""

from __future__ import annotations

from pathlib import Path

from policies.report.findings import Report, report_of
from tests.support.engine import PROJECT, EngineProject, Outcome

_PROVIDER = Path(__file__).with_name("accepting_provider.py")


def previewed_under_pack(project: EngineProject, stack: str, config: Path) -> tuple[Report, Outcome]:
    """What the pack says of a preview that judged everything; `config` is the pack's configuration."""
    project.install_plugin("resource-databricks-v1.118.0", _PROVIDER)
    outcome = project.preview("--policy-pack", str(PROJECT / "policies"), "--policy-pack-config", str(config))
    report = report_of(stack, outcome.events)
    assert report.finished, outcome
    assert not report.errors, outcome
    return report, outcome
