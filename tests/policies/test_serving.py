"""POL-01: a registered model is served by the number of its version."""

from __future__ import annotations

from typing import Any

import pytest

from policies.endpoints import MODEL_SERVING, PROVISIONED_THROUGHPUT
from policies.serving import served_entity_version_is_a_number
from tests.policies.judging import UNKNOWN, Declared, Judgement, judge


def judged(*entities: Any, kind: str = MODEL_SERVING, block: str = "servedEntities") -> Judgement:
    return judge(served_entity_version_is_a_number, [Declared(kind, {"config": {block: list(entities)}})])


def entity(version: Any, **more: Any) -> dict[str, Any]:
    return {"name": "champion", "entityName": "c.s.model", "entityVersion": version, **more}


@pytest.mark.parametrize("version", ["1", "15", 15.0])
def test_a_number_passes(version: Any) -> None:
    assert judged(entity(version)) == Judgement([])


@pytest.mark.parametrize(
    "version", ["latest", "@champion", "production", "v15", "1.5", "-1", " 15", "\u0661\u0665", 1.5]
)
def test_anything_else_is_refused_with_where_what_and_the_change(version: Any) -> None:
    (violation,) = judged(entity(version)).violations
    assert "config.servedEntities[0] (champion)" in violation
    assert f"version of c.s.model is '{version}'" in violation
    assert 'such as "15"' in violation


def test_every_entity_is_judged_in_both_spellings_and_both_kinds_of_endpoint() -> None:
    assert len(judged(entity("latest"), entity("3"), entity("prod")).violations) == 2
    (violation,) = judged({"modelName": "m", "modelVersion": "latest"}, block="servedModels").violations
    assert "config.servedModels[0]" in violation
    assert len(judged(entity("latest"), kind=PROVISIONED_THROUGHPUT).violations) == 1


@pytest.mark.parametrize(
    "unversioned",
    [
        {"entityName": "c.s.feature_spec"},
        {"entityName": "c.s.feature_spec", "entityVersion": ""},
        {"externalModel": {"name": "gpt-4", "provider": "openai"}},
    ],
)
def test_what_has_no_version_passes(unversioned: dict[str, Any]) -> None:
    assert judged(unversioned) == Judgement([])


def test_an_endpoint_whose_config_somebody_else_owns_passes() -> None:
    assert judge(served_entity_version_is_a_number, [Declared(MODEL_SERVING, {"name": "e"})]) == Judgement([])


def test_a_version_not_known_yet_is_told_and_the_others_are_still_judged() -> None:
    judgement = judged(entity(UNKNOWN), entity("latest"))
    assert len(judgement.violations) == 1
    assert judgement.unknown == "config.servedEntities.0.entityVersion"


def test_an_unknown_list_or_entity_is_told_and_the_others_are_still_judged() -> None:
    unknown_list = Declared(MODEL_SERVING, {"config": {"servedEntities": UNKNOWN}})
    assert judge(served_entity_version_is_a_number, [unknown_list]) == Judgement([], "config.servedEntities")
    judgement = judged(UNKNOWN, entity("latest"))
    assert judgement.unknown == "config.servedEntities.0"
    (violation,) = judgement.violations
    assert "config.servedEntities[1]" in violation
