"""The taxi stack on the real engine and a workspace of its own, from a prepared copy."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from tests.support.engine import EngineProject
from tests.support.example import STACK, credentials, run_pipeline
from tests.support.server import WorkspaceServer

FILES = ("Pulumi.yaml", "Pulumi.local.yaml", "__main__.py", "components")
CONFIG_KEY = "taxi-serving:serving"
MODEL = "main.taxi.taxi_fare_regressor"
ENDPOINT = "taxi-fare-regressor-local"
READS = {"GET", "HEAD"}


@dataclass
class Taxi:
    """A server and a project that talk to each other."""

    server: WorkspaceServer
    project: EngineProject

    @classmethod
    def new(cls, server: WorkspaceServer, folder: Path) -> Taxi:
        """A project that was never deployed, on a running server."""
        return cls(server, EngineProject.of_files(folder, FILES, stack=STACK, environ=credentials(server)))

    def copy(self, folder: Path) -> Taxi:
        """The same again, as it stands, with a server of its own that is started; this one's server must be stopped."""
        server = WorkspaceServer(folder / "workspace")
        shutil.copytree(self.server.state, server.state)
        (server.state / "address").unlink(missing_ok=True)
        server.start()
        shutil.copytree(self.project.folder, folder / "project", symlinks=True)
        return Taxi(server, replace(self.project, folder=folder / "project", environ=credentials(server)))

    def change(self, edit: Callable[[dict[str, Any]], None]) -> None:
        """Edit what stands under `serving` in the stack file."""
        file = self.project.folder / f"Pulumi.{STACK}.yaml"
        content = yaml.safe_load(file.read_text())
        edit(content["config"][CONFIG_KEY])
        file.write_text(yaml.safe_dump(content, sort_keys=False))

    def alias(self, name: str = "champion") -> str:
        return str(self.server.client().model_versions.get_by_alias(MODEL, name).version)

    def last_request(self) -> int:
        """Number of the newest request in the workspace's log."""
        return max((entry["number"] for entry in self._log(0)), default=0)

    def requests_since(self, number: int) -> list[tuple[str, str]]:
        return [(entry["method"], entry["path"]) for entry in self._log(number)]

    def ask(self, body: dict[str, Any], path: str = f"/serving-endpoints/{ENDPOINT}/invocations") -> Any:
        """POST to the workspace by plain HTTP and read the JSON answer."""
        request = urllib.request.Request(
            f"{self.server.host}{path}",
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.server.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def _log(self, since: int) -> list[dict[str, Any]]:
        request = urllib.request.Request(
            f"{self.server.host}/_workspace/requests?since={since}",
            headers={"Authorization": f"Bearer {self.server.token}"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            entries: list[dict[str, Any]] = json.load(answer)["requests"]
            return entries


def train(server: WorkspaceServer, *arguments: str) -> None:
    """Run the pipeline on seeded sample trips; registers a version of the model."""
    run_pipeline("taxi", server, "--catalog", "main", "--schema", "taxi", *arguments)
