"""Connecting: settings before the environment, and no waiting for a workspace that is not there."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from databricks.sdk.core import Config

from components.dynamic import client
from components.dynamic.client import (
    SETTINGS,
    WorkspaceCredentialsError,
    WorkspaceUnreachableError,
    workspace_client,
)
from tests.support.rest_stub import TOKEN, RestStub


@pytest.fixture
def silent_host() -> Iterator[str]:
    """A host that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_settings_come_before_the_environment(stub: RestStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", "http://127.0.0.1:1")
    monkeypatch.setenv("DATABRICKS_TOKEN", "another-token")
    made = workspace_client({"databricks:host": stub.host, "databricks:token": TOKEN})
    assert made.current_user.me().user_name == "deployer@example.com"
    assert made.config.workspace_id == "900800700600"


@pytest.mark.parametrize("absent", [None, ""])
def test_what_the_settings_leave_out_comes_from_the_environment(
    stub: RestStub, monkeypatch: pytest.MonkeyPatch, absent: str | None
) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", stub.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", TOKEN)
    made = workspace_client({"databricks:host": absent, "databricks:token": absent})
    assert made.current_user.me().user_name == "deployer@example.com"


def test_calls_are_retried_for_a_bounded_time(stub: RestStub) -> None:
    made = workspace_client({"databricks:host": stub.host, "databricks:token": TOKEN})
    assert made.config.retry_timeout_seconds == client.RETRY_SECONDS


def test_nobody_listening_is_told_with_host_and_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(WorkspaceUnreachableError) as caught:
        workspace_client({"databricks:host": host, "databricks:token": "some-planted-token"})
    for part in (host, "Connection refused", "databricks:host", "DATABRICKS_HOST"):
        assert part in str(caught.value)
    assert "some-planted-token" not in str(caught.value)


def test_a_host_that_says_nothing_is_given_up_within_the_deadline(
    silent_host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.CONNECT_DEADLINE_SECONDS <= 10
    monkeypatch.setattr(client, "CONNECT_DEADLINE_SECONDS", 0.2)
    with pytest.raises(WorkspaceUnreachableError, match=silent_host):
        workspace_client({"databricks:host": silent_host, "databricks:token": "t"})


def test_a_name_lookup_that_hangs_is_given_up_within_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(client, "CONNECT_DEADLINE_SECONDS", 0.2)

    def hang(*_: object) -> None:
        released.wait(30)
        raise OSError("nobody waits for this any more")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        with pytest.raises(WorkspaceUnreachableError, match="no answer within"):
            workspace_client({"databricks:host": "https://hangs.example", "databricks:token": "t"})
    finally:
        released.set()


def test_no_credentials_are_told_as_such(stub: RestStub) -> None:
    with pytest.raises(WorkspaceCredentialsError, match="DATABRICKS_TOKEN"):
        workspace_client({"databricks:host": stub.host})


def test_every_setting_is_one_that_the_sdk_takes() -> None:
    known = {attribute.name for attribute in Config.attributes()}
    snake = {"".join(f"_{c.lower()}" if c.isupper() else c for c in name) for name in SETTINGS}
    assert snake <= known
