"""A stack's settings are read from where they may stand, or refused without being shown."""

from __future__ import annotations

import json
from contextvars import copy_context

import pulumi
import pytest
from pulumi.runtime import set_all_config

from components.config import StackConfig
from components.stack import load_stack_config
from tests.unit.stack_values import stack_values

SERVING, HOST = "taxi-serving:serving", {"databricks:host": "https://staging.example"}


@pytest.fixture(autouse=True)
def _a_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi, "get_stack", lambda: "staging")
    for get_project in ("pulumi.get_project", "pulumi.config.get_project"):
        monkeypatch.setattr(get_project, lambda: "taxi-serving")


def loaded(settings: dict[str, str], secret_keys: list[str] | None = None) -> StackConfig:
    """What the program would get from these settings; they are gone afterwards."""

    def load() -> StackConfig:
        set_all_config(settings, secret_keys)
        return load_stack_config()

    return copy_context().run(load)


def test_a_whole_object_of_a_pinned_stack_is_read() -> None:
    assert loaded({SERVING: json.dumps(stack_values()), **HOST}).endpoint.name == "taxi-fare-regressor-staging"


def test_a_secret_inside_the_object_is_refused_and_not_shown() -> None:
    values = stack_values()
    values["smoke"]["queries"][0]["payload"]["dataframe_records"][0]["note"] = "planted-secret"
    with pytest.raises(pulumi.RunError, match="holds a secret") as caught:
        loaded({SERVING: json.dumps(values), **HOST}, [SERVING])
    assert "planted-secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["text", "[1]", "7"])
def test_something_else_than_an_object_is_refused_without_a_traceback(text: str) -> None:
    with pytest.raises(pulumi.RunError, match="serving"):
        loaded({SERVING: text, **HOST})


def test_a_stack_that_pins_no_workspace_is_refused() -> None:
    with pytest.raises(pulumi.RunError, match="pins no workspace"):
        loaded({SERVING: json.dumps(stack_values())})


def test_a_stack_of_another_name_says_which_environment_it_is_like(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi, "get_stack", lambda: "dev")
    values = {name: value for name, value in stack_values().items() if name != "environment"}
    with pytest.raises(pulumi.RunError, match="stack 'dev' names no known environment: add `environment` to"):
        loaded({SERVING: json.dumps(values), **HOST})
    like_staging = loaded({SERVING: json.dumps({**values, "environment": "staging"}), **HOST})
    assert (like_staging.environment, like_staging.scale_to_zero) == ("staging", True)


def local_values() -> str:
    return json.dumps({**stack_values(), "environment": "local"})


@pytest.mark.parametrize("host", ["http://127.0.0.1:8650", "127.0.0.1:8650", "http://localhost:1", "http://[::1]:8650"])
def test_a_local_stack_reaches_this_machine(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", host)
    assert loaded({SERVING: local_values()}).environment == "local"


@pytest.mark.parametrize("host", ["https://127.0.0.1.example", "staging.example:8650", "http://10.0.0.1"])
def test_a_local_stack_reaches_no_other_machine(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", host)
    with pytest.raises(pulumi.RunError, match="reaches this machine only"):
        loaded({SERVING: local_values()})


def test_a_local_stack_without_a_host_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABRICKS_HOST", raising=False)
    with pytest.raises(pulumi.RunError, match="make -s env"):
        loaded({SERVING: local_values()})
