"""`python -m workspace {run,start,stop,status} --state DIR [--port N]`.

Exit codes: 0 done or running, 1 it could not be done, 3 (`status`) not running.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from workspace import daemon, process
from workspace.daemon import DaemonError, How
from workspace.state import StateFolderError
from workspace.version import code_digest

DEFAULT_STATE = Path(".local/workspace")
DEFAULT_PORT = 8650
NOT_RUNNING = 3  # what init scripts answer for `status` (LSB)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    folder: Path = options.state.resolve()
    try:
        if options.command == "run":
            from workspace.server import serve

            serve(folder, options.port)
            return 0
        if options.command == "start":
            return _start(folder, options.port, quiet=options.quiet)
        return _stop(folder) if options.command == "stop" else _status(folder)
    except (DaemonError, StateFolderError) as error:
        print(f"workspace: {error}", file=sys.stderr)
        return 1


def _start(folder: Path, port: int, *, quiet: bool) -> int:
    found, how = daemon.start(folder, port)
    print(found.address)
    if quiet and how is How.RUNNING:
        return 0
    print(f"workspace: {how} (process {found.pid}, state and {process.LOG_FILE} in {folder})", file=sys.stderr)
    return 0


def _stop(folder: Path) -> int:
    stopped = daemon.stop(folder)
    print(f"workspace: {'stopped, was at ' + stopped.address if stopped else 'not running'}", file=sys.stderr)
    return 0


def _status(folder: Path) -> int:
    found = process.running(folder)
    if found is None:
        print(f"workspace: not running, state in {folder}", file=sys.stderr)
        return NOT_RUNNING
    print(found.address)
    answers = "answers" if daemon.health(found.address) else "does not answer"
    older = "" if found.code == code_digest() else ", runs other code than this package's (`start` starts it anew)"
    print(f"workspace: process {found.pid} {answers}{older}, state in {folder}", file=sys.stderr)
    return 0


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, received {text}")
    return port


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m workspace", description="The embedded Databricks workspace, on loopback."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="{run,start,stop,status}")
    for name, text in (
        ("run", "serve in the foreground"),
        ("start", "start in the background, or anew if it runs older code; wait until it answers, print its address"),
        ("stop", "end the server of the state folder"),
        ("status", "print the address of the running server; exit code 3 where none runs"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--state", type=Path, default=DEFAULT_STATE, help="state folder (default: %(default)s)")
        # Every command takes the same options, so that a caller can hold them in one variable.
        command.add_argument(
            "--port",
            type=_port,
            default=DEFAULT_PORT,
            help="for run and start; 0 takes a free one (default: %(default)s)",
        )
        command.add_argument("--quiet", action="store_true", help="start says nothing of a server that runs already")
    return parser


if __name__ == "__main__":
    sys.exit(main())
