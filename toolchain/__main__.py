"""`python -m toolchain <command>`: what the Makefile's targets do."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from types import FrameType

from toolchain.checks import LINTERS, PYTEST, run_checks
from toolchain.cleaning import clean
from toolchain.layout import Layout, project_layout
from toolchain.operations import OPERATIONS
from toolchain.policy import judge
from toolchain.report import Steps, ToolchainError, say
from toolchain.shell import LOCAL_STACK
from toolchain.stacks import CommandFailed, Request, abort, down, engine_ready, preview, shell_variables, up

LOG_LINES = 60

COMMANDS = {
    "up": "bring everything up: environment, engine, workspace, pipeline, stack; ends in the stack's outputs",
    "preview": "show what `up` would change",
    "policy": "judge the stack by the policy pack; table, and .local/policy/<stack>.{json,junit.xml,sarif,md}",
    "verify": "the deployed stack against its outputs, what differs and how to mend it (docs/operations.md)",
    "status": "what is deployed and how it is, on one screen",
    "doctor": "what has to be there before a stack is set up",
    "report": "what the deployed stack did, as a page and plots in .local/report/<project>-<stack> (docs/report.md)",
    "abort": "end the release that is at work: its next poll puts back what ran before",
    "down": "destroy the stack (STOP=1: stop the embedded workspace too)",
    "env": 'print shell lines: eval "$(make -s env)" gives a shell where pulumi, databricks-sdk and mlflow work',
    "test": "lint, then all tests",
    "lint": "ruff and mypy",
    "bench": "measure the embedded workspace beside `mlflow models serve` (docs/benchmarks.md)",
    "logs": "the last lines of the embedded workspace's log and of the last engine run",
    "clean": "stop the workspace, remove .local and .venv (FORCE=1: even with the state of real stacks)",
    "help": "this list",
}
VARIABLES = """
STACK=local  a stack; any other is taken to be on a real workspace
DATA=        with up, preview: a folder with taxis.csv, telco_churn.csv or titanic.csv; sample data when left out
PROJECT=     taxi (when left out), a folder of examples, or any folder with a Pulumi.yaml
EVENTS=      with policy: the events of a preview that was made elsewhere
SPARK=1      with PySpark and Delta in the environment, for tasks that score on Spark (450 MB; needs a JDK 17)
PYTHON=      Python 3.11 or 3.12; WORKSPACE_PORT= where the embedded workspace is started (8650)
"""


def main(arguments: list[str]) -> int:
    """Runs one command and returns its exit code."""
    options = _parser().parse_args(arguments)
    layout = project_layout()
    request = Request(
        layout=layout,
        project=options.project,
        stack=options.stack or LOCAL_STACK,
        data=options.data,
        stop_workspace=bool(options.stop),
    )
    steps = Steps()
    steps.add("python environment", float(os.environ.pop("TOOLCHAIN_ENVIRONMENT_SECONDS", "0")))
    command: str = options.command
    if command == "help":
        sys.stdout.write("".join(f"make {name:<8} {text}\n" for name, text in COMMANDS.items()))
        sys.stdout.write(VARIABLES)
    elif command == "clean":
        clean(layout, force=bool(options.force))
    elif command == "logs":
        _show_logs(layout)
    elif command == "env":
        sys.stdout.write(shell_variables(request, os.environ, steps)[1].shell_lines())
    elif command == "bench":
        return subprocess.run([str(layout.python), "-m", "bench"], cwd=layout.root, check=False).returncode
    elif command == "policy":
        return _judged(request, options.events, steps)
    elif command in ("lint", "test"):
        return _check(command, request, steps)
    else:
        _on_stack(command, request, steps)
    return 0


def _on_stack(command: str, request: Request, steps: Steps) -> None:
    try:
        {"up": up, "preview": preview, "abort": abort, "down": down, **OPERATIONS}[command](request, steps)
    finally:
        say(steps.table())


def _judged(request: Request, events: str, steps: Steps) -> int:
    try:
        return judge(request, events, steps)
    finally:
        say(steps.table())


def _check(command: str, request: Request, steps: Steps) -> int:
    checks = dict(LINTERS)
    environ = dict(os.environ)
    if command == "test":
        # No workspace here: tests start their own, with a state and a port of their own.
        _, variables = engine_ready(request.layout, LOCAL_STACK, os.environ, steps)
        environ = variables.applied(os.environ)
        checks["pytest"] = PYTEST
    failed = run_checks(checks, request.layout, environ, steps)
    say(steps.table())
    if failed:
        say(f"failed: {', '.join(failed)}")
        return 1
    return 0


def _show_logs(layout: Layout) -> None:
    files = sorted(layout.workspace.glob("*.log")) + sorted(layout.logs.glob("*.log"))[-1:]
    if not files:
        say("there are no logs yet; `make up` writes them")
    for file in files:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        shown = f"the last {min(LOG_LINES, len(lines))} lines" if lines else "empty"
        sys.stdout.write(f"== {file.relative_to(layout.root)}, {shown}\n")
        sys.stdout.write("".join(f"{line}\n" for line in lines[-LOG_LINES:]))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m toolchain", description=__doc__, allow_abbrev=False)
    parser.add_argument("command", choices=sorted(COMMANDS))
    parser.add_argument(
        "--project", default="", help="folder of the Pulumi project, or of examples; the clone's root when empty"
    )
    parser.add_argument("--stack", default=LOCAL_STACK, help="stack (default: %(default)s)")
    parser.add_argument("--data", default="", help="folder with real data; sample data when empty")
    parser.add_argument("--events", default="", help="with policy: file with a preview's events; none is made then")
    parser.add_argument("--stop", default="", help="with down: anything but empty stops the embedded workspace too")
    parser.add_argument(
        "--force", default="", help="with clean: anything but empty removes the state of real stacks too"
    )
    return parser


def run() -> None:
    """The process: errors as one message, exit codes as a shell expects them."""

    def terminated(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    # So that a termination cleans up half-made things as Ctrl-C does.
    signal.signal(signal.SIGTERM, terminated)
    try:
        code = main(sys.argv[1:])
    except ToolchainError as error:
        say(f"error: {error}")
        code = 1
    except CommandFailed as failed:
        code = failed.exit_code
    except KeyboardInterrupt:
        say("interrupted; the next run goes on from here")
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    run()
