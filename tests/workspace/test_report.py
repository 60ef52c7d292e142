"""The report of a stack, made of queries on the workspace: its numbers are those of the tables, what is not there is
said, and the page stands alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import (
    MonitorInferenceLog,
    MonitorInferenceLogProblemType,
    MonitorMetric,
    MonitorMetricType,
)
from databricks.sdk.service.dashboards import Dashboard
from databricks.sdk.service.jobs import JobParameterDefinition
from databricks.sdk.service.sql import (
    Aggregation,
    AlertV2,
    AlertV2Evaluation,
    AlertV2Operand,
    AlertV2OperandColumn,
    AlertV2OperandValue,
    ComparisonOperator,
    CronSchedule,
)

from apps.report.__main__ import main
from apps.report.facts import Facts, gather
from apps.report.monitor_sections import beyond
from apps.report.page import html, sections_of, write
from apps.report.source import UNREADABLE, Source
from components import alert_queries
from components.dashboard import DashboardDriftArgs
from components.names import ThreePartName
from tests.support.server import WorkspaceServer
from tests.support.warehouse import Warehouse
from tests.support.watching import refreshed
from tests.unit import test_dashboard

DAYS = 4
ENTITIES = {"e1": "rater-1", "e2": "rater-2"}


@dataclass(frozen=True)
class Scene:
    """A workspace with what a stack would leave behind, the stack's outputs, and what was found of it."""

    server: WorkspaceServer
    outputs: dict[str, Any]
    requests: list[tuple[int, str, int, int]]
    """(days ago, entity, status, milliseconds)"""
    source: Source
    facts: Facts
    page: str


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    server = WorkspaceServer(tmp_path_factory.mktemp("report"))
    server.start()
    try:
        client = server.client()
        client.schemas.create("rep", "main")
        sql = Warehouse(client, "main", "rep")
        requests = _requests(sql)
        outputs = {
            "contractVersion": "1.1",
            "environment": "local",
            "endpointName": "rater",
            "endpointUrl": f"{server.host}/serving-endpoints/rater/invocations",
            "modelName": "main.rep.nothing",
            "payloadTable": "main.rep.rater_payload",
            "servedEntities": [],
            **_monitored(client, sql),
            "jobIds": {"drift-response": _journal(client, sql)},
            "cost": {
                "ratesAsOf": "2026-11",
                "dbuPerHour": {"floor": 4.0},
                "usdPerHour": {"floor": 0.28},
                "unknown": ["gpu"],
            },
        }
        outputs["alertIds"] = _alerts(client)
        source = Source(client, "local")
        facts = gather(source, outputs, days=30)
        page = html(facts, sections_of(facts), stack="x/local", warehouse="local", asked=source.asked)
        yield Scene(server, outputs, requests, source, facts, page)
    finally:
        server.kill()


def _noon(days_ago: int) -> datetime:
    today = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    return today - timedelta(days=days_ago)


def _requests(sql: Warehouse) -> list[tuple[int, str, int, int]]:
    sql.execute(
        "CREATE TABLE rater_payload (request_time TIMESTAMP, status_code INT, execution_duration_ms BIGINT, "
        "response STRING, served_entity_id STRING)"
    )
    found = [
        (ago, entity, 500 if (number == 0 and ago == 1) else 200, 10 * ago + 7 * number + (30 if entity == "e2" else 0))
        for ago in range(DAYS)
        for entity in ENTITIES
        for number in range(6)
    ]
    rows = ", ".join(
        f"(TIMESTAMP '{_noon(ago):%Y-%m-%d %H:%M:%S}', {status}, {ms}, "
        f"""'{{"usage": {{"total_tokens": 3}}}}', '{entity}')"""
        for ago, entity, status, ms in found
    )
    sql.execute(f"INSERT INTO rater_payload VALUES {rows}")
    return found


def _monitored(client: WorkspaceClient, sql: Warehouse) -> dict[str, str]:
    """Two models' answers, of which those of the last day are others."""
    sql.execute(
        "CREATE TABLE rater_unpacked (inference_timestamp TIMESTAMP, served_entity_id STRING, key STRING, "
        "plan STRING, prediction STRING, label STRING)"
    )
    rows = [
        f"(TIMESTAMP '{_noon(ago):%Y-%m-%d %H:%M:%S}', '{entity}', 'k{ago}{entity}{number}', "
        f"'{'free' if number % 3 else 'paid'}', '{'Yes' if (number % 10 < (8 if ago == 0 else 2)) else 'No'}', "
        f"'{'Yes' if number % 10 < 2 else 'No'}')"
        for ago in range(DAYS)
        for entity in ENTITIES
        for number in range(20)
    ]
    sql.execute(f"INSERT INTO rater_unpacked VALUES {', '.join(rows)}")
    client.quality_monitors.create(
        "main.rep.rater_unpacked",
        "main.rep",
        "/Shared/rater",
        inference_log=MonitorInferenceLog(
            granularities=["1 day"],
            model_id_col="served_entity_id",
            prediction_col="prediction",
            label_col="label",
            problem_type=MonitorInferenceLogProblemType.PROBLEM_TYPE_CLASSIFICATION,
            timestamp_col="inference_timestamp",
        ),
        custom_metrics=[
            MonitorMetric(
                name="wrong",
                definition="avg(CASE WHEN {{prediction_col}} != {{label_col}} THEN 1 ELSE 0 END)",
                input_columns=[":table"],
                output_data_type="double",
                type=MonitorMetricType.CUSTOM_METRIC_TYPE_AGGREGATE,
            )
        ],
    )
    refreshed(client, "main.rep.rater_unpacked")
    return {
        "monitorTable": "main.rep.rater_unpacked",
        "profileMetricsTable": "main.rep.rater_unpacked_profile_metrics",
        "driftMetricsTable": "main.rep.rater_unpacked_drift_metrics",
    }


def _journal(client: WorkspaceClient, sql: Warehouse) -> str:
    sql.execute(
        "CREATE TABLE decided (decided_at TIMESTAMP, event STRING, model STRING, outcome STRING, reasons STRING, "
        "explanation STRING, retrain BOOLEAN, all_violations_count INT, violations_found INT, windows INT, "
        "first_window TIMESTAMP, last_window TIMESTAMP, since TIMESTAMP, violating STRING, policy STRING, "
        "version STRING, compared_with STRING, measured STRING)"
    )
    sql.execute(
        "INSERT INTO decided (decided_at, event, outcome, reasons, explanation, retrain, violations_found, windows, "
        f"version) VALUES (TIMESTAMP '{_noon(1):%Y-%m-%d %H:%M:%S}', 'decision', 'held back', 'cooldown', "
        "'too soon <b>', false, 2, 6, NULL), "
        f"(TIMESTAMP '{_noon(0):%Y-%m-%d %H:%M:%S}', 'decision', 'violation', '', 'drifted', true, 3, 8, NULL), "
        f"(TIMESTAMP '{_noon(0):%Y-%m-%d %H:%M:%S}', 'training', 'better', '', 'made', false, NULL, NULL, '4')"
    )
    job = client.jobs.create(
        name="drift",
        parameters=[
            JobParameterDefinition(name="journal", default="decided"),
            JobParameterDefinition(name="drift_metrics_table", default="main.rep.rater_unpacked_drift_metrics"),
        ],
        tasks=[],
    )
    return str(job.job_id)


def _alerts(client: WorkspaceClient) -> dict[str, str]:
    profile = ThreePartName.parse("main.rep.rater_unpacked_profile_metrics")
    # The second one has never had a window that is large enough.
    drift, strict = (
        alert_queries.drift(
            ThreePartName.parse("main.rep.rater_unpacked_drift_metrics"),
            "js_distance",
            columns=["prediction", "label"],
            drift_type="CONSECUTIVE",
            granularity="1 day",
            sliced=False,
            profile_table=profile if least > 1 else None,
            min_rows=least,
        )
        for least in (1, 1000)
    )
    quality = alert_queries.quality(profile, "wrong", granularity="1 day", sliced=False)
    made = {}
    for short, query, column, limit in (
        ("drift-answers", drift, "drift", 0.19),
        ("drift-strict", strict, "drift", 0.19),
        ("quality-wrong", quality, "quality", 0.9),
    ):
        alert = AlertV2(
            display_name=f"rater-{short}",
            query_text=query,
            warehouse_id="local",
            evaluation=AlertV2Evaluation(
                source=AlertV2OperandColumn(name=column, aggregation=Aggregation.MAX),
                comparison_operator=ComparisonOperator.GREATER_THAN,
                threshold=AlertV2Operand(value=AlertV2OperandValue(double_value=limit)),
            ),
            schedule=CronSchedule(quartz_cron_schedule="0 0 0 * * ?", timezone_id="UTC"),
        )
        made[short] = str(client.alerts_v2.create_alert(alert).id)
    return made


def test_traffic_latency_and_errors_are_those_of_the_inference_table(scene: Scene) -> None:
    rows = {row["date"]: row for row in scene.facts.traffic.value}
    assert len(rows) == DAYS
    for ago in range(DAYS):
        times = [ms for days, _, _, ms in scene.requests if days == ago]
        row = rows[_noon(ago).date()]
        assert row["request_count"] == len(times)
        assert row["p50_latency_ms"] == pytest.approx(np.percentile(times, 50))
        assert row["p95_latency_ms"] == pytest.approx(np.percentile(times, 95))
        assert row["error_count"] == sum(status != 200 for days, _, status, _ in scene.requests if days == ago)
        assert row["total_tokens"] == 3 * len(times)
    each = {(row["date"], row["served_entity_id"]): row["request_count"] for row in scene.facts.by_entity.value}
    assert each == {(_noon(ago).date(), entity): 6 for ago in range(DAYS) for entity in ENTITIES}


def test_drift_and_quality_are_those_of_the_monitor_with_the_limits_of_the_alerts(scene: Scene) -> None:
    drift = {
        (row["window_start"].date(), row["column_name"]): row["js_distance"]
        for row in scene.facts.drift["CONSECUTIVE"].value
    }
    today, before = _noon(0).date(), _noon(1).date()
    # From 20 % to 80 % of Yes: the square root of the Jensen-Shannon divergence.
    p, q = np.array([0.2, 0.8]), np.array([0.8, 0.2])
    m = (p + q) / 2
    divergence = (np.sum(p * np.log(p / m)) + np.sum(q * np.log(q / m))) / 2
    assert drift[today, "prediction"] == pytest.approx(np.sqrt(divergence), abs=1e-6)
    assert drift[before, "prediction"] == pytest.approx(0, abs=1e-9)
    found = beyond(scene.facts)
    assert [(one.window.date(), one.what, one.kind) for one in found] == [(today, "js_distance of prediction", "drift")]
    wrong = {row["model_id"]: row["wrong"] for row in scene.facts.quality.value if row["window_start"].date() == today}
    assert wrong == {"*": pytest.approx(0.6), "e1": pytest.approx(0.6), "e2": pytest.approx(0.6)}
    now = {one.name: one for one in scene.facts.alerts.value}
    assert (now["drift-answers"].limit, now["drift-answers"].state) == (0.19, "UNKNOWN")
    assert now["drift-answers"].value == pytest.approx(np.sqrt(divergence), abs=1e-6)
    assert now["quality-wrong"].value == pytest.approx(0.6)


def test_keys_are_no_features(scene: Scene) -> None:
    assert "key" in scene.facts.not_features
    assert "plan" not in scene.facts.not_features
    page = scene.page
    features = page[page.index('id="feature-drift"') : page.index('id="performance"')]
    assert "plan" in features
    assert "Left out as keys: inference_timestamp, key, record_index, request_id, served_entity_id." in features


def test_decisions_come_from_the_journal_that_the_job_names(scene: Scene) -> None:
    outcomes = [(row["event"], row["outcome"], row["retrain"]) for row in scene.facts.decisions.value]
    assert sorted(outcomes) == [
        ("decision", "held back", False),
        ("decision", "violation", True),
        ("training", "better", False),
    ]
    page = scene.page
    assert "2 decisions, 1 of which set a retraining going" in page
    assert "too soon &lt;b&gt;; held back by cooldown" in page
    assert "version 4" in page


def test_a_journal_that_the_first_decision_will_make_is_no_question_of_rights(scene: Scene) -> None:
    made = scene.source.client.jobs.create(
        name="young", parameters=[JobParameterDefinition(name="journal", default="decided_later")], tasks=[]
    )
    outputs = {**scene.outputs, "jobIds": {"drift-response": str(made.job_id)}}
    found = gather(scene.source, outputs, days=DAYS).decisions
    assert (found.value, UNREADABLE in found.missing) == ([], False)
    assert "nothing was decided yet" in found.missing


def test_what_is_not_there_is_said_and_never_a_zero(scene: Scene) -> None:
    page = scene.page
    for words in (
        "the monitor has no baseline table",
        "billed DBU by day could not be read",
        "versions of main.rep.nothing could not be read",
        "which usage tracking fills",
        "in no sum, because no rate is known: gpu",
    ):
        assert words in page, words
    bare = {"contractVersion": "1.1", "endpointName": "rater", "modelName": "main.rep.nothing"}
    facts = gather(Source(scene.source.client, "local"), bare, days=7)
    sections = {section.name: section for section in sections_of(facts)}
    assert all(section.missing and not section.plots for section in sections.values())
    assert sections["traffic"].missing == [
        "the stack has no inference table (endpoint.inferenceTable in its stack file)"
    ]
    emptied = html(facts, list(sections.values()), stack="x/local", warehouse="local", asked=[])
    assert emptied.count("No data.") >= len(sections)
    assert re.findall(r"<strong>([^<]*)</strong> <span>", emptied) == ["-"] * 6


def test_the_page_stands_alone_and_every_plot_has_words_and_a_table(scene: Scene) -> None:
    page = scene.page
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert reader.loads == []
    assert len(reader.ids) == len(set(reader.ids))
    figures = page.count("<figure")
    assert figures >= 8
    assert page.count('class="plot wide"') == page.count('class="plot narrow"') == figures
    assert page.count("<desc") == page.count("<title id") == 2 * figures
    for figure in re.findall(r"<figure.*?</figure>", page, flags=re.DOTALL):
        assert "<table>" in figure
        assert "var(--series-0)" in figure
        # Only the page's own variables: a colour of the drawing would not follow light and dark.
        assert not re.findall(r"#[0-9a-f]{6}", figure)


def test_limits_are_drawn_into_the_plots(scene: Scene) -> None:
    drawn = {plot.chart.name: plot.chart for section in sections_of(scene.facts) for plot in section.plots}
    against_before = drawn["prediction-drift-consecutive-js-distance"]
    assert [(limit.value, limit.says) for limit in against_before.limits] == [(0.19, "alert drift-answers: > 0.19")]
    assert "limit of alert drift-answers: > 0.19" in against_before.alt
    assert [limit.value for limit in drawn["quality-wrong"].limits] == [0.9]


def test_the_command_writes_the_page_and_a_picture_of_every_plot(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", scene.server.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", scene.server.token)
    outputs = tmp_path / "outputs.json"
    outputs.write_text(json.dumps(scene.outputs))
    folder = tmp_path / "report"
    write(folder, "old", sections_of(scene.facts)[:1])
    (folder / "gone.png").write_bytes(b"")
    project = ["--project", "churn", "--warehouse-id", "local", "--outputs", str(outputs), "--out", str(folder)]
    assert main([*project, "--days", "2"]) == 0
    assert capsys.readouterr().out.strip() == str(folder / "report.html")
    pictures = {file.name: file.read_bytes() for file in folder.glob("*.png")}
    assert "requests.png" in pictures
    assert "gone.png" not in pictures
    assert all(content.startswith(b"\x89PNG") and len(content) > 5_000 for content in pictures.values())
    assert "last 2 days" in (folder / "report.html").read_text()
    assert main(["--project", "churn", "--outputs", str(tmp_path / "none.json")]) == 2
    assert "holds no outputs" in capsys.readouterr().err
    assert main([*project, "--days", "0"]) == 2


def test_the_console_shows_the_same_drift_limits_and_decisions(scene: Scene) -> None:
    page = _console(scene).get("/_workspace/console").text
    section = page[page.index('<section id="drift"') : page.index('<section id="jobs"')]
    assert "main.rep.rater_unpacked" in _text(section)
    (row,) = [row for row in re.findall(r"<tr>.*?</tr>", section, flags=re.DOTALL) if ">prediction<" in row]
    today = next(
        row
        for row in scene.facts.drift["CONSECUTIVE"].value
        if row["column_name"] == "prediction" and row["window_start"].date() == _noon(0).date()
    )
    assert f"{today['js_distance']:.4f}" in row
    assert "0.19" in row
    assert 'class="limit"' in row
    # Each alert by its own query: the strict one has never had a window that is large enough.
    found = {
        cells[0]: cells[1:]
        for row in re.findall(r"<tr>.*?</tr>", section, flags=re.DOTALL)
        if len(cells := [_text(cell).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", row, flags=re.DOTALL)]) == 5
        and cells[0].startswith("rater-")
    }
    distance = f"{today['js_distance']:.4f}"
    assert found == {
        "rater-drift-answers": [
            "unknown",
            "&gt; 0.19",
            f"1 of {DAYS - 1}",
            f"{_noon(0):%Y-%m-%d} 00:00 (js_distance of prediction {distance})",
        ],
        "rater-drift-strict": ["unknown", "&gt; 0.19", "0 of 0", "none"],
        "rater-quality-wrong": ["unknown", "&gt; 0.9", f"0 of {DAYS}", "none"],
    }
    for words in ("held back", "violation", "better", "too soon &lt;b&gt;"):
        assert words in section


def test_the_console_runs_the_queries_of_a_dashboard(scene: Scene) -> None:
    client = scene.source.client
    drift = DashboardDriftArgs(
        drift_metrics_table=scene.outputs["driftMetricsTable"],
        profile_metrics_table=scene.outputs["profileMetricsTable"],
        quality=["wrong"],
    )
    content = test_dashboard.content(payload_table=scene.outputs["payloadTable"], drift=drift)
    content["datasets"] += [
        {"name": "e", "displayName": "Broken", "query": "SELECT * FROM main.rep.nothing"},
        {"name": "f", "displayName": "Empty", "query": "SELECT 1 AS one WHERE 1 = 2"},
    ]
    made = client.lakeview.create(
        Dashboard(display_name="rater <b>", serialized_dashboard=json.dumps(content), parent_path="/Shared")
    )
    browser = _console(scene)
    listed = browser.get("/_workspace/console").text
    assert f"/_workspace/console/dashboards/{made.dashboard_id}" in listed
    assert "rater &lt;b&gt;" in listed
    page = browser.get(f"/_workspace/console/dashboards/{made.dashboard_id}").text
    # Four figures of the traffic, the drift, and rows and measure of the quality.
    assert page.count('class="sparkline"') == 7
    assert page.count("The query failed") == 1
    assert f"{_noon(0):%Y-%m-%d}" in page
    assert "TABLE_OR_VIEW_NOT_FOUND" in page
    assert "The query gives no rows." in page
    assert "Unable to find dashboard" in browser.get("/_workspace/console/dashboards/none").text
    with httpx.Client(base_url=scene.server.host) as stranger:
        assert stranger.get(f"/_workspace/console/dashboards/{made.dashboard_id}").status_code == 303


def _console(scene: Scene) -> httpx.Client:
    """A browser that is signed in."""
    browser = httpx.Client(base_url=scene.server.host, follow_redirects=True, timeout=30)
    login = {"token": scene.server.token}
    answer = browser.post("/_workspace/console/login", data=login, headers={"Origin": scene.server.host})
    assert answer.status_code == 200
    return browser


def _text(markup: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", markup))


class Reader(HTMLParser):
    """What a browser would load for a page, its ids, and elements that nobody closes."""

    VOID = ("meta", "link", "img", "br", "path", "use", "g")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if values.get("id"):
            self.ids.append(str(values["id"]))
        for name in ("src", "href", "xlink:href"):
            if values.get(name) and not str(values[name]).startswith("#"):
                self.loads.append(str(values[name]))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in self.VOID:
            return
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag
