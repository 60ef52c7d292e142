"""The Titanic stack on the real engine, with a workspace of its own and a database on the session's server."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from components.external_store_sql import StoreAccount
from pipelines.sql import Result, Warehouse
from tests.support.database import Database
from tests.support.engine import EngineProject
from tests.support.example import STACK, new_project, run_pipeline
from tests.support.server import WorkspaceServer

MODEL = "main.titanic.passenger_model"
ENDPOINT = "passenger-endpoint-local"
SECTION = "passenger-serving:serving"


@dataclass
class Titanic:
    """A workspace, a project and a database that talk to each other."""

    server: WorkspaceServer
    project: EngineProject
    database: Database

    @classmethod
    def new(cls, server: WorkspaceServer, folder: Path, database: Database) -> Titanic:
        """A project that was never deployed. Its database and users are there, empty; its passwords are not set."""
        project = new_project("titanic", server, folder)
        (folder / "ca.pem").write_text(database.ca)
        made = cls(server, project, database)
        made.change(lambda serving: serving["mysql"].update(port=database.server.port, tls={"ca": "ca.pem"}))
        database.drop("feature_store")
        database.set_up(StoreAccount(client_host="127.0.0.1"))
        return made

    def set_passwords(self, *roles: str) -> None:
        """As an operator does: secrets of the stack, encrypted in its file."""
        for role in roles or ("writer", "reader"):
            self.project.must("config", "set", "--secret", f"mysql:{role}Password", self.database.passwords[role])

    def change(self, edit: Callable[[dict[str, Any]], Any]) -> None:
        """Edit what stands under `serving` in the stack file."""
        file = self.project.folder / f"Pulumi.{STACK}.yaml"
        content = yaml.safe_load(file.read_text())
        edit(content["config"][SECTION])
        file.write_text(yaml.safe_dump(content, sort_keys=False))

    def sql(self, statement: str) -> Result:
        return Warehouse(self.server.client(), "local", "main", "titanic").run(statement)

    def ask(self, *passengers: int) -> list[int]:
        """The predictions for passengers, by plain HTTP, as a program outside would ask."""
        answer = self.post({"dataframe_records": [{"PassengerId": one} for one in passengers]})
        predictions: list[int] = answer["predictions"]
        return predictions

    def refusal(self, *passengers: int) -> tuple[int, str]:
        """Status and words of an answer that is none."""
        try:
            answer = self.ask(*passengers)
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        raise AssertionError(f"{passengers} were answered: {answer}")

    def post(self, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            f"{self.server.host}/serving-endpoints/{ENDPOINT}/invocations",
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.server.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)


def prepare(server: WorkspaceServer, *arguments: str) -> str:
    """Run the pipeline on seeded sample passengers: tables, and a version of the model for each kind of store."""
    return run_pipeline("titanic", server, "--catalog", "main", "--schema", "titanic", *arguments)
