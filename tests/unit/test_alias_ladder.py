"""The aliases of a stack climb in order, fit the traffic, and carry their conditions into the resources."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest
from pydantic import ValidationError

from components.alias_ladder import AliasLadderError, check_coherence, climbing_order, rung_below, stack_aliases
from components.config import ModelConfig
from components.served_entity import ServedEntityArgs
from tests.unit.recording import record

MODEL = "main.taxi.fares"
LADDER = ["challenger", "champion", "production"]
ALIASES = {"production": "14", "challenger": "observed", "champion": "15", "canary": "15"}


def model(**others: Any) -> ModelConfig:
    return ModelConfig.model_validate({"name": MODEL, "aliases": ALIASES, "ladder": LADDER, **others})


def entity(version: str, traffic: int, name: str | None = None) -> ServedEntityArgs:
    return ServedEntityArgs(
        model=MODEL, version=version, traffic_percentage=traffic, name=name, scale_to_zero_enabled=False
    )


def test_every_rung_but_the_lowest_has_one_below() -> None:
    assert [rung_below(LADDER, alias) for alias in (*LADDER, "canary")] == [None, "challenger", "champion", None]
    assert rung_below([], "champion") is None


def test_managed_aliases_move_from_the_lowest_rung_up() -> None:
    assert climbing_order(model()) == ["canary", "champion", "production"]


@pytest.mark.parametrize(
    ("split", "fits"),
    [
        ([("14", 80), ("15", 20)], True),
        ([("14", 50), ("15", 50)], True),
        ([("14", 30), ("14", 30), ("15", 40)], True),
        ([("14", 20), ("15", 80)], False),
        ([("15", 100)], False),
        ([("14", 0), ("15", 100)], False),
    ],
)
def test_the_production_alias_names_the_version_with_the_most_traffic(split: list[tuple[str, int]], fits: bool) -> None:
    versions = {"production": "14", "champion": "15", "challenger": "15", "canary": "15"}
    entities = [entity(version, share, f"e{number}") for number, (version, share) in enumerate(split)]
    if fits:
        check_coherence(model(), versions, entities)
        return
    with pytest.raises(
        AliasLadderError, match=r"production is version 14, but most .* to version 15 .*point production"
    ):
        check_coherence(model(), versions, entities)


def test_an_observed_production_alias_that_is_behind_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", told.append)
    observed = model(aliases={"production": "observed", "champion": "15"})
    check_coherence(observed, {"production": "14", "champion": "15"}, [entity("15", 100)])
    assert len(told) == 1
    assert "production is version 14" in told[0]


def test_without_a_ladder_no_alias_is_the_production_alias() -> None:
    check_coherence(model(ladder=[]), {"production": "14"}, [entity("15", 100)])


def test_the_resources_carry_the_conditions_and_the_rung_below() -> None:
    promotion = {
        "production": {
            "expectedVersion": "13",
            "requires": {"approved_by": "", "validation": "passed"},
            "requiresToReplace": {"ab_result": "passed"},
            "reason": "fewer errors at night",
            "bootstrap": True,
            "onDelete": "restore_previous",
        }
    }
    origin = {"model": "staging.taxi.fares", "alias": "champion", "digest": "sha256:11"}
    recording = record(
        lambda: (
            stack_aliases(
                model(promotion=promotion, promotedFrom=origin),
                {"production": "14", "champion": "15", "challenger": "15", "canary": "15"},
                evidence="sha256:abc",
                on_delete="keep",
                depends_on=[],
            )
            and None
        )
    )
    canary, champion, production = recording.of_type("ModelAlias")
    assert [one["alias"] for one in (canary, champion, production)] == ["canary", "champion", "production"]
    assert "after" not in canary
    # The stack does not move challenger: only the workspace knows where it is.
    assert (champion["after"], champion.get("after_version")) == ("challenger", None)
    assert (production["after"], production["after_version"]) == ("champion", "15")
    assert (champion["on_delete"], production["on_delete"]) == ("keep", "restore_previous")
    assert production["expected_version"] == "13"
    assert production["requires"] == {"approved_by": "", "validation": "passed"}
    assert production["requires_to_replace"] == {"ab_result": "passed"}
    assert production["reason"] == "fewer errors at night"
    assert "reason" not in champion
    assert production["bootstrap"] is True
    assert production["promoted_from"] == {
        "model": "staging.taxi.fares",
        "alias": "champion",
        "digest": "sha256:11",
        "tag": "promoted_champion",
    }
    assert all(one["require_evidence"] and one["evidence"] == "sha256:abc" for one in (canary, champion, production))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"ladder": ["champion"]}, "at least two"),
        ({"ladder": ["champion", "champion"]}, "twice"),
        ({"ladder": ["champion", "Production"]}, "write 'production'"),
        ({"promotion": {"challenger": {}}}, "challenger, which this stack does not manage"),
        ({"promotion": {"chmapion": {}}}, "chmapion, which this stack does not manage"),
        ({"promotion": {"champion": {"expectedVersion": "x"}}}, "whole number"),
        ({"promotion": {"champion": {"requires": {" ": "x"}}}}, "empty key"),
        ({"promotion": {"champion": {"requiresToReplace": {"": "x"}}}}, "empty key"),
        ({"promotion": {"champion": {"reason": "x" * 201}}}, "201 characters long; say it in 200"),
        ({"promotion": {"champion": {"onDelete": "drop"}}}, "restore_previous"),
        ({"promotedFrom": {"model": "staging.taxi.fares"}}, "exactly one of `alias` and `version`"),
        ({"promotedFrom": {"model": "staging.taxi.fares", "alias": "a", "version": "1"}}, "exactly one"),
        ({"promotedFrom": {"model": "staging.taxi.fares", "version": "1"}}, "no tag"),
        ({"promotedFrom": {"model": "fares", "alias": "champion"}}, "three"),
        ({"promotedFrom": {"model": MODEL, "alias": "champion"}}, "itself"),
        ({"promotedFrom": {"model": "staging.taxi.fares", "alias": "champion", "digest": "x"}}, "pattern"),
    ],
)
def test_conditions_that_cannot_hold_are_refused(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        model(**values)


def test_an_expected_version_may_be_a_number() -> None:
    assert model(promotion={"champion": {"expectedVersion": 14}}).settings_of("champion").expected_version == "14"
