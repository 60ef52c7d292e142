"""`make lint` and `make test`: each check in turn, its words visible, the first failure remembered."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

from toolchain.layout import Layout
from toolchain.report import Steps, say

LINTERS: Mapping[str, Sequence[str]] = {
    "ruff check": ("-m", "ruff", "check"),
    "ruff format": ("-m", "ruff", "format", "--check"),
    "mypy": ("-m", "mypy", "."),
}

#: Three workers on the two cores of a small machine: with two, a fifth of the time went in waiting for engines and
#: servers. A file stays with one of them, so that the stack or the server that its tests look at is made once; the
#: engine's long files come first.
PYTEST = (
    *("-m", "pytest", "-n", "3", "--dist", "loadfile", "--no-loadscope-reorder"),
    *("--durations", "30", "--durations-min", "5"),
)


def run_checks(
    checks: Mapping[str, Sequence[str]], layout: Layout, environ: Mapping[str, str], steps: Steps
) -> list[str]:
    """Runs all of them, whatever fails, and returns the names of those that did.

    Byte code is kept, whatever the environment says: the tests start hundreds of processes of this project's code, and
    without it each compiles 100 to 300 files first (0.4 s of processor time a process).
    """
    environ = {name: value for name, value in environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    failed = []
    for name, arguments in checks.items():
        say(f"== {name}")
        with steps.step(name):
            code = subprocess.run(
                [str(layout.python), *arguments], cwd=layout.root, env=environ, check=False
            ).returncode
        if code:
            failed.append(name)
    return failed
