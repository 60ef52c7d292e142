"""The Databricks plugin: the user's own official one, else the official download, else the stand-in of this project."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from toolchain.files import exclusive, read_record, scratch_folder, write_atomically, write_record
from toolchain.layout import Layout
from toolchain.report import ToolchainError, say

#: A network that lets nothing through makes the engine retry for minutes; the answer is remembered, see
#: `ensure_plugin`.
INSTALL_SECONDS = 30.0

# Relative, so that a clone can be moved: .local/pulumi/plugins/<plugin>/ is four levels below the project.
STAND_IN_MANIFEST = """\
runtime:
  name: python
  options:
    virtualenv: ../../../../.venv
"""

STAND_IN_PROGRAM = """\
import runpy
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[4])
runpy.run_module("toolchain.provider", run_name="__main__", alter_sys=True)
"""


def required_version(layout: Layout) -> str:
    """The plugin version that the installed `pulumi_databricks` works with.

    Raises:
        ToolchainError: the package is not installed.
    """
    for file in layout.environment.glob("lib/python3*/site-packages/pulumi_databricks/pulumi-plugin.json"):
        version = json.loads(file.read_text(encoding="utf-8")).get("version")
        if version:
            return str(version).removeprefix("v")
    raise ToolchainError(
        f"{layout.environment} has no pulumi_databricks with a pulumi-plugin.json; "
        "run `make clean`, then the command again."
    )


def ensure_plugin(layout: Layout, engine: Path, environ: Mapping[str, str], user_environ: Mapping[str, str]) -> str:
    """Puts the plugin where the engine looks. What was found out is remembered until `make clean`.

    Args:
        environ: the variables the engine runs with here.
        user_environ: the user's own, which name their own Pulumi folder.

    Returns:
        The line that says which one is used, and why.
    """
    with exclusive(layout.local / "toolchain.lock"):
        version = required_version(layout)
        folder = layout.pulumi_home / "plugins" / f"resource-databricks-v{version}"
        record_file = layout.local / "plugin.json"
        record = read_record(record_file)
        if record.get("version") == version and folder.is_dir():
            return str(record["reason"])
        reason = _install(layout, folder, version, engine, environ, user_environ)
        say(reason)
        write_record(record_file, {"version": version, "reason": reason})
        return reason


def _install(
    layout: Layout,
    folder: Path,
    version: str,
    engine: Path,
    environ: Mapping[str, str],
    user_environ: Mapping[str, str],
) -> str:
    _remove(folder)
    own = _users_own(layout, folder.name, user_environ)
    if own is not None:
        _link(own, folder)
        return f"databricks plugin: the official {version} that is installed in {own}"
    say(f"databricks plugin: asking for the official {version} (at most {INSTALL_SECONDS:.0f} s)")
    obstacle = _install_official(engine, version, environ)
    if obstacle is None and folder.is_dir():
        return f"databricks plugin: the official {version}, downloaded"
    _remove(folder)
    _write_stand_in(layout, folder)
    return (
        f"databricks plugin: the stand-in of this project for {version}, because the official one cannot be installed "
        f"here ({obstacle}); `make clean` lets it be tried again"
    )


def _users_own(layout: Layout, name: str, user_environ: Mapping[str, str]) -> Path | None:
    named = user_environ.get("PULUMI_HOME")
    homes = [Path(named)] if named else []
    homes.append(Path(user_environ.get("HOME") or Path.home()) / ".pulumi")
    for home in homes:
        folder = home / "plugins" / name
        if home.resolve() != layout.pulumi_home.resolve() and os.access(folder / "pulumi-resource-databricks", os.X_OK):
            return folder
    return None


def _link(source: Path, folder: Path) -> None:
    """A real folder of links: the engine lists plugin folders without following links."""
    with scratch_folder(folder.parent, "plugin") as scratch:
        made = scratch / folder.name
        made.mkdir()
        for entry in source.iterdir():
            (made / entry.name).symlink_to(entry.resolve())
        os.replace(made, folder)


def _install_official(engine: Path, version: str, environ: Mapping[str, str]) -> str | None:
    """None when it worked, else why not."""
    command = [str(engine), "plugin", "install", "resource", "databricks", f"v{version}"]
    try:
        done = subprocess.run(
            command,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {INSTALL_SECONDS:.0f} s"
    if done.returncode == 0:
        return None
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    return (errors or done.stderr.splitlines() or [f"exit code {done.returncode}"])[-1].removeprefix("error: ").strip()


def _write_stand_in(layout: Layout, folder: Path) -> None:
    with scratch_folder(folder.parent, "plugin") as scratch:
        made = scratch / folder.name
        write_atomically(made / "PulumiPlugin.yaml", STAND_IN_MANIFEST.encode())
        write_atomically(made / "__main__.py", STAND_IN_PROGRAM.encode())
        os.replace(made, folder)


def _remove(folder: Path) -> None:
    """The folder, and what an interrupted installation of the engine's leaves beside it."""
    shutil.rmtree(folder, ignore_errors=True)
    for suffix in (".partial", ".lock"):
        folder.with_name(folder.name + suffix).unlink(missing_ok=True)
