"""What has to hold before an alias moves to a version: tags, evidence, the rung below, the proof in another catalog.

Every gate reads and none writes. "Not there" is a refusal with its fix; "could not be read" is raised as the error that
it is, so that a gate fails closed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import registry_calls
from .alias_journal import COPIED_FROM, entry_in, evidence_in, has_carried
from .errors import AbsentError, ProviderError
from .provider import known

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

    from .registry_calls import VersionFacts

ANY_VALUE = ""
"""In `requires`: the tag has to be there and filled, with whatever value."""


@dataclass(frozen=True)
class Refusal:
    """One gate that does not open: what was found and expected, and what opens it."""

    problem: str
    fix: str


def require_gates(client: WorkspaceClient, inputs: Mapping[str, Any], *, live: str | None, before_write: bool) -> None:
    """Raises ProviderError with every gate that keeps the alias from its version.

    Args:
        inputs: of a `ModelAlias`; what is not known yet is left to the write.
        live: where the alias points now.
        before_write: whether the write is next; in preview, what this same `up` is going to do counts as done.

    Raises:
        ProviderError: a gate is closed.
        WorkspaceError: the workspace did not say.
    """
    model, version = inputs["model"], inputs["version"]
    found = list(_evidence(inputs)) if before_write else []
    if any(known(inputs, name) for name in ("requires", "requires_to_replace", "after", "promoted_from")):
        facts = registry_calls.version_facts(client, model, version)
        found += [
            *_tags(inputs, facts, live=live),
            *_rung_below(client, inputs, facts, live=live, before_write=before_write),
            *_promoted_from(client, inputs, facts),
        ]
    if found:
        others = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise ProviderError(
            f"alias {inputs['alias']} of {model} is not moved to version {version}: {found[0].problem}{others}",
            *(line for one in found for line in (f"gate: {one.problem}", f"  {one.fix}")),
        )


def _evidence(inputs: Mapping[str, Any]) -> Iterator[Refusal]:
    if inputs.get("require_evidence") and evidence_in(inputs.get("evidence")) is None:
        yield Refusal(
            f"its evidence is {inputs.get('evidence')!r}, expected the digest of a smoke run (sha256:...)",
            "Set evidence to SmokeQuery.digest, or require_evidence to False",
        )


def missing_tags(tags: Mapping[str, str], requires: Mapping[str, str]) -> dict[str, str]:
    """Tags that a version has to have and has not: name to what was found and expected, in words.

    Args:
        tags: of the version.
        requires: tag to its value; `ANY_VALUE` takes every one.
    """
    missing = {}
    for tag, wanted in requires.items():
        value = tags.get(tag, "")
        if value.strip() and wanted in (ANY_VALUE, value):
            continue
        expected = "any value" if wanted == ANY_VALUE else repr(wanted)
        found = f"tag {tag} is {value!r}" if tag in tags else f"it has no tag {tag}"
        missing[tag] = f"{found}, expected {expected}"
    return missing


def _tags(inputs: Mapping[str, Any], facts: VersionFacts, *, live: str | None) -> Iterator[Refusal]:
    model, version = inputs["model"], inputs["version"]
    requires = known(inputs, "requires") or {}
    # Nobody has to be better than nothing, and the way back to a version that had the alias before stays open.
    if live is not None and not has_carried(facts.tags, model, version, inputs["alias"]):
        requires = {**requires, **(known(inputs, "requires_to_replace") or {})}
    for tag, problem in missing_tags(facts.tags, requires).items():
        wanted = requires[tag]
        yield Refusal(
            problem,
            f"Set it once it is true: MlflowClient(registry_uri='databricks-uc')"
            f".set_model_version_tag({model!r}, {version!r}, {tag!r}, {wanted or '<value>'!r})",
        )


def _rung_below(
    client: WorkspaceClient, inputs: Mapping[str, Any], facts: VersionFacts, *, live: str | None, before_write: bool
) -> Iterator[Refusal]:
    model, alias, version = inputs["model"], inputs["alias"], inputs["version"]
    below = known(inputs, "after")
    if not below or (live is None and inputs.get("bootstrap")):
        return
    # A version that had this alias before has climbed already: the way back stays open.
    if has_carried(facts.tags, model, version, below) or has_carried(facts.tags, model, version, alias):
        return
    if not before_write and known(inputs, "after_version") == version:
        return
    where = registry_calls.live_version(client, model, below)
    if where == version:
        return
    yield Refusal(
        f"alias {below}, the rung below, points to {f'version {where}' if where else 'nothing'}, and version {version} "
        f"has never carried it",
        f"Move {below} to version {version} first"
        + ("" if live else f"; for the first {alias} ever, set bootstrap, which counts only while there is none"),
    )


def _promoted_from(client: WorkspaceClient, inputs: Mapping[str, Any], facts: VersionFacts) -> Iterator[Refusal]:
    source = known(inputs, "promoted_from")
    if not source:
        return
    model, tag = source["model"], source["tag"]
    version = source.get("version") or registry_calls.live_version(client, model, source["alias"])
    if version is None:
        yield Refusal(
            f"alias {source['alias']} of {model}, which it has to come from, does not exist",
            "Promote the version there first, or correct promoted_from",
        )
        return
    here = f"{inputs['model']} version {inputs['version']}"
    again = (
        f"Copy it: python -m {__package__}.alias_copy {model}/{version} {inputs['model']} --evidence-tag {tag}, "
        "and name the version that this makes"
    )
    copied = entry_in(facts.tags.get(COPIED_FROM))
    if not copied:
        yield Refusal(f"{here} has no tag {COPIED_FROM}, so nobody knows what it was copied from", again)
        return
    if (copied.get("model"), copied.get("version")) != (model, version):
        yield Refusal(
            f"{here} was copied from {copied.get('model')} version {copied.get('version')}, expected {model} version "
            f"{version}",
            again,
        )
        return
    try:
        there = registry_calls.version_facts(client, model, version)
    except AbsentError:
        yield Refusal(f"{model} has no version {version}", "Correct promoted_from")
        return
    yield from _same_proof(source, there, facts, copied, again)


def _same_proof(
    source: Mapping[str, Any], there: VersionFacts, here: VersionFacts, copied: Mapping[str, Any], again: str
) -> Iterator[Refusal]:
    model, version, tag = source["model"], copied["version"], source["tag"]
    digest = evidence_in(there.tags.get(tag))
    if digest is None:
        yield Refusal(
            f"tag {tag} of {model} version {version} holds no digest (found {there.tags.get(tag)!r})",
            "Let that stack prove the version and move its alias: the move writes the tag",
        )
        return
    if copied.get("evidence") != digest:
        yield Refusal(
            f"it was copied on evidence {copied.get('evidence')}, {model} version {version} now has {digest} in {tag}",
            again,
        )
    pinned = source.get("digest")
    if pinned and pinned != digest:
        yield Refusal(
            f"promoted_from.digest is {pinned}, {model} version {version} has {digest}",
            "Look at what was proven there, then approve it by setting digest to it",
        )
    if there.run_id and here.run_id and there.run_id != here.run_id:
        yield Refusal(
            f"it comes from run {here.run_id}, {model} version {version} from run {there.run_id}: another artifact",
            again,
        )
