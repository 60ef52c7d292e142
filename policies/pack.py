"""The pack: its rules."""

from __future__ import annotations

from policies import (
    cost,
    deployment,
    features,
    jobs,
    monitoring,
    naming,
    network,
    registry,
    security,
    server,
    serving,
    traffic,
)
from policies.rule import Rule

NAME = "databricks-serving"

CONCERNS = {
    "serving": serving.RULES,
    "traffic": traffic.RULES,
    "features": features.RULES,
    "registry": registry.RULES,
    "monitoring": monitoring.RULES,
    "jobs": jobs.RULES,
    "security": security.RULES,
    "network": network.RULES,
    "deployment": deployment.RULES,
    "cost": cost.RULES,
    "naming": naming.RULES,
}
"""The rules of the pack by what they are about; each concern is a module."""

RULES: tuple[Rule, ...] = tuple(rule for rules in CONCERNS.values() for rule in rules)


def serve() -> None:
    """Run the pack for the engine that started this process; returns when the engine is done."""
    server.serve(NAME, RULES)
