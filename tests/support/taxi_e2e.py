"""The end-to-end taxi project on the real engine, and a workspace of its own with raw trips."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipelines.sql import Result, Warehouse
from tests.support.engine import EngineProject
from tests.support.example import PROJECT, STACK, credentials, project_of, run_pipeline
from tests.support.server import WorkspaceServer

EXAMPLE = PROJECT / "examples" / "taxi_e2e"
KEY = "taxi-e2e-serving:serving"
SCHEMA = "e2e_demo_simon"
MODEL = f"main.{SCHEMA}.dev_mlops_stacks_gcp_fs_model"
ENDPOINT = "mlops-taxi-fare-endpoint-local"


@dataclass(frozen=True)
class Driven:
    """How one run of the driver ended."""

    exit_code: int
    result: dict[str, Any]
    status: str
    """What it wrote to stderr."""

    def __str__(self) -> str:
        return f"{self.status}\n{json.dumps(self.result, indent=2)}\n(exit code {self.exit_code})"

    def phases(self) -> dict[str, str]:
        return {phase["name"]: phase["status"] for phase in self.result["phases"]}


@dataclass
class TaxiE2e:
    """A server and a project that talk to each other."""

    server: WorkspaceServer
    project: EngineProject

    @classmethod
    def new(cls, server: WorkspaceServer, folder: Path) -> TaxiE2e:
        """A project that was never deployed, on a running server."""
        project = e2e_project(folder, STACK, credentials(server))
        return cls(server, project)

    def drive(self, *arguments: str) -> Driven:
        """`python -m apps.run_e2e` on this project, as a user's shell runs it."""
        done = subprocess.run(
            [sys.executable, "-m", "apps.run_e2e", "--stack", STACK, "--folder", str(self.project.folder), *arguments],
            cwd=PROJECT,
            env=self.project.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        return Driven(done.returncode, json.loads(done.stdout) if done.stdout.strip() else {}, done.stderr)

    def settings(self) -> dict[str, Any]:
        content = yaml.safe_load((self.project.folder / f"Pulumi.{STACK}.yaml").read_text())
        settings: dict[str, Any] = content["config"][KEY]
        return settings

    def change(self, section: str, **values: Any) -> None:
        """Set values in a section (`jobs.thresholds`) of the stack file."""
        file = self.project.folder / f"Pulumi.{STACK}.yaml"
        content = yaml.safe_load(file.read_text())
        place = content["config"][KEY]
        for part in filter(None, section.split(".")):
            place = place.setdefault(part, {})
        place.update(values)
        file.write_text(yaml.safe_dump(content, sort_keys=False))

    def sql(self, statement: str) -> Result:
        return Warehouse(self.server.client(), "local", "main", SCHEMA).run(statement)


def e2e_project(
    folder: Path, stack: str, environ: dict[str, str], config: dict[str, Any] | None = None
) -> EngineProject:
    """A copy of the example with one stack file; its program imports this checkout."""
    return project_of("taxi_e2e", folder, environ, stack=stack, more=["serving"], config=config)


def load_trips(server: WorkspaceServer, *arguments: str) -> None:
    """Raw sample trips, which the feature job begins with."""
    run_pipeline("taxi_e2e", server, "--catalog", "main", "--schema", SCHEMA, *arguments)
