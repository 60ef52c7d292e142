"""Runs the workspace in this process, on loopback only, until it is told to stop."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import uvicorn

from workspace.assembly import assemble
from workspace.state import State

LOOPBACK = "127.0.0.1"
ADDRESS_FILE = "address"
PID_FILE = "pid"
LOG_FILE = "workspace.log"


class PortTakenError(OSError):
    """Another server listens on the port."""


def serve(folder: Path, port: int) -> None:
    """Serve a state folder; returns after SIGTERM or SIGINT.

    Args:
        port: on 127.0.0.1; 0 takes a free one. The address is written to `address` in the folder.

    Raises:
        PortTakenError: the port is in use.
        StateFolderError: the folder is in use, or of another version.
    """
    state = State(folder)
    try:
        listener = _listen(port)
        host, bound = listener.getsockname()
        app = assemble(state)
        (state.folder / PID_FILE).write_text(f"{os.getpid()}\n")
        (state.folder / ADDRESS_FILE).write_text(f"http://{host}:{bound}\n")
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="on", timeout_graceful_shutdown=5)
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        state.close()


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTakenError(
                f"port {port} on {LOOPBACK} is taken by another process; stop it, or choose a port with --port"
            ) from None
        raise
    return listener
