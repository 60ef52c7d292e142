"""`python -m workspace`: run, start, stop or ask for an embedded workspace."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from workspace import daemon
from workspace.server import PortTakenError, serve
from workspace.state import StateFolderError

DEFAULT_PORT = 8650


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0 done or running, 1 it could not be done, 3 (status) not running."""
    options = _parser().parse_args(arguments)
    state: Path = options.state
    try:
        if options.command == "run":
            serve(state, options.port)
        elif options.command == "start":
            running = daemon.start(state, options.port)
            print(f"embedded workspace at {running.url} (process {running.pid}, state in {state})")
        elif options.command == "stop":
            stopped = daemon.stop(state)
            print("embedded workspace stopped" if stopped else "no embedded workspace was running")
        else:
            found = daemon.find(state)
            print(f"running at {found.url} (process {found.pid})" if found else "not running")
            return 0 if found else 3
    except (daemon.DaemonError, PortTakenError, StateFolderError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workspace", description=__doc__)
    parser.add_argument("command", choices=["run", "start", "stop", "status"])
    parser.add_argument("--state", type=Path, required=True, help="folder of everything the workspace keeps")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="on 127.0.0.1; 0 takes a free one")
    return parser


if __name__ == "__main__":
    sys.exit(main())
