"""A churn stack with something to report: days of traffic, some of it refused, a drift that grows, labels that arrive.

`python -m tests.support.report_seed FOLDER` leaves one running, to be looked at.
"""

from __future__ import annotations

import json
import sys
import urllib.error
from collections.abc import Mapping
from pathlib import Path

import yaml

from components.outputs import StackOutputs
from tests.support.churn import Churn, train
from tests.support.server import WorkspaceServer

DAYS = 8
DRIFT_FROM = 6
BATCH = 10


def seeded(folder: Path, *, days: int = DAYS, drift_from: int = DRIFT_FROM) -> Churn:
    """A deployed stack after so many days."""
    server = WorkspaceServer(folder / "workspace")
    server.start()
    train(server)
    churn = Churn.new(server, folder / "project")
    _track_usage(churn)
    made = churn.project.up()
    assert made.ok, made
    live(churn, days=days, drift_from=drift_from)
    return churn


def live(churn: Churn, *, days: int, drift_from: int) -> None:
    """Let time pass, a day at a time: requests at noon, then what the stack's jobs and its monitor make of them.

    Args:
        days: how many.
        drift_from: from this day on nearly all who are asked about leave.
    """
    outputs = StackOutputs.model_validate(churn.project.outputs())
    stay, leave = churn.customers("No", 200), churn.customers("Yes", 200)
    for day in range(1, days + 1):
        date = churn.next_noon()
        leaving = 45 if day >= drift_from else 12 + day % 3
        truth = {
            **dict.fromkeys(stay[day : day + 60 - leaving], "No"),
            **dict.fromkeys(leave[day : day + leaving], "Yes"),
        }
        for entity in outputs.served_entities:
            _ask(churn, truth, date, entity.name)
        _refused(churn, times=2 if day % 3 == 0 else 0)
        churn.settle()
        _label(churn, truth, date)
        churn.measure(outputs.job_ids["unpack"], date, len(outputs.served_entities) * len(truth))
        churn.run(outputs.job_ids["drift-response"])
    churn.advance(1_800)
    churn.settle()


def _track_usage(churn: Churn) -> None:
    """Names of served entities are in a system table, which usage tracking fills."""
    file = churn.project.folder / "Pulumi.local.yaml"
    content = yaml.safe_load(file.read_text())
    content["config"]["churn-serving:serving"]["endpoint"]["usageTracking"] = True
    file.write_text(yaml.safe_dump(content, sort_keys=False))


def _ask(churn: Churn, truth: Mapping[str, str], date: str, entity: str) -> None:
    customers = list(truth)
    for first in range(0, len(customers), BATCH):
        part = customers[first : first + BATCH]
        churn.ask({"dataframe_records": [{"customer_id": one, "transaction_ts": date} for one in part]}, entity)


def _label(churn: Churn, truth: Mapping[str, str], date: str) -> None:
    """What became of the customers that were asked about."""
    rows = ", ".join(f"('{customer}', TIMESTAMP '{date}', '{label}')" for customer, label in truth.items())
    churn.sql(f"INSERT INTO advanced_churn_label_table (customer_id, transaction_ts, churn) VALUES {rows}")


def _refused(churn: Churn, times: int) -> None:
    """Requests that no model can answer: they are errors in the inference table."""
    for _ in range(times):
        try:
            churn.ask({"dataframe_records": [{"unknown": 1}]})
        except urllib.error.HTTPError:
            continue


def main() -> int:
    churn = seeded(Path(sys.argv[1]))
    print(f"export DATABRICKS_HOST={churn.server.host} DATABRICKS_TOKEN={churn.server.token}")
    outputs = Path(sys.argv[1]) / "outputs.json"
    outputs.write_text(json.dumps(churn.project.outputs()), encoding="utf-8")
    print(f"# python -m apps.report --project churn --outputs {outputs}; the server is process {churn.server.pid}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
