"""A project of `examples/` on the real engine, against a workspace that its pipeline has prepared."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

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
    folder.mkdir(parents=True)
    for name in ("Pulumi.yaml", f"Pulumi.{STACK}.yaml", "__main__.py"):
        shutil.copy2(PROJECT / "examples" / example / name, folder / name)
    settings = yaml.safe_load((folder / "Pulumi.yaml").read_text())
    settings["runtime"]["options"]["virtualenv"] = str(PROJECT / ".venv")
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump(settings))
    (folder / ".venv").symlink_to(PROJECT / ".venv")
    project = EngineProject(folder, STACK, {"PYTHONPATH": str(PROJECT), **credentials(server)})
    project.create_stack({})
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
