"""Everything that a release needs to know before it begins, read from the workspace. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..dynamic.errors import AbsentError
from ..dynamic.smoke_ask import Patience
from ..dynamic.smoke_suite import SmokeCase
from .case import Decision, Found, Known, Wanted, decide
from .driver import Job
from .live import Entity, read_endpoint
from .machine import Release, Start
from .memory import Failure, Memory, Progress
from .plan import Plan
from .split import percent_of

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient


@dataclass(frozen=True)
class Survey:
    """What was found, and what will be done about it."""

    found: Found
    decision: Decision


def survey(
    client: WorkspaceClient, endpoint_name: str, wanted: Wanted, known: Known | None, *, retry: str, now: float
) -> Survey:
    """Reads the endpoint, and the tags of every version on it and of the wanted one.

    Raises:
        WorkspaceError: the workspace did not say.
    """
    endpoint, memory = read_endpoint(client, endpoint_name), Memory(client, endpoint_name)
    served = {(one.model, one.version) for one in endpoint.entities.values()}
    tags = {one: _tags(memory, *one) for one in {(wanted.model, wanted.version), *served}}
    failed = {one: memory.failure(found) for one, found in tags.items()}
    progress = [one for found in tags.values() if (one := memory.progress(found)) is not None]
    found = Found(
        endpoint=endpoint,
        known=known,
        progress=progress,
        failure=failed[wanted.model, wanted.version],
        first_failed=frozenset(
            name
            for name, one in endpoint.entities.items()
            if (failure := failed[one.model, one.version]) is not None and failure.first
        ),
        now=now,
    )
    return Survey(found, decide(wanted, found, retry=retry))


def job_of(
    found: Survey,
    wanted: Wanted,
    plan: Plan,
    *,
    id_: str,
    endpoint_name: str,
    cases: Sequence[SmokeCase],
    patience: Patience,
    payload_table: str | None,
    warehouse_id: str | None,
) -> Job:
    """The release that a survey has decided on. ValueError where it has decided on none."""
    decision, endpoint, failure = found.decision, found.found.endpoint, found.found.failure
    if decision.start is None:
        raise ValueError(f"there is nothing to release: {decision.says}")
    candidate = decision.candidate
    entities = dict(endpoint.entities)
    if candidate not in entities:
        entities[candidate] = Entity.wanted(candidate, wanted.model, wanted.version, wanted.settings)
    resume = decision.resume
    release = Release(
        candidate=candidate,
        good=decision.good,
        live=endpoint.split,
        start=decision.start,
        steps=plan.steps,
        standby=standby_after(decision, found.found, plan),
        bake_seconds=plan.bake_seconds,
        lag_seconds=plan.lag_seconds,
        poll_seconds=plan.poll_seconds,
        bake_cap_seconds=plan.bake_cap_seconds,
        error_limit=plan.error_limit,
        approval_before=plan.approval_before,
        resume_step=_step(resume, plan, percent_of(endpoint.split, candidate)),
        resume_since=None if resume is None else resume.since,
        resume_passed=resume is not None and resume.state == "passed",
        resume_failure=failure.why if decision.start is Start.RESTORE and failure is not None else "",
    )
    same = failure is not None and failure.digest == wanted.digest
    return Job(
        id=id_,
        endpoint=endpoint_name,
        model=wanted.model,
        version=wanted.version,
        digest=wanted.digest,
        release=release,
        plan=plan,
        entities=entities,
        cases=cases,
        patience=patience,
        tries=failure.tries if same and isinstance(failure, Failure) else 0,
        payload_table=payload_table,
        warehouse_id=warehouse_id,
    )


def standby_after(decision: Decision, found: Found, plan: Plan) -> tuple[str, ...]:
    """Which entity stays at 0 % after the release: the one that has the traffic before it, or still stands by."""
    if plan.standby == "drop" or decision.start is Start.FIRST:
        return ()
    good, candidate, known = decision.good, decision.candidate, found.known
    if known is not None and candidate == known.serving:
        # Nothing new: a release that is given up, or traffic that was moved by hand, makes nobody a standby.
        return tuple(name for name in known.standby if name in found.endpoint.entities and _stands(name, found))
    serving = [name for name, share in good if share and name != candidate]
    if serving:
        return (max(serving, key=lambda name: percent_of(good, name)),)
    # A release that was over when its driver was killed, before the state could be told.
    return (known.serving,) if known is not None and known.serving in found.endpoint.entities else ()


def _stands(name: str, found: Found) -> bool:
    """Whether the rollback window of a standby entity is still open."""
    known = found.known
    version = found.endpoint.entities[name].version
    return known is not None and known.good.get(version, ("", 0.0))[1] > found.now


def _step(resume: Progress | None, plan: Plan, percent: int) -> int:
    """The step to go on at: the noted one, or with other steps than then, the last one that the traffic has reached."""
    if resume is None:
        return -1
    if -1 <= resume.step < len(plan.steps) and (resume.step < 0 or plan.steps[resume.step] >= percent):
        return resume.step
    return max((number for number, step in enumerate(plan.steps) if step <= percent), default=-1)


def _tags(memory: Memory, model: str, version: str) -> Mapping[str, str]:
    try:
        return memory.tags(model, version)
    except AbsentError:
        # A version that serves can have been deleted from the registry.
        return {}
