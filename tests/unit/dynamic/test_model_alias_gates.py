"""The gates of a `ModelAlias`: no move without the tags, the evidence, the rung below, the proof in another catalog."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pulumi.runtime import rpc

from components.dynamic.errors import ProviderError
from components.dynamic.model_alias import ModelAliasProvider
from tests.support.rest_stub import Received, Reply, RestStub
from tests.unit.dynamic.conftest import MakeProvider
from tests.unit.dynamic.test_model_alias import ALIAS, MODEL, in_state, inputs, live, reasons

STAGING = "staging.ml.fare"
DIGEST = "sha256:11"
OTHER = "sha256:22"
FROM_STAGING = {"model": STAGING, "version": "7", "tag": "promoted_champion"}


@pytest.fixture
def aliases(provider: MakeProvider[ModelAliasProvider], stub: RestStub) -> ModelAliasProvider:
    stub.versions[MODEL] = dict.fromkeys((16, 17, 18), "READY")
    return provider(ModelAliasProvider)


def tag(stub: RestStub, version: str, **tags: str) -> None:
    for key, value in tags.items():
        stub.tags[MODEL, version, key] = value


def refused_everywhere(aliases: ModelAliasProvider, stub: RestStub, *says: str, **gates: Any) -> None:
    """In preview and at the write, for a new resource and for one that moves; nothing is written."""
    stub.aliases[MODEL, ALIAS] = 16
    new = inputs("17", expected_version="16", **gates)
    told = [reasons(aliases, new)["alias"]]
    for operation in (
        lambda: aliases.create(new),
        lambda: aliases.diff("id", in_state("16"), inputs("17", **gates)),
        lambda: aliases.update("id", in_state("16"), inputs("17", **gates)),
    ):
        with pytest.raises(ProviderError) as caught:
            operation()
        told.append(str(caught.value))
    for text in told:
        assert f"alias {ALIAS} of {MODEL} is not moved to version 17" in text
        for one in says:
            assert one in text
    assert stub.writes() == []
    assert live(stub) == 16


def passes(aliases: ModelAliasProvider, stub: RestStub, **gates: Any) -> dict[str, Any]:
    stub.aliases[MODEL, ALIAS] = 16
    new = inputs("17", **gates)
    assert aliases.diff("id", in_state("16"), new).changes
    outs = aliases.update("id", in_state("16"), new).outs or {}
    assert live(stub) == 17
    return outs


@pytest.mark.parametrize("value", [None, "", "   "])
def test_a_tag_that_is_missing_or_empty_refuses_the_move(
    aliases: ModelAliasProvider, stub: RestStub, value: str | None
) -> None:
    if value is not None:
        tag(stub, "17", approved_by=value)
    refused_everywhere(
        aliases, stub, "tag approved_by", "expected any value", "'17', 'approved_by'", requires={"approved_by": ""}
    )


def test_a_tag_of_another_value_refuses_the_move_and_says_how_to_set_it(
    aliases: ModelAliasProvider, stub: RestStub
) -> None:
    tag(stub, "17", validation="failed")
    refused_everywhere(
        aliases,
        stub,
        "tag validation is 'failed', expected 'passed'",
        "set_model_version_tag('main.ml.fare', '17', 'validation', 'passed')",
        requires={"validation": "passed"},
    )


def test_a_version_has_to_win_an_alias_from_another_one_and_not_from_nobody(
    aliases: ModelAliasProvider, stub: RestStub
) -> None:
    won = {"requires_to_replace": {"ab_result": "passed"}}
    refused_everywhere(
        aliases, stub, "it has no tag ab_result, expected 'passed'", "'17', 'ab_result', 'passed'", **won
    )
    tag(stub, "17", ab_result="inconclusive")
    refused_everywhere(aliases, stub, "tag ab_result is 'inconclusive', expected 'passed'", **won)
    tag(stub, "17", ab_result="passed")
    passes(aliases, stub, **won)
    # Back to the version before, which never won against anybody: it had the alias already.
    tag(stub, "16", **{f"promoted_{ALIAS}": json.dumps({"model": MODEL, "to": "16"})})
    back = inputs("16", **won)
    assert aliases.diff("id", in_state("17"), back).changes
    aliases.update("id", in_state("17"), back)
    assert live(stub) == 16


def test_the_first_version_of_an_alias_is_compared_with_nobody(aliases: ModelAliasProvider, stub: RestStub) -> None:
    new = inputs("17", requires_to_replace={"ab_result": "passed"})
    assert reasons(aliases, new) == {}
    aliases.create(new)
    assert live(stub) == 17


def test_all_closed_gates_are_told_at_once(aliases: ModelAliasProvider, stub: RestStub) -> None:
    refused_everywhere(
        aliases,
        stub,
        "(and 2 more)",
        "it has no tag git_sha",
        "it has no tag trained_at",
        "alias challenger, the rung below, points to nothing",
        requires={"git_sha": "", "trained_at": ""},
        after="challenger",
    )


def test_tags_that_are_there_open_the_gate(aliases: ModelAliasProvider, stub: RestStub) -> None:
    tag(stub, "17", validation="passed", approved_by="ann@example.com")
    passes(aliases, stub, requires={"validation": "passed", "approved_by": ""})


def test_a_tag_that_goes_between_preview_and_write_stops_the_write(aliases: ModelAliasProvider, stub: RestStub) -> None:
    stub.aliases[MODEL, ALIAS] = 16
    tag(stub, "17", approved_by="ann")
    new = inputs("17", requires={"approved_by": ""})
    assert aliases.diff("id", in_state("16"), new).changes
    stub.tags.clear()
    with pytest.raises(ProviderError, match="it has no tag approved_by"):
        aliases.update("id", in_state("16"), new)
    assert live(stub) == 16


def test_gates_are_not_asked_where_nothing_moves(aliases: ModelAliasProvider, stub: RestStub) -> None:
    stub.aliases[MODEL, ALIAS] = 17
    assert not aliases.diff("id", in_state("17"), inputs("17", requires={"approved_by": ""})).changes
    assert stub.calls() == []
    assert aliases.create(inputs("17", requires={"approved_by": ""})).outs
    assert stub.writes() == []


@pytest.mark.parametrize(("status", "code"), [(403, "PERMISSION_DENIED"), (500, "INTERNAL_ERROR"), (504, "")])
@pytest.mark.parametrize(
    ("path", "gates"),
    [
        ("model-versions/get", {"requires": {"approved_by": ""}}),
        ("/aliases/challenger", {"after": "challenger"}),
        ("staging.ml.fare/aliases/", {"promoted_from": {"model": STAGING, "alias": "champion", "tag": "t"}}),
    ],
)
def test_a_gate_that_cannot_be_read_stays_closed(
    aliases: ModelAliasProvider, stub: RestStub, path: str, gates: dict[str, Any], status: int, code: str
) -> None:
    stub.aliases[MODEL, ALIAS] = 16
    tag(stub, "17", approved_by="ann")
    says = "permission denied" if status == 403 else "no usable answer"
    for operation in (aliases.diff, aliases.update):
        stub.fail("GET", path, status, code=code)
        with pytest.raises(ProviderError, match=says):
            operation("id", in_state("16"), inputs("17", **gates))
    assert stub.writes() == []


@pytest.mark.parametrize("evidence", [None, "", "looks fine", rpc.UNKNOWN])
def test_evidence_that_is_no_digest_refuses_the_write(
    aliases: ModelAliasProvider, stub: RestStub, evidence: str | None
) -> None:
    stub.aliases[MODEL, ALIAS] = 16
    new = inputs("17", require_evidence=True, evidence=evidence)
    assert aliases.diff("id", in_state("16"), new).changes
    with pytest.raises(ProviderError, match=r"expected the digest of a smoke run"):
        aliases.update("id", in_state("16"), new)
    assert stub.writes() == []


def test_a_digest_is_evidence(aliases: ModelAliasProvider, stub: RestStub) -> None:
    outs = passes(aliases, stub, require_evidence=True, evidence=DIGEST)
    assert outs["journal"][-1]["evidence"] == DIGEST


def test_the_rung_below_must_be_carried(aliases: ModelAliasProvider, stub: RestStub) -> None:
    stub.aliases[MODEL, "challenger"] = 18
    refused_everywhere(
        aliases,
        stub,
        "alias challenger, the rung below, points to version 18, and version 17 has never carried it",
        "Move challenger to version 17 first",
        after="challenger",
    )
    stub.aliases[MODEL, "challenger"] = 17
    passes(aliases, stub, after="challenger")


@pytest.mark.parametrize("carried", ["challenger", ALIAS])
def test_a_version_that_has_climbed_before_may_come_back(
    aliases: ModelAliasProvider, stub: RestStub, carried: str
) -> None:
    tag(stub, "17", **{f"promoted_{carried}": json.dumps({"model": MODEL, "to": "17"})})
    passes(aliases, stub, after="challenger")


@pytest.mark.parametrize("entry", ["no json", "[]", '{"model": "staging.ml.fare", "to": "17"}', '{"to": "17"}'])
def test_a_journal_that_was_copied_from_another_model_is_no_climb(
    aliases: ModelAliasProvider, stub: RestStub, entry: str
) -> None:
    tag(stub, "17", promoted_challenger=entry)
    refused_everywhere(aliases, stub, "the rung below", after="challenger")


def test_a_rung_that_the_same_program_moves_counts_in_preview_and_not_at_the_write(
    aliases: ModelAliasProvider, stub: RestStub
) -> None:
    stub.aliases[MODEL, ALIAS] = 16
    new = inputs("17", after="challenger", after_version="17")
    assert aliases.diff("id", in_state("16"), new).changes
    with pytest.raises(ProviderError, match="the rung below, points to nothing"):
        aliases.update("id", in_state("16"), new)
    stub.aliases[MODEL, "challenger"] = 17
    aliases.update("id", in_state("16"), new)
    assert live(stub) == 17


def test_bootstrap_skips_the_rung_only_while_the_alias_points_to_nothing(
    aliases: ModelAliasProvider, stub: RestStub
) -> None:
    gates = {"after": "challenger", "bootstrap": True}
    assert "set bootstrap" in reasons(aliases, inputs("17", after="challenger"))["alias"]
    assert reasons(aliases, inputs("17", **gates)) == {}
    aliases.create(inputs("17", **gates))
    assert live(stub) == 17
    with pytest.raises(ProviderError, match="the rung below"):
        aliases.update("id", in_state("17"), inputs("18", **gates))
    assert live(stub) == 17


def copied(stub: RestStub, *, evidence: str = DIGEST, version: str = "7", model: str = STAGING) -> None:
    """Version 17 as a copy of a version that was proven in staging."""
    stub.versions[STAGING] = {7: "READY"}
    stub.tags[STAGING, "7", "promoted_champion"] = json.dumps({"model": STAGING, "to": "7", "evidence": DIGEST})
    tag(stub, "17", promoted_from=json.dumps({"model": model, "version": version, "evidence": evidence}))


def test_the_same_proof_in_both_catalogs_opens_the_gate(aliases: ModelAliasProvider, stub: RestStub) -> None:
    copied(stub)
    stub.runs |= {(STAGING, "7"): "run-1", (MODEL, "17"): "run-1"}
    passes(aliases, stub, promoted_from={**FROM_STAGING, "digest": DIGEST})


def test_an_alias_says_which_version_was_proven(aliases: ModelAliasProvider, stub: RestStub) -> None:
    copied(stub)
    gates = {"promoted_from": {"model": STAGING, "alias": "champion", "tag": "promoted_champion"}}
    refused_everywhere(
        aliases, stub, f"alias champion of {STAGING}, which it has to come from, does not exist", **gates
    )
    stub.aliases[STAGING, "champion"] = 7
    passes(aliases, stub, **gates)


def test_a_digest_may_stand_in_the_tag_itself(aliases: ModelAliasProvider, stub: RestStub) -> None:
    copied(stub)
    stub.tags[STAGING, "7", "promoted_champion"] = DIGEST
    passes(aliases, stub, promoted_from=FROM_STAGING)


def test_a_version_that_was_copied_from_nowhere_is_refused(aliases: ModelAliasProvider, stub: RestStub) -> None:
    refused_everywhere(
        aliases,
        stub,
        "has no tag promoted_from",
        "alias_copy staging.ml.fare/7 main.ml.fare",
        promoted_from=FROM_STAGING,
    )


@pytest.mark.parametrize("other", [{"version": "6"}, {"model": "dev.ml.fare"}])
def test_a_copy_of_another_version_is_refused(
    aliases: ModelAliasProvider, stub: RestStub, other: dict[str, str]
) -> None:
    copied(stub, **other)
    refused_everywhere(aliases, stub, "was copied from", f"expected {STAGING} version 7", promoted_from=FROM_STAGING)


def test_another_digest_is_refused_wherever_it_stands(aliases: ModelAliasProvider, stub: RestStub) -> None:
    copied(stub, evidence=OTHER)
    refused_everywhere(aliases, stub, f"copied on evidence {OTHER}", f"now has {DIGEST}", promoted_from=FROM_STAGING)
    copied(stub)
    refused_everywhere(
        aliases, stub, f"promoted_from.digest is {OTHER}", promoted_from={**FROM_STAGING, "digest": OTHER}
    )


def test_a_version_that_was_never_proven_there_is_refused(aliases: ModelAliasProvider, stub: RestStub) -> None:
    copied(stub)
    del stub.tags[STAGING, "7", "promoted_champion"]
    refused_everywhere(aliases, stub, "holds no digest (found None)", promoted_from=FROM_STAGING)
    stub.versions[STAGING].clear()
    refused_everywhere(aliases, stub, f"{STAGING} has no version 7", promoted_from=FROM_STAGING)


def test_another_artifact_under_the_same_tags_is_refused(aliases: ModelAliasProvider, stub: RestStub) -> None:
    copied(stub)
    stub.runs |= {(STAGING, "7"): "run-1", (MODEL, "17"): "run-2"}
    refused_everywhere(aliases, stub, "comes from run run-2", "another artifact", promoted_from=FROM_STAGING)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"model": STAGING, "tag": "t"}, "either version or alias"),
        ({"model": STAGING, "tag": "t", "alias": "a", "version": "1"}, "either version or alias"),
        ({"model": STAGING, "alias": "a"}, "name model, tag"),
        ({"model": "fare", "alias": "a", "tag": "t"}, "three"),
        ({"model": STAGING, "version": "x", "tag": "t"}, "whole number"),
    ],
)
def test_an_origin_that_names_no_version_is_refused(
    aliases: ModelAliasProvider, stub: RestStub, value: dict[str, str], says: str
) -> None:
    found = reasons(aliases, inputs(promoted_from=value))
    assert list(found) == ["promoted_from"]
    assert says in found["promoted_from"]
    assert stub.calls() == []


def test_gates_that_are_not_known_yet_wait_for_the_write(aliases: ModelAliasProvider, stub: RestStub) -> None:
    stub.aliases[MODEL, ALIAS] = 16
    new = inputs("17", requires={"approved_by": rpc.UNKNOWN}, after=rpc.UNKNOWN, promoted_from=rpc.UNKNOWN)
    assert aliases.diff("id", in_state("16"), new).changes


def test_a_move_while_the_gates_are_read_is_seen_before_the_write(
    aliases: ModelAliasProvider, stub: RestStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub.aliases[MODEL, ALIAS] = 16
    tag(stub, "17", approved_by="ann")
    answer = stub.handle

    def handle(request: Received) -> Reply | None:
        if request.path.endswith("/model-versions/get"):
            stub.aliases[MODEL, ALIAS] = 18
        return answer(request)

    monkeypatch.setattr(stub, "handle", handle)
    with pytest.raises(ProviderError, match="points to version 18, this stack last saw it at 16"):
        aliases.update("id", in_state("16"), inputs("17", requires={"approved_by": ""}))
    assert stub.writes() == []
