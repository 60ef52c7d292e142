"""`ModelAlias`: the alias moves only from where somebody has seen it, and only to a version that is there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pulumi.runtime import rpc

from components.dynamic.errors import ProviderError
from components.dynamic.model_alias import JOURNAL_LENGTH, ModelAliasProvider
from tests.support.rest_stub import RestStub
from tests.unit.dynamic.conftest import FakeClock, MakeProvider

MODEL = "main.ml.fare"
ALIAS = "champion"
ALIAS_PATH = f"/api/2.1/unity-catalog/models/{MODEL}/aliases/{ALIAS}"


@pytest.fixture
def aliases(provider: MakeProvider[ModelAliasProvider], stub: RestStub) -> ModelAliasProvider:
    stub.versions[MODEL] = dict.fromkeys(range(1, 31), "READY")
    stub.versions[MODEL][99] = "READY"
    return provider(ModelAliasProvider)


def inputs(version: str = "17", **others: Any) -> dict[str, Any]:
    return {
        "model": MODEL,
        "alias": ALIAS,
        "version": version,
        "on_delete": "keep",
        "provider_version": "1",
        "__provider": "pickled",
        **others,
    }


def in_state(version: str, **others: Any) -> dict[str, Any]:
    """Outputs of a resource that moved the alias to `version`, from 16."""
    return inputs(version, previous_version="16", promoted_at="then", promoted_by="me", journal=[], **others)


def live(stub: RestStub) -> int | None:
    return stub.aliases.get((MODEL, ALIAS))


def reasons(provider: ModelAliasProvider, news: dict[str, Any], olds: dict[str, Any] | None = None) -> dict[str, str]:
    result = provider.check(olds or {}, news)
    return {failure.property: failure.reason for failure in result.failures}


def test_check_accepts_a_ready_version_and_only_reads(aliases: ModelAliasProvider, stub: RestStub) -> None:
    result = aliases.check({}, inputs())
    assert result.failures == []
    assert result.inputs["version"] == "17"
    assert stub.writes() == []


def test_check_takes_a_version_that_crossed_the_engine_as_a_number(aliases: ModelAliasProvider) -> None:
    result = aliases.check({}, inputs() | {"version": 17.0})
    assert result.failures == []
    assert result.inputs["version"] == "17"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("model", "ml.fare", "2 parts instead of three"),
        ("alias", "Champion", "write 'champion'"),
        ("alias", "latest", "reserved"),
        ("alias", "v3", "version number"),
        ("version", "champion", "alias is resolved"),
        ("version", 1.5, "not a version number"),
        ("expected_version", "x", "whole number"),
        ("on_delete", "drop", "keep, remove, restore_previous"),
    ],
)
def test_check_refuses_a_bad_input_without_asking_anybody(
    aliases: ModelAliasProvider, stub: RestStub, name: str, value: Any, says: str
) -> None:
    found = reasons(aliases, inputs() | {name: value})
    assert list(found) == [name]
    assert says in found[name]
    assert stub.calls() == []


@pytest.mark.parametrize("name", ["model", "alias", "version"])
def test_check_lets_what_is_not_known_yet_through(aliases: ModelAliasProvider, stub: RestStub, name: str) -> None:
    assert reasons(aliases, inputs() | {name: rpc.UNKNOWN}) == {}
    assert stub.calls() == []


def test_check_names_a_missing_model_and_a_missing_version_apart(aliases: ModelAliasProvider, stub: RestStub) -> None:
    assert "has no version 50" in reasons(aliases, inputs("50"))["version"]
    del stub.versions[MODEL]
    missing = reasons(aliases, inputs("17"))
    assert f"registered model {MODEL} does not exist" in missing["model"]
    assert stub.host in missing["model"]


@pytest.mark.parametrize("status", ["PENDING_REGISTRATION", "FAILED_REGISTRATION"])
def test_check_refuses_a_version_that_is_not_ready(aliases: ModelAliasProvider, stub: RestStub, status: str) -> None:
    stub.versions[MODEL][17] = status
    assert f"is {status}, expected READY" in reasons(aliases, inputs())["version"]


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (403, "PERMISSION_DENIED", "permission denied"),
        (500, "INTERNAL_ERROR", "no usable answer"),
        (504, "", "no usable answer"),
        (404, "ENDPOINT_NOT_FOUND", "no usable answer"),
    ],
)
def test_an_error_is_not_absence(
    aliases: ModelAliasProvider, stub: RestStub, status: int, code: str, says: str
) -> None:
    stub.fail("GET", "/versions/17", status, code=code)
    assert says in reasons(aliases, inputs())["version"]
    stub.fail("GET", "/aliases/", status, code=code)
    assert says in reasons(aliases, inputs())["alias"]
    stub.fail("GET", "/aliases/", status, code=code)
    with pytest.raises(ProviderError, match=says):
        aliases.create(inputs())
    stub.fail("GET", "/aliases/", status, code=code)
    with pytest.raises(ProviderError, match=says):
        aliases.read("id", in_state("17"))
    assert stub.writes() == []


def test_check_and_create_take_over_nobodys_alias(aliases: ModelAliasProvider, stub: RestStub) -> None:
    stub.aliases[MODEL, ALIAS] = 5
    found = reasons(aliases, inputs())["alias"]
    assert "points to version 5 already" in found
    assert 'expected_version to "5"' in found
    with pytest.raises(ProviderError, match="has never seen it"):
        aliases.create(inputs())
    assert live(stub) == 5


def test_an_expected_version_takes_an_alias_over(aliases: ModelAliasProvider, stub: RestStub) -> None:
    stub.aliases[MODEL, ALIAS] = 5
    assert reasons(aliases, inputs(expected_version="5")) == {}
    outs = aliases.create(inputs(expected_version="5")).outs or {}
    assert live(stub) == 17
    assert outs["previous_version"] == "5"


def test_an_unchanged_resource_is_not_compared_with_the_workspace(aliases: ModelAliasProvider, stub: RestStub) -> None:
    stub.aliases[MODEL, ALIAS] = 99
    assert reasons(aliases, inputs(), olds=inputs()) == {}


def test_create_sets_the_alias_and_tells_who_when_from_to_and_why(aliases: ModelAliasProvider, stub: RestStub) -> None:
    result = aliases.create(inputs(evidence="sha256:abc", reason="new zones, CAB-12"))
    outs = result.outs or {}
    assert result.id == f"{MODEL}@{ALIAS}"
    assert live(stub) == 17
    (entry,) = outs["journal"]
    assert (entry["from"], entry["to"], entry["by"], entry["evidence"]) == (
        "",
        "17",
        "deployer@example.com",
        "sha256:abc",
    )
    assert entry["reason"] == "new zones, CAB-12"
    assert (outs["previous_version"], outs["promoted_by"], outs["promoted_at"]) == (
        "",
        "deployer@example.com",
        entry["at"],
    )
    assert "__provider" not in outs
    assert json.loads(stub.tags[MODEL, "17", "promoted_champion"]) == entry
    assert [one.body for one in stub.received if one.method == "PUT"] == [{"version_num": 17}]


def test_create_adopts_an_alias_that_is_where_it_should_be(aliases: ModelAliasProvider, stub: RestStub) -> None:
    stub.aliases[MODEL, ALIAS] = 17
    outs = aliases.create(inputs()).outs or {}
    assert stub.writes() == []
    assert (outs["version"], outs["previous_version"], outs["journal"]) == ("17", "17", [])


def test_update_moves_the_alias_from_the_version_in_state(aliases: ModelAliasProvider, stub: RestStub) -> None:
    stub.aliases[MODEL, ALIAS] = 17
    outs = aliases.update("id", in_state("17"), inputs("18", evidence="sha256:new")).outs or {}
    assert live(stub) == 18
    assert (outs["previous_version"], outs["evidence"]) == ("17", "sha256:new")


@pytest.mark.parametrize("found", [99, None])
def test_a_move_nobody_has_seen_is_refused_in_preview_and_in_update(
    aliases: ModelAliasProvider, stub: RestStub, found: int | None
) -> None:
    if found is not None:
        stub.aliases[MODEL, ALIAS] = found
    for operation in (aliases.diff, aliases.update):
        with pytest.raises(ProviderError, match="pulumi refresh"):
            operation("id", in_state("17"), inputs("18"))
    assert live(stub) == found
    assert stub.writes() == []


def test_a_move_that_refresh_has_shown_is_repaired_and_keeps_the_way_back(
    aliases: ModelAliasProvider, stub: RestStub
) -> None:
    stub.aliases[MODEL, ALIAS] = 16
    created = aliases.update("id", in_state("16"), inputs("17")).outs or {}
    stub.aliases[MODEL, ALIAS] = 99
    seen = aliases.read("id", created).outs or {}
    assert seen["version"] == "99"
    assert aliases.diff("id", seen, inputs("17")).changes
    repaired = aliases.update("id", seen, inputs("17")).outs or {}
    assert live(stub) == 17
    assert repaired["previous_version"] == "16"
    assert [(entry["from"], entry["to"]) for entry in repaired["journal"]] == [("16", "17"), ("99", "17")]


def test_an_explicit_expected_version_outranks_the_one_in_state(aliases: ModelAliasProvider, stub: RestStub) -> None:
    stub.aliases[MODEL, ALIAS] = 17
    with pytest.raises(ProviderError, match="expected_version is 5"):
        aliases.update("id", in_state("17"), inputs("18", expected_version="5"))
    stub.aliases[MODEL, ALIAS] = 5
    aliases.update("id", in_state("17"), inputs("18", expected_version="5"))
    assert live(stub) == 18


def test_update_after_a_killed_update_finds_its_work_done(aliases: ModelAliasProvider, stub: RestStub) -> None:
    stub.aliases[MODEL, ALIAS] = 18
    outs = aliases.update("id", in_state("17"), inputs("18")).outs or {}
    assert stub.writes() == []
    assert (outs["version"], outs["previous_version"]) == ("18", "17")


def test_what_is_no_move_touches_no_alias(aliases: ModelAliasProvider, stub: RestStub) -> None:
    assert not aliases.diff("id", in_state("17"), inputs("17", expected_version="3", evidence="sha256:x")).changes
    assert aliases.diff("id", in_state("17"), inputs("17") | {"on_delete": "remove"}).changes
    outs = aliases.update("id", in_state("17"), inputs("17") | {"on_delete": "remove"}).outs or {}
    assert stub.calls() == []
    assert (outs["on_delete"], outs["promoted_at"], outs["previous_version"]) == ("remove", "then", "16")


@pytest.mark.parametrize(("name", "value"), [("model", "main.ml.other"), ("alias", "production")])
def test_another_model_or_alias_is_another_resource_made_first(
    aliases: ModelAliasProvider, name: str, value: str
) -> None:
    result = aliases.diff("id", in_state("17"), inputs() | {name: value})
    assert (result.changes, result.replaces, result.delete_before_replace) == (True, [name], False)


def test_a_version_not_known_yet_is_a_change(aliases: ModelAliasProvider, stub: RestStub) -> None:
    assert aliases.diff("id", in_state("17"), inputs() | {"version": rpc.UNKNOWN}).changes
    assert stub.calls() == []


def test_the_journal_is_bounded(aliases: ModelAliasProvider, stub: RestStub) -> None:
    state = aliases.create(inputs("1")).outs or {}
    for version in range(2, JOURNAL_LENGTH + 5):
        state = aliases.update("id", state, inputs(str(version))).outs or {}
    assert [entry["to"] for entry in state["journal"]] == [str(n) for n in range(5, JOURNAL_LENGTH + 5)]


@pytest.mark.parametrize("status", [500, None])
def test_a_write_that_failed_after_it_took_effect_is_no_failure(
    aliases: ModelAliasProvider, stub: RestStub, status: int | None
) -> None:
    stub.fail("PUT", "/aliases/", status, after_effect=True)
    aliases.create(inputs())
    assert live(stub) == 17


def test_a_write_that_failed_without_effect_is_one(aliases: ModelAliasProvider, stub: RestStub) -> None:
    stub.fail("PUT", "/aliases/", 500, "backend is down")
    with pytest.raises(ProviderError, match="backend is down"):
        aliases.create(inputs())
    assert live(stub) is None


def test_a_refused_write_is_reported_at_once(aliases: ModelAliasProvider, stub: RestStub, clock: FakeClock) -> None:
    stub.fail("PUT", "/aliases/", 403, "needs owner", code="PERMISSION_DENIED")
    with pytest.raises(ProviderError, match=r"pointing alias champion .* permission denied: needs owner"):
        aliases.create(inputs())
    assert clock.slept == []


def test_an_alias_that_reads_back_elsewhere_is_a_failure(aliases: ModelAliasProvider, stub: RestStub) -> None:
    stub.aliases[MODEL, ALIAS] = 16
    stub.fail("PUT", "/aliases/", 200, count=1)
    with pytest.raises(ProviderError, match="reads back as 16"):
        aliases.update("id", in_state("16"), inputs("17"))


def test_a_journal_tag_that_cannot_be_written_is_a_warning(
    aliases: ModelAliasProvider, stub: RestStub, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.fail("POST", "set-tag", 403, "no APPLY TAG", code="PERMISSION_DENIED")
    aliases.create(inputs())
    assert live(stub) == 17
    assert "tag was not written" in capsys.readouterr().out


def test_read_shows_where_the_alias_is_and_that_it_is_gone(aliases: ModelAliasProvider, stub: RestStub) -> None:
    stub.aliases[MODEL, ALIAS] = 99
    result = aliases.read("id", in_state("17"))
    assert (result.id, (result.outs or {})["version"]) == ("id", "99")
    del stub.aliases[MODEL, ALIAS]
    assert aliases.read("id", in_state("17")).id == ""


@pytest.mark.parametrize(
    ("on_delete", "previous", "left"),
    [
        ("keep", "16", 17),
        ("remove", "16", None),
        ("restore_previous", "16", 16),
        ("restore_previous", "", None),
        ("restore_previous", "17", 17),
    ],
)
def test_delete_does_what_on_delete_says(
    aliases: ModelAliasProvider, stub: RestStub, on_delete: str, previous: str, left: int | None
) -> None:
    stub.aliases[MODEL, ALIAS] = 17
    aliases.delete("id", in_state("17") | {"on_delete": on_delete, "previous_version": previous})
    assert live(stub) == left


@pytest.mark.parametrize("on_delete", ["remove", "restore_previous"])
def test_delete_takes_away_nobodys_alias(aliases: ModelAliasProvider, stub: RestStub, on_delete: str) -> None:
    stub.aliases[MODEL, ALIAS] = 99
    with pytest.raises(ProviderError, match="pulumi refresh"):
        aliases.delete("id", in_state("17") | {"on_delete": on_delete})
    assert live(stub) == 99


@pytest.mark.parametrize("on_delete", ["keep", "remove", "restore_previous"])
def test_deleting_an_alias_that_is_gone_is_done_already(
    aliases: ModelAliasProvider, stub: RestStub, on_delete: str
) -> None:
    aliases.delete("id", in_state("17") | {"on_delete": on_delete})
    assert stub.writes() == []


def test_an_alias_is_not_given_back_to_a_version_that_is_gone(aliases: ModelAliasProvider, stub: RestStub) -> None:
    stub.aliases[MODEL, ALIAS] = 17
    del stub.versions[MODEL][16]
    with pytest.raises(ProviderError, match=r"cannot go back to version 16"):
        aliases.delete("id", in_state("17") | {"on_delete": "restore_previous"})
    assert live(stub) == 17
