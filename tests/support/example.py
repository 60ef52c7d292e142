"""A project of `examples/` on the real engine, against a workspace that its pipeline has prepared."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.support.engine import EngineProject
from tests.support.server import WorkspaceServer

PROJECT = Path(__file__).parents[2]
STACK = "local"


def new_project(example: str, server: WorkspaceServer, folder: Path) -> EngineProject:
    """The example's project in a folder of its own, never deployed, on a running server.

    Args:
        example: name of its folder.
    """
    return project_of(example, folder, credentials(server))


def project_of(
    example: str,
    folder: Path,
    environ: Mapping[str, str],
    *,
    stack: str = STACK,
    more: Sequence[str] = (),
    config: Mapping[str, Any] | None = None,
) -> EngineProject:
    """A copy of the example with one stack file, never deployed; its program imports this checkout.

    Args:
        example: name of its folder.
        environ: what its workspace is reached by.
        more: files and folders of the example that it reads besides.
        config: added to the stack file, such as `databricks:host`.
    """
    folder.mkdir(parents=True)
    for name in ("Pulumi.yaml", f"Pulumi.{stack}.yaml", "__main__.py", *more):
        source = PROJECT / "examples" / example / name
        if source.is_dir():
            shutil.copytree(source, folder / name)
        else:
            shutil.copy2(source, folder / name)
    settings = yaml.safe_load((folder / "Pulumi.yaml").read_text())
    settings["runtime"]["options"]["virtualenv"] = str(PROJECT / ".venv")
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump(settings))
    (folder / ".venv").symlink_to(PROJECT / ".venv")
    project = EngineProject(folder, stack, {"PYTHONPATH": str(PROJECT), **environ})
    project.create_stack(config or {})
    return project


def credentials(server: WorkspaceServer) -> dict[str, str]:
    """What programs and pipelines reach a server by."""
    return {"DATABRICKS_HOST": server.host, "DATABRICKS_TOKEN": server.token}


def run_pipeline(name: str, server: WorkspaceServer, *arguments: str) -> str:
    """Run `python -m pipelines.<name>`; what it printed. AssertionError where it fails."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("DATABRICKS_", "MLFLOW_"))}
    done = subprocess.run(
        [sys.executable, "-m", f"pipelines.{name}", *arguments],
        cwd=PROJECT,
        env={**environ, **credentials(server), "MLFLOW_TRACKING_URI": "databricks"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
