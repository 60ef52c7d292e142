"""The churn stack, whole: two versions behind one endpoint, what is watched, and what drift sets going.

One stack for all of them, in this order: made, asked, sixty days without drift, fourteen with it and the release that
follows, one more feature, gone. CHURN_DATA names a folder with IBM's telco_churn.csv, to be used instead of the sample.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from mlflow import MlflowClient
from sklearn.metrics import f1_score

from components.outputs import StackOutputs
from components.report_queries import billed_by_day
from examples.churn.days import LABEL_DAYS, ChurnDays
from pipelines.churn.drift_detection import judge
from pipelines.churn.drift_job import read_metrics
from pipelines.churn.drift_parameters import policy_of, start_of
from pipelines.sql import Warehouse
from pipelines.versions import version_tags
from tests.support.churn import ENDPOINT, MODEL, MONITORED, PAYLOAD, Churn, train
from tests.support.engine import Outcome
from tests.support.example import credentials
from tests.support.reads import last_request, only_reads, requests_since
from tests.support.server import WorkspaceServer

SENIORS = "senior_citizen='Yes'=true"
LOGGED = "main.churn.advanced_churn_served_payload"
SLICE_ALERT = "quality-expected-loss-of-a-slice"


def nights(which: str) -> dict[str, dict[str, str]]:
    """The stack's schedules: unpacking, monitor, drift detection and alerts, one after the other on the nights that the
    day of the month of a Quartz expression names.
    """
    return {
        "monitor": {"unpackCron": f"0 0 1 {which} * ?", "monitorCron": f"0 30 1 {which} * ?"},
        "drift": {"cron": f"0 0 2 {which} * ?"},
        "alerts": {"cron": f"0 45 2 {which} * ?"},
    }


EVERY_NIGHT, SOME_NIGHTS = nights("*"), nights("*/6")


@dataclass
class Deployed:
    """The stack after its first `up`."""

    churn: Churn
    up: Outcome
    requests: list[tuple[str, str]]
    """Method and path of what the first `up` wrote, in order."""

    @property
    def outputs(self) -> StackOutputs:
        return StackOutputs.model_validate(self.churn.project.outputs())

    def days(self, requests: int = 8) -> ChurnDays:
        """Days of 400 rows, in so many requests."""
        server = self.churn.server
        return ChurnDays(server.host, server.token, requests=requests, records=400 // requests)

    def on(self, schedules: dict[str, dict[str, str]]) -> None:
        """Have the stack do its work on other nights, if it does not yet."""
        if self.churn.stack_file()["drift"]["cron"] != schedules["drift"]["cron"]:
            self.churn.configure(schedules)
            changed = self.churn.project.up()
            assert changed.ok, changed
            assert {op for op, _ in changed.operations()} == {"update"}

    def aliases(self) -> dict[str, str]:
        client = self.churn.server.client()
        names = ("production", "champion", "challenger")
        return {name: str(client.model_versions.get_by_alias(MODEL, name).version) for name in names}

    def split(self) -> dict[str | None, int]:
        config = self.churn.server.client().serving_endpoints.get(ENDPOINT).config
        assert config is not None
        assert config.traffic_config is not None
        return {route.served_model_name: route.traffic_percentage for route in config.traffic_config.routes or []}


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("churn")
    server = WorkspaceServer(folder / "workspace")
    server.start()
    data = os.environ.get("CHURN_DATA")
    train(server, *(["--data", data] if data else []))
    churn = Churn.new(server, folder / "project")
    churn.configure(SOME_NIGHTS)
    with only_reads(server):
        planned = churn.project.preview()
    assert planned.ok, planned
    before = last_request(server)
    made = churn.project.up()
    assert made.ok, made
    sent = [(one["method"], one["path"]) for one in requests_since(server, before) if one["method"] != "GET"]
    yield Deployed(churn, made, sent)
    server.kill()


def test_the_first_up_makes_everything_in_order_and_the_second_asks_and_does_nothing(deployed: Deployed) -> None:
    """Endpoint with its inference table, monitored table, monitor, alerts and jobs, with nobody's help in between."""
    made = deployed.up.of_kind("resOutputsEvent")
    order = [event["metadata"]["type"].rpartition(":")[2] for event in made]
    chain = ["ModelServing", "SqlTable", "QualityMonitor", "AlertV2"]
    assert [kind for kind in dict.fromkeys(order) if kind in chain] == chain
    assert order.index("QualityMonitor") < max(place for place, kind in enumerate(order) if kind == "Job")

    def first(method: str, part: str) -> int:
        return next(place for place, one in enumerate(deployed.requests) if one[0] == method and part in one[1])

    steps = [
        first("POST", "/api/2.0/serving-endpoints"),
        first("POST", f"/tables/{MONITORED}/monitor"),
        first("POST", "/api/2.0/alerts"),
    ]
    assert steps == sorted(steps)
    # The endpoint's creation brings the inference table; nothing had to be asked first for it to be there.
    client = deployed.churn.server.client()
    for table in (deployed.outputs.payload_table, MONITORED):
        assert client.tables.exists(table or "").table_exists
    with only_reads(deployed.churn.server):
        again = deployed.churn.project.up()
    assert again.ok, again
    assert again.operations() == []


def test_both_versions_answer_as_the_split_says(deployed: Deployed) -> None:
    outputs = deployed.outputs
    split = {entity.name: entity.traffic_percentage for entity in outputs.served_entities}
    assert split == {"advanced_mlops_churn-1": 80, "advanced_mlops_churn-2": 20}
    assert outputs.aliases == {"production": "1", "champion": "2"}
    assert outputs.smoke_result.answered_by == dict.fromkeys(split, "ok")
    assert outputs.online_table_names == ["main.churn.advanced_churn_feature_table_online_table"]
    assert (outputs.payload_table, outputs.monitor_table) == ("main.churn.advanced_churn_served_payload", MONITORED)
    assert deployed.split() == split
    for answers in (deployed.churn.ask(PAYLOAD), *(deployed.churn.ask(PAYLOAD, entity) for entity in split)):
        assert len(answers) == 2
        assert set(answers) <= {"Yes", "No"}


def test_customers_scored_in_bulk_get_the_answers_of_the_endpoint_by_the_consumers_alias(deployed: Deployed) -> None:
    churn = deployed.churn
    consumers = {who: consumer.version for who, consumer in deployed.outputs.consumers.items()}
    assert consumers == {"realtime": "1", "batch": "2"}
    # On real Spark; the first run of a clone gets Delta's jars, too.
    assert churn.run(deployed.outputs.job_ids["batch"], seconds=400) == {"Batch_scoring": "SUCCESS"}
    scored = churn.sql(
        "SELECT customer_id, prediction, model_version, model_alias FROM advanced_churn_offline_inference"
    )
    assert {(row[2], row[3]) for row in scored.rows} == {(2, "champion")}
    answers = {str(row[0]): row[1] for row in scored.rows}
    customers = churn.sql("SELECT count(*) AS n FROM churn_customers").only_row()["n"]
    assert len(answers) == len(scored.rows) == customers
    some = [*churn.customers("Yes", 40), *churn.customers("No", 40)]
    assert churn.ask_about(some, "advanced_mlops_churn-2") == [answers[customer] for customer in some]


def test_sixty_days_without_drift_set_nothing_going(deployed: Deployed) -> None:
    """Other customers every day, and so other figures. The stack looks every sixth night; in the end every night is
    judged as if it had.
    """
    before, versions = deployed.aliases(), _versions(deployed)
    deployed.on(SOME_NIGHTS)
    days = deployed.days(requests=4)
    for _ in range(60):
        days.live()
    decisions = [one for one in days.decisions() if one["event"] == "decision"]
    assert len(decisions) >= 9
    assert {one["outcome"] for one in decisions} <= {"no data", "no violation"}
    assert [one["outcome"] for one in decisions].count("no data") <= 1
    assert all(not one["retrain"] and one["all_violations_count"] == 0 for one in decisions)
    # Each by a run of its own, which the journal knows.
    assert len({one["run_id"] for one in decisions} - {None}) == len(decisions)
    # It was looked at something: in the end the table and four or more slices, seven days of them.
    assert decisions[-1]["windows"] >= 7 * 5
    assert (deployed.aliases(), _versions(deployed)) == (before, versions)
    # Two small models that are not put to sleep: 4 DBU an hour each, as the report asks it.
    billed = deployed.churn.sql(billed_by_day(ENDPOINT, days=30)).rows
    assert len(billed) >= 30
    assert [float(str(row[2])) for row in billed[:-1]] == pytest.approx([192.0] * (len(billed) - 1))
    assert [float(str(row[3])) for row in billed[:-1]] == pytest.approx([192 * 0.07] * (len(billed) - 1))

    # Both versions have answered for two months: what comes of it is said by tags, and moves nothing.
    assert deployed.churn.run(deployed.outputs.job_ids["ab-test"]) == {"Ab_result": "SUCCESS"}
    client = deployed.churn.server.client()
    tags = version_tags(client, MODEL, before["champion"])
    assert (tags["ab_result"] in ("passed", "failed", "inconclusive"), tags["ab_against"]) == (True, "1"), tags
    # The split says who answers how often.
    champion, production = (int(rows) for rows in tags["ab_rows"].split(" against "))
    assert 0.05 < champion / (champion + production) < 0.4, tags
    assert champion + production > 30 * 400
    assert deployed.aliases() == before

    parameters = days.parameters()
    policy = policy_of(parameters, start_of(parameters))
    warehouse = Warehouse(deployed.churn.server.client(), "local", "main", "churn")
    performance, drift = read_metrics(deployed.churn.server.client(), warehouse, parameters, policy)
    starts = sorted({row.time for row in performance})
    assert len(starts) >= 54
    for newest in starts:
        seen = [row for row in performance if row.time <= newest]
        verdict = judge(seen, [row for row in drift if row.time <= newest], policy)
        assert verdict.all_violations_count == 0, verdict


def test_drift_in_one_slice_is_seen_answered_and_over_after_the_next_release(deployed: Deployed) -> None:
    split, aliases, versions = deployed.split(), deployed.aliases(), _versions(deployed)
    deployed.on(EVERY_NIGHT)
    days = deployed.days()
    already, mails = len(days.decisions()), len(_mails(deployed))
    for _ in range(7):
        days.live()
    assert not any(one["retrain"] for one in days.decisions()[already:])
    assert SLICE_ALERT not in days.firing()

    drifts_on = days.midnight() + timedelta(days=1)
    fired_on, lived = None, 0
    while fired_on is None and lived < 7:
        if lived:
            days.day(drifted=True)
        days.night()
        lived += 1
        fired_on = next((one["decided_at"] for one in days.decisions()[already:] if one["retrain"]), None)
        if lived == 1:
            assert fired_on is None

    # Two bad windows are needed, and their labels arrive late: seen the night after the second one's are there.
    assert fired_on is not None
    assert fired_on.date() == (drifts_on + timedelta(days=LABEL_DAYS + 2)).date()
    decision, training = days.decisions()[-2:]
    assert (decision["outcome"], decision["all_violations_count"] > 0) == ("violation", True)
    found = json.loads(decision["violating"])
    assert {one["segment"] for one in found} == {SENIORS}
    assert min(datetime.fromisoformat(one["start"]) for one in found) >= drifts_on
    # The alert has told about it.
    assert SLICE_ALERT in days.firing()
    assert any(SLICE_ALERT in mail["subject"] for mail in _mails(deployed)[mails:])

    # One version more: better than the champion since, the challenger, and nothing else.
    (new,) = set(_versions(deployed)) - set(versions)
    assert (training["event"], training["version"], training["outcome"]) == ("training", new, "better")
    measured = json.loads(training["measured"])
    assert measured["challenger"]["f1_macro"] > measured["champion"]["f1_macro"] + 0.05
    assert measured["challenger"]["expected_loss"] > measured["champion"]["expected_loss"]
    _says_so(deployed, new, measured)
    assert deployed.aliases() == {**aliases, "challenger": new}
    assert deployed.split() == split

    # Its promotion is the next release: by the gate of its validation, in the stack file.
    deployed.churn.configure({"model": {"aliases": {"production": new, "champion": new}}})
    released = deployed.churn.project.up()
    assert released.ok, released
    assert deployed.aliases() == dict.fromkeys(aliases, new)
    assert deployed.split() == {f"advanced_mlops_churn-{new}": 100}

    released_on = days.midnight()
    told = len(_mails(deployed))
    for _ in range(LABEL_DAYS):
        days.day(drifted=True)
        days.night()
    assert SLICE_ALERT in days.firing()
    days.day(drifted=True)
    days.night()
    assert SLICE_ALERT not in days.firing()
    assert any(SLICE_ALERT in mail["subject"] for mail in _mails(deployed)[told:])
    # Nothing more was set going: what the new version was trained for is over.
    assert [one["version"] for one in days.decisions()[already:] if one["event"] == "training"] == [new]
    before, after = (_f1_of_seniors(deployed, *span) for span in ((drifts_on, released_on), (released_on, None)))
    assert before < 0.5 < after


def test_columns_that_come_later_are_null_before_unless_a_feature_table_knows(deployed: Deployed) -> None:
    """One is looked up, and so known of old requests, too; one is what requests carry from now on."""
    churn = deployed.churn
    monitor = churn.stack_file()["monitor"]
    features = churn.stack_file()["monitoredFeatures"]
    deployed.on(EVERY_NIGHT)
    rows = _counted(churn, "true")
    days = deployed.days()
    if not rows:
        days.live()
        days.night()
        rows = _counted(churn, "true")
    refused = {**monitor["recordColumns"], "monthly_charges": "bigint"}
    churn.configure({"monitor": {"recordColumns": refused}})
    planned = churn.project.preview()
    assert not planned.ok
    assert "monthly_charges" in planned.text
    assert "is double and should be bigint" in planned.text
    assert "a new name" in planned.text

    later = {"payment_method": "string", "gender": "string"}
    churn.configure({"monitor": {"recordColumns": {**monitor["recordColumns"], **later}}})
    churn.configure({"monitoredFeatures": [*features, "payment_method"]})
    changed = churn.project.up()
    assert changed.ok, changed
    assert not {op for op, kind in changed.operations() if kind.endswith(("SqlTable", "QualityMonitor"))} & {
        "replace",
        "create-replacement",
        "delete-replaced",
    }
    days.day()
    asked = {"customer_id": days.customers[0].customer_id, "transaction_ts": "2024-09-10", "gender": "Female"}
    churn.ask({"dataframe_records": [asked]})
    # Answers do not wait for the inference table.
    deadline = time.monotonic() + 60
    while not int(str(churn.sql(f"SELECT count(*) AS n FROM {LOGGED} WHERE request LIKE '%Female%'").only_row()["n"])):
        assert time.monotonic() < deadline, f"the request is not in {LOGGED}"
        time.sleep(0.1)
    days.night()
    assert _counted(churn, "gender = 'Female'") == 1
    assert _counted(churn, "gender IS NULL") == rows + 400
    assert _counted(churn, "payment_method IS NOT NULL") == rows + 401
    profiled = churn.sql(
        f"SELECT count(*) AS n FROM {MONITORED}_profile_metrics WHERE column_name = 'payment_method' AND count > 0"
    )
    assert int(str(profiled.only_row()["n"])) > 0
    # Every step has left the change data feed on.
    client = churn.server.client()
    for table in (MONITORED, "main.churn.advanced_churn_feature_table", "main.churn.advanced_churn_drift_decisions"):
        assert (client.tables.get(table).properties or {}).get("delta.enableChangeDataFeed") == "true", table
    assert _counted(churn, "true") == rows + 401


def test_at_the_end_nothing_is_left(deployed: Deployed) -> None:
    gone = deployed.churn.project.destroy()
    assert gone.ok, gone
    client = deployed.churn.server.client()
    assert [endpoint.name for endpoint in client.serving_endpoints.list()] == []
    assert list(client.jobs.list()) == []


def _versions(deployed: Deployed) -> list[str]:
    return [str(one.version) for one in deployed.churn.server.client().model_versions.list(MODEL)]


def _mails(deployed: Deployed) -> list[dict[str, str]]:
    answer = deployed.churn.server.client().api_client.do("GET", "/_workspace/notifications")
    assert isinstance(answer, dict)
    return list(answer["notifications"])


def _says_so(deployed: Deployed, version: str, measured: dict[str, dict[str, float]]) -> None:
    """What the journal says of a version is in its tags and its run's metrics, by MLflow's own client."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in credentials(deployed.churn.server).items():
            patch.setenv(name, value)
        registry = MlflowClient("databricks", "databricks-uc")
        made = registry.get_model_version(MODEL, version)
        metrics = registry.get_run(made.run_id or "").data.metrics
    assert (made.tags["comparison"], made.tags["validation"], made.tags["trained_by"]) == (
        "better",
        "passed",
        "retraining",
    )
    assert metrics["recent_f1_macro"] == pytest.approx(measured["challenger"]["f1_macro"])
    assert metrics["recent_champion_f1_macro"] == pytest.approx(measured["champion"]["f1_macro"])


def _f1_of_seniors(deployed: Deployed, begin: datetime, end: datetime | None) -> float:
    """Of what was answered about seniors in a time, by scikit-learn."""
    until = "" if end is None else f"AND inference_timestamp < TIMESTAMP'{end:%Y-%m-%d}'"
    rows = deployed.churn.sql(
        f"SELECT churn, prediction FROM {MONITORED} WHERE senior_citizen = 'Yes' AND churn IS NOT NULL "
        f"AND inference_timestamp >= TIMESTAMP'{begin:%Y-%m-%d}' {until}"
    ).rows
    assert len(rows) > 50
    return float(f1_score([row[0] for row in rows], [row[1] for row in rows], average="macro"))


def _counted(churn: Churn, condition: str) -> int:
    return int(str(churn.sql(f"SELECT count(*) AS n FROM {MONITORED} WHERE {condition}").only_row()["n"]))
