"""A churn stack with something to report: days of traffic, some of it refused, a drift that grows, labels that arrive.

`python -m tests.support.report_seed FOLDER` leaves one running, to be looked at.
"""

from __future__ import annotations

import sys
import urllib.error
from collections.abc import Sequence
from pathlib import Path

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
        asked = [*stay[day : day + 60 - leaving], *leave[day : day + leaving]]
        _ask(churn, asked, [entity.name for entity in outputs.served_entities])
        _refused(churn, times=2 if day % 3 == 0 else 0)
        churn.settle()
        churn.measure(outputs.job_ids["unpack"], date, 2 * len(asked))
        churn.run(outputs.job_ids["drift-response"])
    churn.advance(1_800)
    churn.settle()


def _ask(churn: Churn, customers: Sequence[str], entities: Sequence[str]) -> None:
    for entity in entities:
        churn.ask_about(customers, entity, at_a_time=BATCH)


def _refused(churn: Churn, times: int) -> None:
    """Requests that no model can answer: they are errors in the inference table."""
    for _ in range(times):
        try:
            churn.ask({"dataframe_records": [{"unknown": 1}]})
        except urllib.error.HTTPError as refusal:
            assert refusal.code >= 400, refusal


def main() -> int:
    churn = seeded(Path(sys.argv[1]))
    print(f"export DATABRICKS_HOST={churn.server.host} DATABRICKS_TOKEN={churn.server.token}")
    print(f"# project in {churn.project.folder}; pid {churn.server.pid}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
