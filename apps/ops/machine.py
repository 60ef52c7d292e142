"""What this machine has: engine, language host, backend, passphrase, plugin."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from apps.ops.findings import Finding
from apps.ops.stack import StackFile

PLUGIN = "databricks"
_SECONDS = 60


def tool(name: str) -> Finding:
    """A program on PATH."""
    found = shutil.which(name)
    fix = f"install {name} and put it on PATH"
    return Finding("tool", name, "fail" if found is None else "pass", found or "is not on PATH", fix)


def engine_checks(file: StackFile) -> Iterator[Finding]:
    """The engine and what it needs; nothing further where there is none."""
    engine = shutil.which("pulumi")
    if engine is None:
        fix = 'install Pulumi, or let the clone get it: `eval "$(make -s env)"`'
        yield Finding("tool", "pulumi", "fail", "is not on PATH", fix)
        return
    yield _version(engine)
    yield tool("pulumi-language-python")
    yield _backend(engine, file)
    yield _secrets(file)
    yield _plugin(engine, file)


def _version(engine: str) -> Finding:
    done = _ask(engine, "version", folder=Path.cwd())
    numbers = re.search(r"(\d+)\.(\d+)\.\d+", done.stdout)
    pinned = version("pulumi")
    if numbers is None:
        return Finding("tool", "pulumi", "fail", f"{engine} does not run: {_told(done)}", "install it anew")
    wanted = tuple(int(part) for part in pinned.split(".")[:2])
    good = (int(numbers[1]), int(numbers[2])) >= wanted
    fix = f"the Python package is {pinned}: install an engine of that minor version or a newer one"
    return Finding("tool", "pulumi", "pass" if good else "fail", f"{numbers[0]} ({engine})", fix)


def _backend(engine: str, file: StackFile) -> Finding:
    done = _ask(engine, "whoami", "--json", folder=file.folder)
    if done.returncode:
        fix = "`pulumi login`, or set PULUMI_BACKEND_URL"
        return Finding("backend", file.project, "fail", _told(done), fix)
    try:
        found = json.loads(done.stdout)
    except ValueError:
        found = {}
    return Finding("backend", file.project, "pass", f"{found.get('url', 'answers')} as {found.get('user', '?')}")


def _secrets(file: StackFile) -> Finding:
    """State holds secrets: with a passphrase, or with a key of a provider that the stack file names."""
    text = file.path.read_text(encoding="utf-8")
    named = re.search(r"^secretsprovider:\s*(\S+)", text, re.MULTILINE)
    if named is not None and not named[1].startswith("passphrase"):
        return Finding("secrets", file.stack, "pass", f"by {named[1]}")
    given = [name for name in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE") if name in os.environ]
    # Pulumi Cloud keeps the key itself, so that no passphrase is no mistake there.
    if given:
        return Finding("secrets", file.stack, "pass", f"by {given[0]}")
    fix = "set PULUMI_CONFIG_PASSPHRASE, unless the backend is Pulumi Cloud"
    return Finding("secrets", file.stack, "unknown", "there is no passphrase in the environment", fix)


def _plugin(engine: str, file: StackFile) -> Finding:
    done = _ask(engine, "plugin", "ls", "--json", folder=file.folder)
    try:
        plugins = json.loads(done.stdout) if not done.returncode else []
    except ValueError:
        plugins = []
    versions = [
        str(one.get("version")) for one in plugins if one.get("name") == PLUGIN and one.get("kind") == "resource"
    ]
    wanted = version("pulumi-databricks")
    if wanted in versions:
        return Finding("plugin", PLUGIN, "pass", wanted)
    fix = f"`pulumi plugin install resource {PLUGIN} {wanted}`; where that is blocked, `make env` puts in the stand-in"
    return Finding(
        "plugin", PLUGIN, "fail", f"{wanted} is not installed (there are: {', '.join(versions) or 'none'})", fix
    )


def _ask(engine: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [engine, *arguments, "--non-interactive"] if arguments[0] != "version" else [engine, *arguments],
            cwd=folder,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess([engine, *arguments], 1, "", str(error))


def _told(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    return lines[-1][:300] if lines else f"exit code {done.returncode}"
