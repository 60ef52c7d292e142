"""Makes the Python environment from `uv.lock`, then hands over to `python -m toolchain`.

Runs with whatever Python 3.11 or 3.12 is there, before anything is installed, so it uses the standard library only and
is started as a file. With the environment in place it costs a few milliseconds.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

UV_VERSION = "0.13.8"

SUPPORTED = ((3, 11), (3, 12))

#: These need no environment, or must not be in the way of its removal.
WITHOUT_ENVIRONMENT = {"clean", "help"}

#: Groups of `pyproject.toml` that are not for everybody, because of their size (Spark is 450 MB), and who needs them.
#: Once there they stay, whatever is asked for next.
MORE_GROUPS = {"test": ("spark",), "lint": ("spark",)}

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
STAMP = ENVIRONMENT / ".made-from"
UV_FOLDER = ROOT / ".local" / "bootstrap" / "uv"


class BootstrapError(Exception):
    """The environment cannot be made; the message says what to do."""


def main(arguments: list[str]) -> None:
    """Never returns: becomes `python -m toolchain` with the same arguments."""
    if sys.version_info[:2] not in SUPPORTED:
        found = ".".join(map(str, sys.version_info[:3]))
        raise BootstrapError(
            f"Python 3.11 or 3.12 is needed, {sys.executable} is {found}. "
            "Install one of them, or name it: make PYTHON=/path/to/python3.11 ..."
        )
    seconds = 0.0
    python = Path(sys.executable)
    if not arguments or arguments[0] not in WITHOUT_ENVIRONMENT:
        started = time.monotonic()
        asked = ("spark",) if os.environ.get("SPARK") else ()
        make_environment((*asked, *(MORE_GROUPS.get(arguments[0], ()) if arguments else ())))
        seconds = time.monotonic() - started
        python = ENVIRONMENT / "bin" / "python"
    environ = dict(os.environ, TOOLCHAIN_ENVIRONMENT_SECONDS=f"{seconds:.3f}")
    script = "import sys; sys.path.insert(0, sys.argv.pop(1)); from toolchain.__main__ import run; run()"
    # `-P` and an inserted path: the working folder of a caller must not be searched for modules.
    os.execve(python, [str(python), "-P", "-c", script, str(ROOT), *arguments], environ)


def make_environment(groups: tuple[str, ...] = ()) -> None:
    """Syncs `.venv` with `uv.lock`, byte code compiled, unless that has been done.

    Args:
        groups: what is wanted beside the default groups; those that an earlier call wanted stay.

    Raises:
        BootstrapError: uv cannot be had, or the packages cannot.
    """
    try:
        made_from, *there = STAMP.read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        made_from, there = "", []
    groups = tuple(sorted({*groups, *there}))
    wanted = fingerprint()
    if made_from == wanted and groups == tuple(there) and (ENVIRONMENT / "bin" / "python").exists():
        return
    uv = get_uv()
    say(f"environment: syncing .venv with uv.lock (uv {UV_VERSION}, {sys.executable})")
    environ = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONHOME")}
    environ.update(UV_PROJECT_ENVIRONMENT=str(ENVIRONMENT), UV_PYTHON_DOWNLOADS="never")
    # Compiled now, whatever PYTHONDONTWRITEBYTECODE says later: without byte code one import costs seconds in each run.
    command = [str(uv), "sync", "--frozen", "--compile-bytecode", "--python", sys.executable]
    command += [f"--group={group}" for group in groups]
    exit_code = _run_uv(command, environ)
    if exit_code:
        raise BootstrapError(
            f"`uv sync --frozen` failed (exit code {exit_code}, its words are above). It needs a PyPI index: "
            "behind a mirror set UV_DEFAULT_INDEX (and SSL_CERT_FILE for its certificate), then run the command again."
        )
    STAMP.write_text(" ".join([wanted, *groups]), encoding="utf-8")


def _run_uv(command: list[str], environ: dict[str, str]) -> int:
    """On a terminal uv shows its progress bars; elsewhere its lines, but not one for each of the 200 packages."""
    if sys.stderr.isatty():
        return subprocess.run(command, cwd=ROOT, env=environ, stdout=sys.stderr, check=False).returncode
    with subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as child:
        for line in child.stdout or ():
            if not line.startswith((" + ", " - ", " ~ ")):
                say(f"environment: {line.strip()}")
    return child.returncode


def fingerprint() -> str:
    """Changes when another environment is wanted; settings of linters in `pyproject.toml` are no reason."""
    # Absent before 3.11, where `main` has to get as far as saying so.
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    relevant = [project.get("project"), project.get("dependency-groups"), project.get("tool", {}).get("uv")]
    digest = hashlib.sha256((ROOT / "uv.lock").read_bytes())
    digest.update(json.dumps([relevant, UV_VERSION, os.path.realpath(sys.executable)], sort_keys=True).encode())
    return digest.hexdigest()


def get_uv() -> Path:
    """The pinned uv, in a folder of its own.

    Raises:
        BootstrapError: `venv` or `pip` does not work here.
    """
    uv = UV_FOLDER / "bin" / "uv"
    if _says_version(uv):
        return uv
    say(f"environment: installing uv {UV_VERSION} from PyPI into .local/bootstrap")
    shutil.rmtree(UV_FOLDER, ignore_errors=True)
    python = UV_FOLDER / "bin" / "python"
    for command, remedy in (
        ([sys.executable, "-m", "venv", str(UV_FOLDER)], "install your system's package `python3-venv`"),
        (
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"uv=={UV_VERSION}"],
            "let pip reach a PyPI index (behind a mirror: PIP_INDEX_URL)",
        ),
    ):
        if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
            raise BootstrapError(f"`{' '.join(command)}` failed, its words are above; {remedy}.")
    return uv


def _says_version(uv: Path) -> bool:
    try:
        done = subprocess.run([str(uv), "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return done.stdout.split()[1:2] == [UV_VERSION]


def say(message: str) -> None:
    sys.stderr.write(message + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except BootstrapError as error:
        say(f"error: {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        say("interrupted; the next run goes on from here")
        sys.exit(130)
