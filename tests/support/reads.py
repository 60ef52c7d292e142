"""What a workspace is asked while something runs: by its own request log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.server import WorkspaceServer

READS = {"GET", "HEAD"}


def requests_since(server: WorkspaceServer, number: int) -> list[dict[str, Any]]:
    """The log's entries after that number, oldest first: number, method, path, status."""
    answer: Any = server.client().api_client.do("GET", "/_workspace/requests", query={"since": number})
    return list(answer["requests"])


def last_request(server: WorkspaceServer) -> int:
    return max((entry["number"] for entry in requests_since(server, 0)), default=0)


@contextmanager
def only_reads(server: WorkspaceServer) -> Iterator[None]:
    """Whatever runs inside asks the workspace something, writes nothing to it and wakes no endpoint."""
    before = last_request(server)
    yield
    sent = [(entry["method"], entry["path"]) for entry in requests_since(server, before)]
    assert sent, "nothing was asked at all"
    written = [one for one in sent if one[0] not in READS or "invocations" in one[1]]
    assert not written, written
