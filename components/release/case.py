"""Which release this is: decided from what runs, what the stack knows and what versions remember. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..traffic import WHOLE
from .live import Endpoint, Entity, normal_settings
from .machine import Start
from .memory import Failure, Progress
from .split import Split, final_split, percent_of, same_split, shown

_DIGEST_LENGTH = 16


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to serve."""

    model: str
    version: str
    settings: Mapping[str, Any]
    """Workload size and type, scale to zero, environment variables."""
    suite: str
    """Digest of the smoke queries."""
    name: str
    """Of the served entity, where the name is free."""

    @property
    def digest(self) -> str:
        """Of version, config and suite: a failed release is remembered by it."""
        return _digest([self.model, self.version, normal_settings(self.settings), self.suite])

    @property
    def settings_digest(self) -> str:
        """Of the settings: variables can be secret, and what is known of a good version goes to the state."""
        return _digest(normal_settings(self.settings))

    def is_served_by(self, entity: Entity) -> bool:
        """Whether an entity is this version with these settings."""
        same = (entity.model.lower(), entity.version) == (self.model.lower(), self.version)
        return same and entity.settings == normal_settings(self.settings)


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the stack's state says of its last release that succeeded."""

    serving: str
    """Served entity."""
    version: str
    digest: str
    standby: tuple[str, ...]
    """Entities that stood by then."""
    good: Mapping[str, tuple[str, float]]
    """Version to (digest of its settings, until when it is good): what is taken back without steps."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """Everything that a decision is made from."""

    endpoint: Endpoint
    known: Known | None
    progress: Sequence[Progress]
    """Of all versions that are on the endpoint, and of the wanted one."""
    failure: Failure | None
    """Of the wanted version."""
    first_failed: frozenset[str]
    """Entities whose very first deployment failed, and that nothing has replaced."""
    now: float


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What will be done."""

    start: Start | None
    """None: nothing has to be released."""
    candidate: str
    good: Split
    resume: Progress | None = None
    refused: bool = False
    """It has failed before, and is not tried again."""
    says: str = ""
    """For people, at preview."""


def decide(wanted: Wanted, found: Found, *, retry: str) -> Decision:
    """Which case applies. The first that fits, in the order of what could go wrong."""
    endpoint = found.endpoint
    match = next((one.name for one in endpoint.entities.values() if wanted.is_served_by(one)), None)
    candidate = match or _free_name(wanted, endpoint)
    mine = next((one for one in found.progress if one.digest == wanted.digest and one.candidate == match), None)
    failure = found.failure
    if failure is not None and failure.digest == wanted.digest and retry != failure.token:
        return _failed_before(found, failure, candidate, mine)
    if not endpoint.split or _is_worthless(found):
        return Decision(
            start=Start.FIRST,
            candidate=candidate,
            good=(),
            says="first deployment: nothing can be dark, the new version gets all traffic before it is proven; "
            "if it fails, the alias stays where it is",
        )
    if mine is not None:
        return _resumed(found, candidate, mine)
    if match is not None and percent_of(endpoint.split, match) == WHOLE:
        return Decision(
            start=Start.STANDING,
            candidate=candidate,
            good=endpoint.split,
            says=f"{match} serves everything already: it is asked, nothing is moved",
        )
    if _is_good(wanted, found):
        return _returned(found, candidate, match)
    return _released(found, candidate)


def _failed_before(found: Found, failure: Failure, candidate: str, mine: Progress | None) -> Decision:
    split = found.endpoint.split
    if mine is not None and candidate in dict(split) and mine.good and not same_split(split, mine.good):
        return Decision(
            start=Start.RESTORE,
            candidate=candidate,
            good=_present(mine.good, found.endpoint),
            resume=mine,
            says=f"release {mine.release} failed and was left at {shown(split)}: what ran before is put back",
        )
    return Decision(start=None, candidate=candidate, good=split, refused=True, says=refusal(failure))


def refusal(failure: Failure) -> str:
    """Why a version is not tried again, and the ways out."""
    return (
        f"this release failed on {failure.at} ({failure.why}) and is not tried again: change the version, its settings "
        f"or the smoke queries; or put the version back that runs; or set retry to {failure.token!r}"
    )


def _resumed(found: Found, candidate: str, mine: Progress) -> Decision:
    share = percent_of(found.endpoint.split, candidate)
    how = "left" if mine.state == "running" else "held"
    return Decision(
        start=Start.RESUME,
        candidate=candidate,
        good=_present(mine.good, found.endpoint),
        resume=mine,
        says=f"release {mine.release} goes on at {share} %, where it was {how}",
    )


def _returned(found: Found, candidate: str, match: str | None) -> Decision:
    split = found.endpoint.split
    if match is not None:
        return Decision(
            start=Start.STANDING,
            candidate=candidate,
            good=split,
            says=f"{match} was good and stands by: it is asked, then gets all traffic with one call, without steps",
        )
    return Decision(
        start=Start.RETURN,
        candidate=candidate,
        good=split,
        says=f"{candidate} was good within the rollback window, but does not stand by: it is deployed first (minutes), "
        "then gets all traffic without steps",
    )


def _released(found: Found, candidate: str) -> Decision:
    """A release by steps, beside what is good now; an abandoned one in the way is put right before."""
    endpoint = found.endpoint
    abandoned = next((one for one in found.progress if one.candidate in endpoint.entities), None)
    good = endpoint.split
    if abandoned is not None and abandoned.good:
        good = _present(abandoned.good, endpoint)
    elif found.known is not None and found.known.serving in endpoint.entities:
        standing = [name for name in found.known.standby if name in endpoint.entities]
        good = final_split(found.known.serving, standing)
    in_the_way = any(share != percent_of(good, name) for name, share in endpoint.split)
    return Decision(
        start=Start.CLEAN if in_the_way else Start.DARK,
        candidate=candidate,
        good=good,
        says=f"{candidate} is released beside {shown(good)}"
        + (f", after {shown(endpoint.split)} has been put right" if in_the_way else ""),
    )


def _is_good(wanted: Wanted, found: Found) -> bool:
    """Whether the stack has released this version with these settings, within the rollback window or as the last."""
    known = found.known
    if known is None or wanted.version not in known.good:
        return False
    settings, until = known.good[wanted.version]
    return settings == wanted.settings_digest and (until > found.now or wanted.version == known.version)


def _is_worthless(found: Found) -> bool:
    """Whether all that serves is a first deployment that failed."""
    serving = [name for name, share in found.endpoint.split if share]
    return found.known is None and bool(serving) and all(name in found.first_failed for name in serving)


def _present(good: Split, endpoint: Endpoint) -> Split:
    """A remembered split, of the entities that are still there; what is there where that leaves nothing."""
    kept = tuple((name, share) for name, share in good if name in endpoint.entities)
    return kept if sum(share for _, share in kept) == WHOLE else endpoint.split


def _free_name(wanted: Wanted, endpoint: Endpoint) -> str:
    """The wanted name, or, where an entity with other settings has it, one that tells the two apart."""
    return wanted.name if wanted.name not in endpoint.entities else f"{wanted.name}-{wanted.digest[:4]}"


def _digest(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_LENGTH]
