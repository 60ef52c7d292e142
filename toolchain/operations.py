"""`make verify`, `make status`, `make doctor`, `make report`: apps in the shell that a stack needs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from functools import partial

from toolchain.project import find_project
from toolchain.report import Steps
from toolchain.stacks import CommandFailed, Request, shell_variables


def operate(command: str, request: Request, steps: Steps) -> None:
    """Runs one of the commands on the stack in front of the user.

    Raises:
        CommandFailed: it ended with another exit code than 0, which is this one's too.
    """
    project = find_project(request.layout, request.project)
    environ = _environment(command, request, steps)
    module = ["apps.report"] if command == "report" else ["apps.ops", command]
    arguments = ["-m", *module, "--project", str(project.folder), "--stack", request.stack]
    with steps.step(command):
        code = subprocess.run(
            [str(request.layout.python), *arguments], cwd=request.layout.root, env=environ, check=False
        ).returncode
    if code:
        raise CommandFailed(code)


def _environment(command: str, request: Request, steps: Steps) -> Mapping[str, str]:
    """What `make env` describes. A doctor builds no engine where there is none: that there is none is its finding."""
    if command == "doctor" and not request.is_local and not (request.layout.bin / "pulumi").is_file():
        return dict(os.environ)
    _, variables = shell_variables(request, os.environ, steps)
    return variables.applied(os.environ)


OPERATIONS: Mapping[str, Callable[[Request, Steps], None]] = {
    name: partial(operate, name) for name in ("verify", "status", "doctor", "report")
}
