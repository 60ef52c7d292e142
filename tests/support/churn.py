"""The churn stack on the real engine, and a workspace of its own with its tables and models."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from pipelines.sql import Result, Warehouse
from tests.support.engine import EngineProject
from tests.support.example import new_project, run_pipeline
from tests.support.server import WorkspaceServer

MODEL = "main.churn.advanced_mlops_churn"
ENDPOINT = "advanced_mlops_churn_ep"
MONITORED = "main.churn.advanced_churn_inference_table"
PAYLOAD = {
    "dataframe_records": [
        {"customer_id": "0002-ORFBO", "transaction_ts": "2024-09-10"},
        {"customer_id": "0003-MKNFE", "transaction_ts": "2024-09-10"},
    ]
}


@dataclass
class Churn:
    """A server and a project that talk to each other."""

    server: WorkspaceServer
    project: EngineProject

    @classmethod
    def new(cls, server: WorkspaceServer, folder: Path) -> Churn:
        """A project that was never deployed, on a running server."""
        return cls(server, new_project("churn", server, folder))

    def stack_file(self) -> dict[str, Any]:
        """What the stack file says, by section."""
        sections: dict[str, Any] = yaml.safe_load(self._file.read_text())["config"]["churn-serving:serving"]
        return sections

    def configure(self, changes: Mapping[str, Any]) -> None:
        """Have the stack file say otherwise, for the next `up`; a section keeps what is not named."""
        stack = yaml.safe_load(self._file.read_text())
        sections = stack["config"]["churn-serving:serving"]
        for section, values in changes.items():
            sections[section] = {**sections.get(section, {}), **values} if isinstance(values, dict) else values
        self._file.write_text(yaml.safe_dump(stack, sort_keys=False))

    @property
    def _file(self) -> Path:
        return self.project.folder / f"Pulumi.{self.project.stack}.yaml"

    def sql(self, statement: str) -> Result:
        return Warehouse(self.server.client(), "local", "main", "churn").run(statement)

    def ask(self, body: dict[str, Any], served_entity: str = "") -> list[str]:
        """The predictions for a request, by plain HTTP; of one served entity where it is named."""
        entity = f"/served-models/{served_entity}" if served_entity else ""
        answer = self._send("POST", f"/serving-endpoints/{ENDPOINT}{entity}/invocations", body)
        predictions: list[str] = answer["predictions"]
        return predictions

    def ask_about(self, customers: Sequence[str], served_entity: str, at_a_time: int = 50) -> list[str]:
        """Predictions for customers, in requests of a few each."""
        answers: list[str] = []
        for first in range(0, len(customers), at_a_time):
            part = customers[first : first + at_a_time]
            records = [{"customer_id": customer, "transaction_ts": "2024-09-10"} for customer in part]
            answers += self.ask({"dataframe_records": records}, served_entity)
        return answers

    def customers(self, label: str, count: int) -> list[str]:
        """Customers that became so, in order."""
        found = self.sql(
            f"SELECT customer_id FROM advanced_churn_label_table WHERE churn = '{label}' ORDER BY 1 LIMIT {count}"
        )
        return [str(row[0]) for row in found.rows]

    def next_noon(self) -> str:
        """Move the workspace's clock to noon (UTC) of the day after; that day."""
        now = self._send("GET", "/_workspace/clock")["now_ms"] / 1_000
        noon = (now // 86_400 + 1.5) * 86_400
        self.advance(noon - now)
        return f"{datetime.fromtimestamp(noon, UTC):%Y-%m-%d}"

    def advance(self, seconds: float) -> None:
        """Move the workspace's clock; what falls due on the way is set going, once."""
        self._send("PUT", "/_workspace/clock", {"advance_seconds": seconds})

    def alert_states(self) -> dict[str, str]:
        """State of every alert, by its short name."""
        return {
            (alert.display_name or "").removeprefix(f"{ENDPOINT}-"): alert.evaluation.state.value
            for alert in self.server.client().alerts_v2.list_alerts()
            if alert.evaluation.state is not None
        }

    def settle(self) -> None:
        """Wait until what fell due has been done."""
        deadline = time.monotonic() + 120
        while any(True for _ in self.server.client().jobs.list_runs(active_only=True)):
            assert time.monotonic() < deadline, "jobs go on for longer than two minutes"
            time.sleep(0.3)

    def run(self, job_id: str, seconds: float = 120) -> dict[str, str]:
        """The result of every task of a new run of a job, which may take so long."""
        jobs = self.server.client().jobs
        started, deadline = jobs.run_now(int(job_id)).run_id, time.monotonic() + seconds
        # The SDK's own waiter looks ever more seldom.
        while (run := jobs.get_run(started)).end_time in (None, 0):
            assert time.monotonic() < deadline, f"run {started} goes on for longer than {seconds:.0f} s"
            time.sleep(0.1)
        return {
            task.task_key or "": str(task.state.result_state.value if task.state and task.state.result_state else "")
            for task in run.tasks or []
        }

    def measure(self, unpack_job: str, day: str, rows: int) -> None:
        """Unpack requests until the monitored table has so many rows of a day, then refresh the monitor."""
        deadline = time.monotonic() + 60
        while True:
            self.run(unpack_job)
            answer = self.sql(f"SELECT count(*) AS n FROM {MONITORED} WHERE date(inference_timestamp) = '{day}'")
            found = int(str(answer.only_row()["n"]))
            if found == rows:
                break
            assert time.monotonic() < deadline, f"{found} rows of {day} in {MONITORED}, and not {rows}"
        client = self.server.client()
        started = client.quality_monitors.run_refresh(MONITORED)
        while True:
            refresh = client.quality_monitors.get_refresh(MONITORED, started.refresh_id)
            if refresh.state.value in ("SUCCESS", "FAILED", "CANCELED"):
                break
            assert time.monotonic() < deadline, refresh
            time.sleep(0.1)
        assert refresh.state.value == "SUCCESS", refresh.message

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            f"{self.server.host}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.server.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)


def train(server: WorkspaceServer, *arguments: str) -> None:
    """Run the pipeline on seeded sample customers; registers two versions of the model."""
    run_pipeline("churn", server, "--catalog", "main", "--schema", "churn", *arguments)
