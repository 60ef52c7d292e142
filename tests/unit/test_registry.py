"""Aliases become version numbers at preview; a workspace that does not answer is told from one that says no."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pulumi
import pytest
import requests
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.catalog import ModelVersionInfo, ModelVersionInfoStatus, RegisteredModelInfo

from components.config import EndpointConfig, ModelConfig
from components.registry import (
    ModelVersionError,
    NoVersionYetError,
    check_documented,
    check_versions_exist,
    resolve_aliases,
    served_entities,
)

MODEL = "main.taxi.fares"
READY, PENDING = ModelVersionInfoStatus.READY, ModelVersionInfoStatus.PENDING_REGISTRATION


def client(
    *versions: tuple[int, ModelVersionInfoStatus],
    error: Exception | None = None,
    tags: Mapping[str, Mapping[str, str]] | None = None,
) -> WorkspaceClient:
    """A workspace with these versions; those that `tags` leaves out must not be asked for their tags."""

    def got(_method: str, _path: str, *, query: dict[str, str], headers: object) -> dict[str, Any]:
        found = (tags or {})[query["version"]]
        return {"model_version": {"tags": [{"key": key, "value": value} for key, value in found.items()]}}

    def listed(_: str) -> list[ModelVersionInfo]:
        if error is not None:
            raise error
        return [ModelVersionInfo(version=number, status=status) for number, status in versions]

    calls = SimpleNamespace(
        model_versions=SimpleNamespace(list=listed), config=SimpleNamespace(host="https://w", workspace_id=None)
    )
    calls.api_client = SimpleNamespace(do=got)
    return cast("WorkspaceClient", calls)


def model(**aliases: str) -> ModelConfig:
    return ModelConfig.model_validate({"name": MODEL, "aliases": aliases})


def endpoint(*entities: dict[str, Any]) -> EndpointConfig:
    return EndpointConfig.model_validate({"name": "fares", "entities": list(entities)})


def test_the_newest_version_is_the_highest_number_that_is_ready() -> None:
    found = resolve_aliases(model(champion=""), client((10, READY), (9, READY), (11, PENDING)))
    assert found == {"champion": "10"}


def requiring(**requires: str) -> ModelConfig:
    return ModelConfig.model_validate(
        {"name": MODEL, "aliases": {"champion": ""}, "promotion": {"champion": {"requires": requires}}}
    )


def test_the_newest_version_is_one_that_its_alias_may_move_to_and_those_passed_over_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", said.append)
    tags = {"3": {"validation": "failed"}, "2": {"validation": "passed"}}
    known = client((1, READY), (2, READY), (3, READY), (4, PENDING), tags=tags)
    assert resolve_aliases(requiring(validation="passed"), known) == {"champion": "2"}
    (warning,) = said
    assert f"version 2 of {MODEL} is taken" in warning
    assert "version 3 (tag validation is 'failed', expected 'passed')" in warning


def test_without_a_version_that_may_be_served_there_is_none_yet_and_each_is_said_what_it_lacks() -> None:
    tags = {"1": {}, "2": {"validation": "failed"}}
    with pytest.raises(NoVersionYetError) as refused:
        resolve_aliases(requiring(validation="passed"), client((1, READY), (2, READY), tags=tags))
    assert "version 2 (tag validation is 'failed', expected 'passed')" in str(refused.value)
    assert "version 1 (it has no tag validation, expected 'passed')" in str(refused.value)
    for empty in (client(), client(error=NotFound("no such model"))):
        with pytest.raises(NoVersionYetError):
            resolve_aliases(requiring(validation="passed"), empty)


def test_tags_that_cannot_be_read_are_not_a_version_without_them() -> None:
    known = client((1, READY), tags={"1": {}})
    known.api_client.do = lambda *_, **__: {}  # type: ignore[method-assign]
    with pytest.raises(ModelVersionError, match="names no model_version") as refused:
        resolve_aliases(requiring(validation="passed"), known)
    assert not isinstance(refused.value, NoVersionYetError)


def test_a_named_version_that_is_not_there_is_no_reason_to_wait_for_one() -> None:
    with pytest.raises(ModelVersionError, match="has no version 7") as refused:
        resolve_aliases(model(champion="7"), client((1, READY)))
    assert not isinstance(refused.value, NoVersionYetError)


@pytest.mark.parametrize("error", [TimeoutError("Timed out after 0:01:00"), requests.ConnectionError("reset")])
def test_a_workspace_that_stops_answering_ends_in_a_message_and_not_in_a_traceback(error: Exception) -> None:
    with pytest.raises(ModelVersionError, match=rf"versions of {MODEL} could not be read from https://w: .*{error}"):
        resolve_aliases(model(champion="1"), client(error=error))


def test_two_aliases_of_one_version_become_one_entity_with_both_shares_and_preview_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "info", said.append)
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
    config = endpoint({"alias": "champion", "traffic": 80}, {"alias": "production", "traffic": 20})
    (entity,) = served_entities(
        config, model(champion="3", production="3"), {"champion": "3", "production": "3"}, scale_to_zero=False
    )
    assert (entity.entity_name, entity.traffic_percentage, entity.scale_to_zero_enabled) == ("fares-3", 100, False)
    assert said == [
        f"endpoint.entities: champion and production are the same version 3 of {MODEL}: fares-3 is served once, with "
        "100 % of the traffic"
    ]
    said.clear()
    apart = {"champion": "4", "production": "3"}
    assert len(served_entities(config, model(champion="4", production="3"), apart, scale_to_zero=False)) == 2
    assert said == []


@pytest.mark.parametrize("comment", [None, "", "  "])
def test_a_model_that_says_nothing_of_itself_is_refused_where_that_is_asked_and_told_of_elsewhere(
    comment: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warned.append)
    silent = documented(comment)
    with pytest.raises(ModelVersionError, match=rf"model {MODEL} has no comment: say what it predicts.*update {MODEL}"):
        check_documented(MODEL, silent, required=True)
    assert warned == []
    check_documented(MODEL, silent, required=False)
    assert len(warned) == 1
    check_documented(MODEL, documented("Fares; ml-platform."), required=True)
    assert len(warned) == 1


def documented(comment: str | None) -> WorkspaceClient:
    models = SimpleNamespace(get=lambda name: RegisteredModelInfo(full_name=name, comment=comment))
    return cast("WorkspaceClient", SimpleNamespace(registered_models=models, config=SimpleNamespace(host="https://w")))


def test_entities_that_come_to_one_name_with_different_settings_are_refused() -> None:
    config = endpoint({"alias": "champion", "traffic": 80}, {"version": "3", "traffic": 20, "workloadSize": "Large"})
    with pytest.raises(ModelVersionError, match=r"two entries are both fares-3 \(version 3\)"):
        served_entities(config, model(champion="3"), {"champion": "3"}, scale_to_zero=True)


def test_a_version_that_an_alias_was_resolved_to_is_not_asked_about_again() -> None:
    config = endpoint({"alias": "champion", "traffic": 100})
    entities = served_entities(config, model(champion="3"), {"champion": "3"}, scale_to_zero=True)
    check_versions_exist(MODEL, entities, {"champion": "3"}, client(error=requests.ConnectionError("asked")))


@pytest.mark.parametrize(("status", "says"), [(PENDING, "is not READY"), (None, "has no version 4")])
def test_a_version_named_by_the_endpoint_itself_must_be_there_and_ready(
    status: ModelVersionInfoStatus | None, says: str
) -> None:
    config = endpoint({"alias": "champion", "traffic": 80}, {"version": "4", "traffic": 20})
    entities = served_entities(config, model(champion="3"), {"champion": "3"}, scale_to_zero=True)
    known = [(3, READY), *([] if status is None else [(4, status)])]
    with pytest.raises(ModelVersionError, match=says):
        check_versions_exist(MODEL, entities, {"champion": "3"}, client(*known))
