"""The aliases of a stack: in which order they climb, whether they fit the traffic, and the resources that move them.

A ladder is an ordered list of aliases, lowest first, for example challenger, champion, production. A version gets an
alias when it carries, or has carried, the one below. The last rung is the production alias: it names the version with
the most traffic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from .config import OBSERVED, ModelConfig, PromotedFromConfig
from .dynamic import ModelAlias, ModelAliasArgs
from .dynamic.alias_journal import journal_key
from .dynamic.model_alias import OnDelete
from .served_entity import ServedEntityArgs


class AliasLadderError(pulumi.RunError):
    """Aliases and traffic contradict each other: which, found, expected, what to do. Shown without a traceback."""


def rung_below(ladder: Sequence[str], alias: str) -> str | None:
    """The alias that a version needs before it gets this one; None on the lowest rung and beside the ladder."""
    place = ladder.index(alias) if alias in ladder else 0
    return ladder[place - 1] if place else None


def climbing_order(model: ModelConfig) -> list[str]:
    """The managed aliases, lower rungs first; those beside the ladder come before it, in the order of the file."""
    managed = [alias for alias, stated in model.aliases.items() if stated != OBSERVED]
    return sorted(managed, key=lambda alias: model.ladder.index(alias) if alias in model.ladder else -1)


def check_coherence(model: ModelConfig, versions: Mapping[str, str], entities: Sequence[ServedEntityArgs]) -> None:
    """The production alias names the version that most of the traffic goes to.

    Args:
        versions: alias to version number.
        entities: as they are to be served, with their traffic.

    Raises:
        AliasLadderError: the stack manages the production alias and points it elsewhere. One that is left to others
            can be behind for a while: that is a warning.
    """
    production = model.ladder[-1] if model.ladder else None
    if production is None or production not in versions:
        return
    shares: Counter[str] = Counter()
    for entity in entities:
        shares[entity.version] += entity.traffic_percentage
    most = max(shares.values())
    if shares[versions[production]] == most:
        return
    split = ", ".join(f"version {version} {share} %" for version, share in shares.items())
    largest = " or ".join(version for version, share in shares.items() if share == most)
    message = (
        f"model.aliases.{production} is version {versions[production]}, but most of the traffic goes to version "
        f"{largest} ({split})"
    )
    if model.aliases[production] == OBSERVED:
        pulumi.log.warn(f"{message}: whoever moves {production} is behind, or the split is ahead")
        return
    raise AliasLadderError(f"{message}: point {production} at {largest}, or change endpoint.entities")


def stack_aliases(
    model: ModelConfig,
    versions: Mapping[str, str],
    *,
    evidence: pulumi.Input[str],
    on_delete: OnDelete,
    depends_on: Sequence[pulumi.Resource],
) -> dict[str, ModelAlias]:
    """The managed aliases of a stack, moved after their proof and after the rung below.

    Args:
        versions: alias to version number, observed ones included.
        evidence: digest of what proves the versions.
        on_delete: for aliases whose settings do not say.
        depends_on: what has to be done before any alias moves.
    """
    made: dict[str, ModelAlias] = {}
    for alias in climbing_order(model):
        settings = model.settings_of(alias)
        below = rung_below(model.ladder, alias)
        managed_below = made.get(below) if below is not None else None
        made[alias] = ModelAlias(
            alias,
            ModelAliasArgs(
                model=model.name,
                alias=alias,
                version=versions[alias],
                expected_version=settings.expected_version,
                evidence=evidence,
                require_evidence=True,
                requires=settings.requires,
                requires_to_replace=settings.requires_to_replace,
                reason=settings.reason,
                after=below,
                after_version=None if managed_below is None or below is None else versions[below],
                bootstrap=settings.bootstrap,
                promoted_from=_origin(model.promoted_from),
                on_delete=settings.on_delete or on_delete,
            ),
            pulumi.ResourceOptions(depends_on=[*depends_on, *([] if managed_below is None else [managed_below])]),
        )
    return made


def _origin(source: PromotedFromConfig | None) -> dict[str, Any] | None:
    if source is None:
        return None
    tag = source.tag or journal_key(source.alias or "")
    stated = {"version": source.version, "alias": source.alias, "digest": source.digest}
    return {"model": source.model, "tag": tag, **{name: value for name, value in stated.items() if value is not None}}
