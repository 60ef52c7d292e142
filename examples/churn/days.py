"""Days in the life of the churn stack, on the embedded workspace: its clock moves, customers are asked about, labels
arrive late, and what the stack has scheduled happens.

`python -m examples.churn.days --help` lives them on a deployed stack (`make up PROJECT=churn`), one line a day.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from databricks.sdk import WorkspaceClient

from pipelines.sql import Result, Warehouse

CATALOG, SCHEMA = "main", "churn"
ENDPOINT = "advanced_mlops_churn_ep"
PAYLOAD = "advanced_churn_served_payload"
MONITORED = f"{CATALOG}.{SCHEMA}.advanced_churn_inference_table"
JOURNAL = "advanced_churn_drift_decisions"
DRIFT_JOB = "-drift-response-job"
# Steps of a night, in minutes after midnight (UTC): each is just after something that the stack schedules.
UNPACKED, REFRESHED, JUDGED, ALERTED, NOON = 65, 95, 125, 170, 720
# In the seeded drift, the seniors who have been customers for longer than so many months leave, and no others.
POACHED_MONTHS = 6
PATIENCE_SECONDS = 120.0
# Models are not put to sleep over night: waking them up every morning is not what these days are about.
AWAKE = {"scale_to_zero_idle_seconds": 10 * 365 * 86_400}
# How long it takes until it is known what became of a customer.
LABEL_DAYS = 2


@dataclass(frozen=True)
class Customer:
    """Somebody who can be asked about."""

    customer_id: str
    senior: bool
    months: float
    leaves: bool
    split: str

    def label(self, *, drifted: bool) -> str:
        """What becomes of them: seniors are another company's aim once answers drift."""
        leaves = self.months > POACHED_MONTHS if drifted and self.senior else self.leaves
        return "Yes" if leaves else "No"


@dataclass(frozen=True)
class Day:
    """What a day brought."""

    date: str
    rows: int
    labels: int
    """How many arrived."""
    outcome: str
    """Of drift detection, the night before."""
    count: int
    explanation: str
    versions: int
    """How many versions there are."""
    alerts: Sequence[str]
    """Which are firing, by their short names."""
    seconds: float

    def __str__(self) -> str:
        firing = ", ".join(self.alerts) or "-"
        said = f"{self.outcome} ({self.count})" if self.count else self.outcome
        return (
            f"{self.date}  {self.rows:4d} rows  {self.labels:4d} labels  {said:<14}  {self.versions} versions  "
            f"alerts: {firing}  [{self.seconds:.1f} s]"
        )


@dataclass
class ChurnDays:
    """Lives days, one after the other, on a workspace with a deployed churn stack."""

    host: str
    token: str
    requests: int = 20
    """A day; each is answered by one version, as the endpoint's traffic says."""
    records: int = 20
    """A request."""
    seed: int = 7
    _due: list[tuple[datetime, list[tuple[Customer, str]]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client = WorkspaceClient(host=self.host, token=self.token, auth_type="pat")
        self._random = np.random.default_rng(self.seed)
        self._warehouse = Warehouse(self.client, "local", CATALOG, SCHEMA)
        self._send("PUT", "/_workspace/settings", {"inference_table_delivery_lag_seconds": 0, **AWAKE})
        self.customers = self._known()
        self.jobs = {job.settings.name or "": job for job in self.client.jobs.list() if job.settings is not None}
        self._drift_job = next((one for name, one in self.jobs.items() if name.endswith(DRIFT_JOB)), None)

    def live(self, *, drifted: bool = False) -> Day:
        """A night and a day: what fell due is done, then customers are asked about, and labels arrive."""
        began = time.monotonic()
        self.night()
        return self.day(drifted=drifted, began=began)

    def day(self, *, drifted: bool = False, began: float | None = None) -> Day:
        """Noon: customers are asked about, and labels of days before arrive."""
        began = time.monotonic() if began is None else began
        midnight = self.midnight()
        asked = [self.customers[index] for index in self._random.choice(len(self.customers), self._rows, replace=False)]
        self.ask(asked, midnight)
        self._due.append((midnight, [(one, one.label(drifted=drifted)) for one in asked]))
        arrived = self.labels_arrive(midnight)
        return self._day(midnight, len(asked), arrived, time.monotonic() - began)

    def night(self) -> None:
        """To noon of the next day, with a stop after everything that the stack schedules."""
        start = self.midnight() + timedelta(days=1)
        for minutes in (UNPACKED, REFRESHED, JUDGED):
            self.advance_to(start + timedelta(minutes=minutes))
            self.settle()
        for minutes in (ALERTED, NOON):
            self.advance_to(start + timedelta(minutes=minutes))
        self.settle()

    def ask(self, customers: Sequence[Customer], moment: datetime) -> None:
        """Ask the endpoint about customers as of a moment, and wait until the inference table knows."""
        before = self._logged(moment)
        parts = [customers[first : first + self.records] for first in range(0, len(customers), self.records)]
        for part in parts:
            records = [{"customer_id": one.customer_id, "transaction_ts": _text(moment)} for one in part]
            self._send("POST", f"/serving-endpoints/{ENDPOINT}/invocations", {"dataframe_records": records})
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (found := self._logged(moment)) < before + len(parts):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{found} of {before + len(parts)} requests are in {PAYLOAD}")
            time.sleep(0.05)

    def labels_arrive(self, now: datetime) -> int:
        """Write the labels that are old enough by `now` into the label table; how many they are."""
        due = [entry for entry in self._due if now - entry[0] >= timedelta(days=LABEL_DAYS)]
        self._due = [entry for entry in self._due if entry not in due]
        for moment, labels in due:
            lines = ";".join(f"{one.customer_id}|{label}|{one.split}" for one, label in labels)
            self._warehouse.run(
                "INSERT INTO advanced_churn_label_table (customer_id, transaction_ts, churn, split) "
                "SELECT split_part(line, '|', 1), CAST(:moment AS TIMESTAMP), split_part(line, '|', 2), "
                "split_part(line, '|', 3) FROM (SELECT explode(split(:lines, ';')) AS line)",
                {"moment": _text(moment), "lines": lines},
            )
        return sum(len(labels) for _, labels in due)

    def midnight(self) -> datetime:
        """The last one, by the workspace's clock."""
        now = datetime.fromtimestamp(self._send("GET", "/_workspace/clock")["now_ms"] / 1_000, UTC)
        return now.replace(hour=0, minute=0, second=0, microsecond=0)

    def advance_to(self, moment: datetime) -> None:
        """Move the workspace's clock; what falls due on the way is set going, once."""
        now = self._send("GET", "/_workspace/clock")["now_ms"] / 1_000
        self._send("PUT", "/_workspace/clock", {"advance_seconds": max(moment.timestamp() - now, 0)})

    def settle(self) -> None:
        """Wait until no job runs."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while any(True for _ in self.client.jobs.list_runs(active_only=True)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"jobs run for longer than {PATIENCE_SECONDS:g} s")
            time.sleep(0.1)

    def parameters(self) -> dict[str, str]:
        """Those of the deployed drift job."""
        if self._drift_job is None:
            raise LookupError("the stack has no drift job")
        settings = self.client.jobs.get(self._drift_job.job_id or 0).settings
        given = settings.parameters if settings is not None and settings.parameters else []
        return {one.name: one.default for one in given}

    def decisions(self) -> list[dict[str, Any]]:
        """The journal, oldest first."""
        if not self.client.tables.exists(f"{CATALOG}.{SCHEMA}.{JOURNAL}").table_exists:
            return []
        return _dicts(self._warehouse.run("SELECT * FROM advanced_churn_drift_decisions ORDER BY decided_at"))

    def firing(self) -> list[str]:
        """Alerts that are triggered, by short name."""
        return sorted(
            (alert.display_name or "").removeprefix(f"{ENDPOINT}-")
            for alert in self.client.alerts_v2.list_alerts()
            if alert.evaluation.state is not None and alert.evaluation.state.value == "TRIGGERED"
        )

    def versions(self) -> list[str]:
        """Numbers of the model's versions, oldest first."""
        found = self.client.model_versions.list(f"{CATALOG}.{SCHEMA}.advanced_mlops_churn")
        return sorted((str(one.version) for one in found), key=int)

    @property
    def _rows(self) -> int:
        return min(self.requests * self.records, len(self.customers))

    def _day(self, midnight: datetime, rows: int, labels: int, seconds: float) -> Day:
        newest = next((one for one in reversed(self.decisions()) if one["event"] == "decision"), None)
        tonight = newest is not None and newest["decided_at"] >= midnight
        return Day(
            date=f"{midnight:%Y-%m-%d}",
            rows=rows,
            labels=labels,
            outcome=str(newest["outcome"]) if newest is not None and tonight else "-",
            count=int(newest["all_violations_count"]) if newest is not None and tonight else 0,
            explanation=str(newest["explanation"]) if newest is not None and tonight else "",
            versions=len(self.versions()),
            alerts=self.firing(),
            seconds=seconds,
        )

    def _known(self) -> list[Customer]:
        """Everybody with a first label."""
        result = self._warehouse.run(
            "SELECT l.customer_id, f.senior_citizen, f.tenure, l.churn, l.split FROM advanced_churn_label_table AS l "
            "JOIN advanced_churn_feature_table AS f ON f.customer_id = l.customer_id "
            "AND f.transaction_ts = l.transaction_ts ORDER BY l.customer_id"
        )
        return [
            Customer(str(key), senior == "Yes", float(str(months)), churn == "Yes", str(split))
            for key, senior, months, churn, split in result.rows
        ]

    def _logged(self, moment: datetime) -> int:
        row = self._warehouse.run(
            "SELECT count(*) AS n FROM advanced_churn_served_payload WHERE request_time >= CAST(:moment AS TIMESTAMP)",
            {"moment": _text(moment)},
        ).only_row()
        return int(str(row["n"]))

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        request = urllib.request.Request(  # noqa: S310 - the workspace's own address
            f"{self.host}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310 - likewise
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path} was answered with {error.code}: {error.read().decode()}") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Live the days, a line each; then what was decided."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.churn.days",
        description="Days on a deployed churn stack; the shell of `make -s env` names the workspace. Its clock moves.",
    )
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--drift-day", type=int, default=0, metavar="N", help="from then on answers drift (0: never)")
    parser.add_argument("--requests", type=int, default=20, help="a day (default %(default)s)")
    parser.add_argument("--records", type=int, default=20, help="a request (default %(default)s)")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args(arguments)
    days = ChurnDays(
        os.environ["DATABRICKS_HOST"],
        os.environ["DATABRICKS_TOKEN"],
        requests=options.requests,
        records=options.records,
        seed=options.seed,
    )
    for number in range(1, options.days + 1):
        day = days.live(drifted=0 < options.drift_day <= number)
        sys.stdout.write(f"day {number:2d}  {day}\n")
        sys.stdout.flush()
    for one in days.decisions():
        if one["retrain"] or one["event"] == "training":
            sys.stdout.write(f"{one['decided_at']:%Y-%m-%d %H:%M}  {one['event']}: {one['explanation']}\n")
    return 0


def _dicts(result: Result) -> list[dict[str, Any]]:
    return [dict(zip(result.columns, row, strict=True)) for row in result.rows]


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


if __name__ == "__main__":
    sys.exit(main())
