"""`ModelAlias`: a registered model's alias, moved only when nobody else has moved it meanwhile.

The plugin's `RegisteredModel.aliases` is dropped silently by the service, so the alias is a resource of its own.
The API has no compare-and-set: the alias is read right before the write and read back after it, and the time
between the two is published in the journal (`window_ms`) instead of denied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    UpdateResult,
)

from ..arguments import Arguments
from ..names import InvalidNameError, ThreePartName, check_alias, check_version
from . import engine, registry_calls
from .alias_gates import require_gates
from .alias_journal import NOTHING, journal_entry, journal_key
from .errors import ProviderError, WorkspaceError
from .explicit_provider import WorkspaceResource
from .provider import Props, WorkspaceProvider, changed, guarded, is_unknown, known, without_provider

PROVIDER_VERSION = "1"
JOURNAL_LENGTH = 20

OnDelete = Literal["keep", "remove", "restore_previous"]
_IDENTITY = ("model", "alias")
_IN_PLACE = ("version", "on_delete", "provider_version")


class ModelAliasProvider(WorkspaceProvider):
    """Create, move, watch and release one alias. `version` in state is the version last seen: by a write, or by
    refresh."""

    @guarded
    def check(self, _olds: Props, news: Props) -> CheckResult:
        """Names, then what only the workspace knows: the version is READY, and a new resource takes over nobody's
        alias."""
        inputs = without_provider(news)
        failures: list[CheckFailure] = []
        for name, rule in _RULES.items():
            if known(inputs, name) is not None:
                try:
                    inputs[name] = rule(inputs[name])
                except InvalidNameError as error:
                    failures.append(self.failure(name, error))
        if not failures and not any(is_unknown(inputs.get(name)) for name in (*_IDENTITY, "version")):
            failures.extend(self._found_in_workspace(_olds, inputs))
        return CheckResult(inputs, failures)

    @guarded
    def diff(self, _id: str, _olds: Props, _news: Props) -> DiffResult:
        """A move that would be refused is refused here, in preview. `expected_version`, `evidence` and gates alone are
        no change."""
        replaces = changed(_olds, _news, _IDENTITY)
        changes = changed(_olds, _news, _IN_PLACE)
        if "version" in changes and not replaces and not is_unknown(_news["version"]):
            self._foreseen(_news, seen=_olds["version"])
        # The new alias exists before the old one is released: consumers of either never find none.
        return DiffResult(changes=bool(replaces or changes), replaces=replaces, delete_before_replace=False)

    @guarded
    def create(self, props: Props) -> CreateResult:
        """Sets the alias, or adopts it where it points to the declared version already."""
        inputs = without_provider(props)
        outs = self._move(inputs, seen=None, journal=[])
        return CreateResult(id_=f"{inputs['model']}@{inputs['alias']}", outs=outs)

    @guarded
    def read(self, id_: str, props: Props) -> ReadResult:
        """Where the alias points now; gone where it (or its model) is gone."""
        outs = without_provider(props)
        version = registry_calls.live_version(self.client, outs["model"], outs["alias"])
        if version is None:
            return ReadResult(id_="", outs={})
        return ReadResult(id_=id_, outs={**outs, "version": version})

    @guarded
    def update(self, _id: str, _olds: Props, _news: Props) -> UpdateResult:
        """Moves the alias if its version changed; anything else is noted in state without a call."""
        inputs, olds = without_provider(_news), without_provider(_olds)
        if inputs["version"] == olds["version"]:
            return UpdateResult(outs={**olds, **inputs, "evidence": olds.get("evidence")})
        return UpdateResult(outs=self._move(inputs, seen=olds["version"], journal=olds.get("journal", []), olds=olds))

    @guarded
    def delete(self, _id: str, _props: Props) -> None:
        """Keeps the alias, removes it, or gives it back to the version that had it before: as `on_delete` says."""
        on_delete: OnDelete = _props.get("on_delete", "keep")
        model, alias, version = _props["model"], _props["alias"], _props["version"]
        previous = _props.get("previous_version", NOTHING)
        if on_delete == "keep" or (on_delete == "restore_previous" and previous == version):
            return
        live = registry_calls.live_version(self.client, model, alias)
        if live is None:
            return
        if live != version:
            raise ProviderError(
                f"alias {alias} of {model} points to version {live}, this stack last saw it at {version}: not released",
                "Somebody moved it. `pulumi refresh` takes note of the move; then run the same command again",
            )
        if on_delete == "remove" or previous == NOTHING:
            registry_calls.remove_alias(self.client, model, alias)
            return
        problem = registry_calls.version_problem(self.client, model, previous)
        if problem is not None:
            raise ProviderError(
                f"alias {alias} of {model} cannot go back to version {previous}: {problem[1]}",
                'Set on_delete to "keep" or "remove", run `pulumi up`, then destroy again',
            )
        registry_calls.point_alias(self.client, model, alias, previous, self.clock)

    def _found_in_workspace(self, olds: Props, inputs: Props) -> list[CheckFailure]:
        try:
            problem = registry_calls.version_problem(self.client, inputs["model"], inputs["version"])
        except ProviderError as error:
            return [self.failure("version", error)]
        if problem is not None:
            return [self.failure(*problem)]
        is_new = any(olds.get(name) != inputs[name] for name in _IDENTITY)
        if is_new:
            try:
                self._foreseen(inputs, seen=None)
            except ProviderError as error:
                return [self.failure("alias", error)]
        return []

    def _foreseen(self, inputs: Props, *, seen: str | None) -> None:
        """Raises for a move that the write would refuse, as far as that is known."""
        live = self._guarded_live_version(inputs, seen=seen)
        if live != inputs["version"]:
            require_gates(self.client, inputs, live=live, before_write=False)

    def _guarded_live_version(self, inputs: Props, *, seen: str | None) -> str | None:
        """Where the alias points, provided that the move to the declared version is one that somebody has seen.

        Args:
            seen: the version in state; None where the resource is new.

        Raises:
            ProviderError: the alias is elsewhere.
        """
        model, alias, target = inputs["model"], inputs["alias"], inputs["version"]
        live = registry_calls.live_version(self.client, model, alias)
        expected = known(inputs, "expected_version")
        # A new resource overwrites nothing where there is no alias; a known one has lost it to somebody.
        if live == target or (live is None and seen is None) or live == (expected or seen):
            return live
        found = f"alias {alias} of {model} points to {f'version {live}' if live else 'nothing'}"
        if expected is not None:
            raise ProviderError(
                f"{found}, but expected_version is {expected}: not moved to {target}",
                f"If version {live} may be replaced, set expected_version to {live!r} or remove it; otherwise find out "
                "who moved the alias",
            )
        if seen is None:
            raise ProviderError(
                f"{found} already, and this stack has never seen it: not moved to {target}",
                f'To take it over from version {live}, set expected_version to "{live}"; to adopt it as it is, set '
                f'version to "{live}"',
            )
        raise ProviderError(
            f"{found}, this stack last saw it at {seen}: not moved to {target}",
            "Somebody moved it meanwhile. `pulumi refresh` takes note of the move; then run `pulumi up` again",
        )

    def _move(
        self, inputs: Props, *, seen: str | None, journal: list[Props], olds: Mapping[str, Any] | None = None
    ) -> Props:
        model, alias, target = inputs["model"], inputs["alias"], inputs["version"]
        by = registry_calls.who_am_i(self.client)
        live = self._guarded_live_version(inputs, seen=seen)
        if live != target:
            require_gates(self.client, inputs, live=live, before_write=True)
            # Gates take a few reads: the alias is looked at once more, so that nothing lies between look and write.
            started = self.clock.now()
            live = self._guarded_live_version(inputs, seen=seen)
        if live == target:
            previous = target if seen is None else seen
            return {**(olds or {}), **inputs, "previous_version": previous, "journal": journal}
        # Undoing somebody's move: the version to go back to stays the one before, not the one that was undone.
        is_repair = bool(journal) and journal[-1]["to"] == target
        engine.progress(f"alias {alias}: version {live or 'none'} -> {target}")
        registry_calls.point_alias(self.client, model, alias, target, self.clock)
        window_ms = (self.clock.now() - started) * 1000
        entry = journal_entry(
            model=model,
            by=by,
            live=live,
            target=target,
            evidence=inputs.get("evidence"),
            window_ms=window_ms,
            reason=inputs.get("reason") or NOTHING,
        )
        self._tag(model, alias, target, entry)
        return {
            **inputs,
            "previous_version": (olds or {}).get("previous_version", NOTHING) if is_repair else live or NOTHING,
            "promoted_at": entry["at"],
            "promoted_by": by,
            "journal": [*journal, entry][-JOURNAL_LENGTH:],
        }

    def _tag(self, model: str, alias: str, version: str, entry: Props) -> None:
        try:
            registry_calls.tag_version(self.client, model, version, journal_key(alias), entry)
        except WorkspaceError as error:
            # The alias has moved and the journal in state says so: a tag less must not make the move look failed.
            engine.warn(
                self.redact(f"alias {alias} moved to version {version}, but its journal tag was not written: {error}")
            )


def _version_text(value: Any) -> str:
    # Every number crosses the engine as a float.
    return check_version(int(value) if isinstance(value, float) and value.is_integer() else value)


def _on_delete(value: Any) -> str:
    if value not in get_args(OnDelete):
        raise InvalidNameError("on_delete", value, "is unknown", f"use one of {', '.join(get_args(OnDelete))}")
    return str(value)


def _promoted_from(value: Any) -> Props:
    if len({"version", "alias"} & set(value)) != 1 or not value.get("tag"):
        raise InvalidNameError(
            "promoted_from", value, "does not say which version", "name model, tag, and either version or alias"
        )
    version = {"version": _version_text(value["version"])} if "version" in value else {}
    return {**value, "model": str(ThreePartName.parse(value.get("model"), what="promoted_from.model")), **version}


_RULES: Mapping[str, Callable[[Any], Any]] = {
    "model": lambda value: str(ThreePartName.parse(value, what="model")),
    "alias": check_alias,
    "version": _version_text,
    "expected_version": _version_text,
    "after": check_alias,
    "after_version": _version_text,
    "promoted_from": _promoted_from,
    "on_delete": _on_delete,
}


@dataclass(frozen=True, kw_only=True)
class ModelAliasArgs(Arguments):
    """What a `ModelAlias` is made of."""

    model: pulumi.Input[str]
    """Registered model, `catalog.schema.model`. Another one replaces the resource."""
    alias: pulumi.Input[str]
    """Alias, in lower case, not `latest` and not `v1`. Another one replaces the resource: set first, then released."""
    version: pulumi.Input[str]
    """Version number that the alias points to; it exists and is READY."""
    expected_version: pulumi.Input[str] | None = None
    """Version that the alias must point to before it is moved. The version in state when left out; needed to take
    over an
    alias that exists already. Changing it alone moves nothing."""
    evidence: pulumi.Input[str] | None = None
    """Digest of what proved the version (`SmokeQuery.digest`): kept in the journal, and it orders the move after
    the proof."""
    requires: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Tags that the version must have before the alias moves to it: name to value, an empty text for any value."""
    requires_to_replace: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Further tags, for a version that takes the alias from another one: what a comparison of the two has shown. Not
    asked of the first version ever, nor of one that had the alias before."""
    reason: pulumi.Input[str] | None = None
    """Why the alias is moved, in a few words, for the journal. Changing it alone moves nothing."""
    require_evidence: bool = False
    """Whether `evidence` must be a digest when the alias moves."""
    after: pulumi.Input[str] | None = None
    """The rung below: an alias that the version must carry, or have carried, before this one moves to it."""
    after_version: pulumi.Input[str] | None = None
    """Where this same program points `after`; preview takes that move for done. It still has to come first."""
    bootstrap: bool = False
    """Lets the alias skip the rung below while it points to nothing."""
    promoted_from: Mapping[str, pulumi.Input[str]] | None = None
    """Version in another catalog that this one has to be a copy of: `model`, `version` or `alias`, `tag` that holds its
    evidence there, and `digest` where one is approved by hand."""
    on_delete: OnDelete = "keep"
    """What becomes of the alias when the resource goes: `keep` leaves it, `remove` removes it, `restore_previous`
    points it
    back to the version that had it before."""
    provider_version: str = PROVIDER_VERSION
    """Version of the provider's behaviour; a new one shows as an update that moves nothing."""


class ModelAlias(WorkspaceResource, module="serving", name="ModelAlias"):
    """An alias of a registered model in Unity Catalog."""

    model: pulumi.Output[str]
    alias: pulumi.Output[str]
    version: pulumi.Output[str]
    """Where the alias points, as last written or seen by refresh."""
    previous_version: pulumi.Output[str]
    """Where it pointed before; empty where there was no alias, equal to `version` where it was adopted."""
    promoted_at: pulumi.Output[str | None]
    """When this stack moved it (ISO 8601, UTC); nothing where it was adopted."""
    promoted_by: pulumi.Output[str | None]
    """Who moved it: user name or application id."""
    evidence: pulumi.Output[str | None]
    """What proved the version when it was moved."""
    journal: pulumi.Output[list[dict[str, Any]]]
    """The last moves by this stack, oldest first: at, by, model, from, to, evidence, window_ms (from the
    last look at the alias until its new place is read back), and reason where one was given."""

    def __init__(self, name: str, args: ModelAliasArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props: Props = {
            "model": args.model,
            "alias": args.alias,
            "version": args.version,
            "expected_version": args.expected_version,
            "evidence": args.evidence,
            "requires": dict(args.requires),
            "requires_to_replace": dict(args.requires_to_replace),
            "reason": args.reason,
            "require_evidence": args.require_evidence,
            "after": args.after,
            "after_version": args.after_version,
            "bootstrap": args.bootstrap,
            "promoted_from": None if args.promoted_from is None else dict(args.promoted_from),
            "on_delete": args.on_delete,
            "provider_version": args.provider_version,
            "previous_version": None,
            "promoted_at": None,
            "promoted_by": None,
            "journal": None,
        }
        super().__init__(ModelAliasProvider(), name, props, opts)
