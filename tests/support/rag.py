"""The chatbot's stack on the real engine, and a workspace of its own with its index and models."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.engine import EngineProject
from tests.support.example import STACK, new_project, run_pipeline
from tests.support.server import WorkspaceServer

CONFIG_KEY = "rag-serving:serving"
MODEL = "main.ml_models.rag_chatbot"
ENDPOINT = "rag-chatbot-endpoint"


@dataclass
class Rag:
    """A server and a project that talk to each other."""

    server: WorkspaceServer
    project: EngineProject

    @classmethod
    def new(cls, server: WorkspaceServer, folder: Path) -> Rag:
        """A project that was never deployed, on a running server."""
        return cls(server, new_project("rag", server, folder))

    def change(self, **endpoint: Any) -> None:
        """Other settings of the chatbot's only served entity."""
        self._write(lambda serving: serving["endpoint"]["entities"][0].update(endpoint))

    def change_retrieval(self, **retrieval: Any) -> None:
        """Other settings of where the chatbot finds its passages."""
        self._write(lambda serving: serving["retrieval"].update(retrieval))

    def _write(self, change: Callable[[dict[str, Any]], None]) -> None:
        file = self.project.folder / f"Pulumi.{STACK}.yaml"
        content = yaml.safe_load(file.read_text())
        change(content["config"][CONFIG_KEY])
        file.write_text(yaml.safe_dump(content, sort_keys=False))

    def ask(self, question: str) -> dict[str, Any]:
        """The one prediction for a question, by plain HTTP."""
        request = urllib.request.Request(
            f"{self.server.host}/serving-endpoints/{ENDPOINT}/invocations",
            data=json.dumps({"dataframe_records": [{"query": question}]}).encode(),
            headers={"Authorization": f"Bearer {self.server.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            (prediction,) = json.load(answer)["predictions"]
        return dict(prediction)


def prepare(server: WorkspaceServer, *arguments: str) -> str:
    """Run the pipeline on the project's own documents; what it printed."""
    return run_pipeline("rag", server, "--catalog", "main", "--schema", "ml_models", *arguments)
