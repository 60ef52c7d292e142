"""For each rule, stacks that keep it and stacks that break it, with what the violation has to say."""

from tests.policies.cases import (
    cost,
    deployment,
    features,
    jobs,
    monitoring,
    naming,
    network,
    registry,
    security,
    serving,
)
from tests.policies.cases.building import Case

CASES: tuple[Case, ...] = (
    *serving.CASES,
    *features.CASES,
    *registry.CASES,
    *monitoring.CASES,
    *jobs.CASES,
    *security.CASES,
    *network.CASES,
    *deployment.CASES,
    *cost.CASES,
    *naming.CASES,
)

__all__ = ["CASES", "Case"]
