"""Some services of the embedded workspace behind a real socket, for tests that use the official clients."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config

from workspace.app import build_app
from workspace.errors import unauthenticated
from workspace.http import Caller, Service
from workspace.state import State

CALLER = Caller(user_name="me@example.com", id="1000000001", groups=("admins", "users"))
"""Whoever has the token of the state folder."""
OTHERS = {
    "token-of-ann": Caller(user_name="ann@example.com", id="1000000002", groups=("users", "riders"), admin=False),
    "token-of-bob": Caller(user_name="bob@example.com", id="1000000003", groups=("users", "riders"), admin=False),
    "token-of-job": Caller(user_name="6f3b1d9e-0000-4000-8000-000000000001", id="1000000004", admin=False),
}
"""More callers, by their tokens; the last is a service principal, whose name is its application id."""


@contextmanager
def served(state: State, services: Sequence[Service], owner: Caller = CALLER) -> Iterator[WorkspaceClient]:
    """A client of a server that holds `services` over `state`, on 127.0.0.1 and a free port; it asks as `owner`."""
    # As in workspace.server: asyncio turns Nagle's algorithm off only for sockets that name their protocol.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(
                build_app(state, services, _authentication(state.token, owner)),
                log_level="warning",
                timeout_graceful_shutdown=5,
            )
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            _wait_until_started(server)
            host = f"http://127.0.0.1:{listener.getsockname()[1]}"
            yield WorkspaceClient(config=Config(host=host, token=state.token, retry_timeout_seconds=5))
        finally:
            server.should_exit = True
            thread.join(timeout=30)


def _authentication(token: str, owner: Caller) -> Callable[[str], Caller]:
    callers = {token: owner, **OTHERS}

    def authenticate(header: str) -> Caller:
        caller = callers.get(header.partition(" ")[2])
        if caller is None:
            raise unauthenticated("Invalid access token.")
        return caller

    return authenticate


def _wait_until_started(server: uvicorn.Server) -> None:
    deadline = time.monotonic() + 30
    while not server.started:
        if time.monotonic() > deadline:
            raise RuntimeError("the workspace server did not come up within 30 s")
        time.sleep(0.01)


@contextmanager
def opened_state(folder: Path) -> Iterator[State]:
    state = State(folder)
    try:
        yield state
    finally:
        state.close()
