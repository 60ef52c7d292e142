"""Runs the workspace in this process: the port first, then the state folder, then the services."""

from __future__ import annotations

import errno
import logging
import socket
import struct
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from workspace import process
from workspace.collection import without_collection
from workspace.daemon import DaemonError, health
from workspace.state import State
from workspace.version import code_digest

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import Scope

LOOPBACK = "127.0.0.1"
_BACKLOG = 512


def serve(folder: Path, port: int) -> None:
    """Serve until SIGTERM or SIGINT; port 0 takes a free one.

    Raises DaemonError when the port is taken, StateFolderError when the folder is in use or of another version.
    """
    # Before the services are imported: what they import later may already be newer, and then `start` says so.
    code_digest()
    with _listen(port) as listener:
        state = State(folder)
        try:
            # Here, not above: the services import libraries that take a second, and neither refusal needs them.
            with without_collection():
                import uvicorn

                from workspace.assembly import assemble
                from workspace.gathering import GatheringProtocol
                from workspace.shutdown import GRACEFUL_SECONDS, BoundedServer

            logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s", level=logging.WARNING)
            app = assemble(state)
            server = BoundedServer(
                uvicorn.Config(
                    app,
                    log_level="warning",
                    # The request log is the workspace's own, and holds no query strings.
                    access_log=False,
                    http=GatheringProtocol,
                    lifespan="on",
                    timeout_graceful_shutdown=GRACEFUL_SECONDS,
                )
            )
            app.state.drop_connection = partial(_drop, server)
            process.record(state.folder, f"http://{LOOPBACK}:{listener.getsockname()[1]}", code_digest())
            server.run(sockets=[listener])
        finally:
            process.forget(state.folder)
            state.close()


def _drop(server: uvicorn.Server, scope: Scope) -> None:
    """Reset the connection that a request came by: the client sees ECONNRESET, not the end of an answer."""
    for connection in server.server_state.connections:
        if getattr(connection, "client", None) == scope["client"]:
            # With no time to linger, closing sends a reset and throws away what was not sent.
            option = struct.pack("ii", 1, 0)
            connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, option)
            connection.transport.abort()


def _listen(port: int) -> socket.socket:
    # The protocol is named because asyncio turns Nagle's algorithm off only for sockets that name it: 40 ms an answer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # A restarted server takes its port back at once; a port that somebody listens on stays refused.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise DaemonError(_refused(port, error)) from error
        raise
    return listener


def _refused(port: int, error: OSError) -> str:
    other = health(f"http://{LOOPBACK}:{port}") if error.errno == errno.EADDRINUSE else None
    reason = (
        f"workspace {other['workspace_id']} of another state folder has it"
        if other
        else (error.strerror or str(error)).lower()
    )
    return f"port {port} on {LOOPBACK} cannot be used: {reason}; name a free one with --port, or 0 for any"
