"""The console: who may see it, what it shows, what its forms do, and what a page of it must be for everybody."""

from __future__ import annotations

import asyncio
import html
import re
import time
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from statistics import quantiles

import httpx
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.service.catalog import MonitorSnapshot
from databricks.sdk.service.ml import OnlineStore, PublishSpec, PublishSpecPublishMode
from databricks.sdk.service.serving import EndpointCoreConfigInput, EndpointTag, Route, ServedEntityInput, TrafficConfig
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
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as Path_

from tests.support.models import new_model, ready_version
from tests.support.outline import Outline
from tests.support.served import opened_state
from tests.support.server import WorkspaceServer
from tests.support.warehouse import Warehouse
from workspace.clock import Clock
from workspace.console import Console, reading
from workspace.console.sections.requests import percentile
from workspace.console.sessions import LIFETIME_SECONDS, Sessions
from workspace.errors import ApiError, not_implemented
from workspace.faults import Faults
from workspace.identity import OWNER
from workspace.settings import Settings

CONSOLE = "/_workspace/console"
SECRET = "literal-secret-of-a-model"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceServer]:
    """A server of its own: these tests move its clock and change its settings."""
    running = WorkspaceServer(tmp_path_factory.mktemp("console"))
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def client(server: WorkspaceServer) -> WorkspaceClient:
    return server.client()


class Browser(httpx.Client):
    """A browser, as far as the console sees one: it keeps cookies and names where its forms come from."""

    def __init__(self, host: str) -> None:
        super().__init__(base_url=host, follow_redirects=True, timeout=30)

    def sign_in(self, token: str) -> httpx.Response:
        return self.post(f"{CONSOLE}/login", data={"token": token}, headers={"Origin": str(self.base_url).rstrip("/")})

    def page(self) -> str:
        answer = self.get(CONSOLE)
        assert answer.status_code == 200, answer.text
        return answer.text

    def key(self) -> str:
        found = re.search(r'name="key" value="(\w+)"', self.page())
        assert found is not None
        return found[1]

    def fill(self, form: str, fields: dict[str, str]) -> httpx.Response:
        return self.post(f"{CONSOLE}/{form}", data={"key": self.key(), **fields})


@pytest.fixture
def browser(server: WorkspaceServer) -> Iterator[Browser]:
    """Signed in."""
    with Browser(server.host) as browser:
        assert browser.sign_in(server.token).status_code == 200
        yield browser


@pytest.fixture
def stranger(server: WorkspaceServer) -> Iterator[Browser]:
    """Not signed in."""
    with Browser(server.host) as browser:
        yield browser


def text_of(page: str) -> str:
    """What a reader reads, white space folded."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page.replace("<wbr>", ""))))


# --- who may see it --------------------------------------------------------------------------------------------------


def test_the_front_door_leads_to_a_login_that_shows_nothing_of_the_workspace(stranger: Browser) -> None:
    answer = stranger.get("/")
    assert answer.url.path == f"{CONSOLE}/login"
    assert "Access token" in answer.text
    assert "Serving endpoints" not in answer.text


def test_a_wrong_token_opens_no_session(stranger: Browser, server: WorkspaceServer) -> None:
    answer = stranger.sign_in(server.token[:-1] + "x")
    assert answer.status_code == 401
    assert "not the token of this workspace" in answer.text
    assert not stranger.cookies
    assert stranger.get(CONSOLE).url.path == f"{CONSOLE}/login"


def test_the_cookie_is_confined_to_the_console_and_hidden_from_scripts(
    stranger: Browser, server: WorkspaceServer
) -> None:
    stranger.follow_redirects = False
    cookie = stranger.sign_in(server.token).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert f"Path={CONSOLE};" in cookie
    assert server.token not in cookie


def test_a_session_opens_no_api_and_a_bearer_token_no_console(browser: Browser, server: WorkspaceServer) -> None:
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    for path in ("/api/2.0/serving-endpoints", "/_workspace/faults", "/_workspace/requests"):
        assert browser.get(path, headers={"Cookie": cookie}).status_code == 401
    with_token = httpx.get(server.host + CONSOLE, headers={"Authorization": f"Bearer {server.token}"})
    assert with_token.status_code == 303


def test_sign_out_ends_the_session_also_for_who_copied_the_cookie(browser: Browser) -> None:
    copied = dict(browser.cookies)
    assert browser.fill("logout", {}).url.path == f"{CONSOLE}/login"
    assert not browser.cookies
    assert browser.get(CONSOLE, headers={"Cookie": "; ".join("=".join(pair) for pair in copied.items())}).url.path == (
        f"{CONSOLE}/login"
    )


def test_a_session_ends_after_its_lifetime_and_outlives_a_restart_until_then(tmp_path: Path) -> None:
    now = 1000.0
    with opened_state(tmp_path) as state:
        session = Sessions(state.documents, state.token, state.workspace_id, lambda: now).open(state.token)
        assert session is not None
        assert session not in str(state.documents.list("console_session"))
    with opened_state(tmp_path) as state:
        sessions = Sessions(state.documents, state.token, state.workspace_id, lambda: now)
        assert sessions.is_open(session)
        now += LIFETIME_SECONDS
        assert not sessions.is_open(session)


# --- the forms -------------------------------------------------------------------------------------------------------


def faults(client: WorkspaceClient) -> list[dict[str, object]]:
    answer = client.api_client.do("GET", "/_workspace/faults")
    assert isinstance(answer, dict)
    return list(answer["faults"])


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({}, {}),
        ({"key": "0" * 64}, {}),
        (None, {"Origin": "http://127.0.0.1:1"}),
        (None, {"Origin": "null"}),
        (None, {"Sec-Fetch-Site": "same-site"}),
    ],
)
def test_a_form_that_the_page_did_not_send_changes_nothing(
    browser: Browser, client: WorkspaceClient, fields: dict[str, str] | None, headers: dict[str, str]
) -> None:
    given_fields = {"path": "**", "effect": "500", **({"key": browser.key()} if fields is None else fields)}
    answer = browser.post(f"{CONSOLE}/faults/add", data=given_fields, headers=headers)
    assert answer.status_code == 403
    assert not faults(client)


def test_the_key_of_another_session_is_refused(browser: Browser, stranger: Browser, server: WorkspaceServer) -> None:
    stranger.sign_in(server.token)
    answer = browser.post(f"{CONSOLE}/clock", data={"key": stranger.key(), "amount": "1"})
    assert answer.status_code == 403


def test_the_faults_switch_adds_and_removes_rules_and_stays_reachable_under_them(
    browser: Browser, client: WorkspaceClient
) -> None:
    rule = {
        "path": "**",
        "method": "*",
        "effect": "500",
        "when": "before",
        "delay_ms": "",
        "after_calls": "",
        "times": "1",
    }
    added = browser.fill("faults/add", rule)
    assert added.status_code == 200
    assert "The fault rule is on." in added.text
    (found,) = faults(client)
    assert (found["path"], found["status"], found["times"]) == ("**", 500, 1)
    assert found["hits"] == 0, "the console's own reads met the rule"
    assert "1 fault rule is on" in text_of(browser.page())
    with pytest.raises(DatabricksError):
        client.api_client.do("GET", "/api/2.0/serving-endpoints")
    assert "1 of 1" in text_of(browser.page())
    browser.fill("faults/remove", {"id": str(found["id"])})
    assert not faults(client)


def test_a_form_with_a_mistake_says_so_and_keeps_what_was_typed(browser: Browser, client: WorkspaceClient) -> None:
    answer = browser.fill("faults/add", {"path": "nowhere", "effect": "delay", "delay_ms": "5"})
    assert answer.status_code == 400
    assert "path is a pattern of paths" in text_of(answer.text)
    assert 'value="nowhere"' in answer.text
    assert not faults(client)
    too_long = browser.post(f"{CONSOLE}/clock", data={"amount": "1" * 20_000})
    assert too_long.status_code == 400


def test_clock_and_settings_are_moved_by_their_forms(browser: Browser, client: WorkspaceClient) -> None:
    browser.fill("clock", {"amount": "2", "unit": "hours"})
    clock = client.api_client.do("GET", "/_workspace/clock")
    assert isinstance(clock, dict)
    assert clock["offset_seconds"] == 7200
    assert "2 h ahead" in text_of(browser.page())
    browser.fill("settings", {"scale_to_zero_idle_seconds": "90.5"})
    settings = client.api_client.do("GET", "/_workspace/settings")
    assert isinstance(settings, dict)
    assert settings["scale_to_zero_idle_seconds"] == 90.5
    assert browser.fill("settings", {"scale_to_zero_idle_seconds": "-1"}).status_code == 400


# --- what it shows ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(client: WorkspaceClient) -> str:
    """A model of two versions that cannot be loaded, on an endpoint that therefore cannot be updated."""
    name = new_model(client, "shown", catalog="console")
    for alias in ("champion", "challenger"):
        client.registered_models.set_alias(name, alias, ready_version(client, name))
    entities = [
        ServedEntityInput(
            name=alias,
            entity_name=name,
            entity_version=version,
            workload_size="Small",
            scale_to_zero_enabled=True,
            environment_vars={"API_KEY": SECRET},
        )
        for alias, version in (("champion", "1"), ("challenger", "2"))
    ]
    routes = [
        Route(served_model_name="champion", traffic_percentage=70),
        Route(served_model_name="challenger", traffic_percentage=30),
    ]
    client.serving_endpoints.create(
        name="console-shown",
        config=EndpointCoreConfigInput(
            name="console-shown", served_entities=entities, traffic_config=TrafficConfig(routes=routes)
        ),
        tags=[EndpointTag(key="note", value="<script>alert(1)</script>")],
    )
    return name


@pytest.mark.usefixtures("model")
def test_an_endpoint_is_shown_with_its_split_and_the_config_that_is_not_in_force(browser: Browser) -> None:
    page = browser.page()
    assert 'aria-label="Traffic: champion 70 %, challenger 30 %"' in page
    assert 'x="70%" y="0" width="30%"' in page
    words = text_of(page)
    assert re.search(r"console-shown not ready", words)
    assert re.search(r"Config version 1 (is coming|failed)", words)


def test_models_are_shown_with_versions_and_aliases(browser: Browser, model: str) -> None:
    words = text_of(browser.page())
    assert re.search(
        re.escape(model) + r" 2 versions .* Version 2 @challenger ready .* Version 1 @champion ready", words
    )


@pytest.mark.usefixtures("model")
def test_no_secret_and_no_markup_of_others_reaches_the_page(browser: Browser, server: WorkspaceServer) -> None:
    page = browser.page()
    assert "console-shown" in page
    assert SECRET not in page
    assert server.token not in page
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_looking_leaves_no_trace_in_the_request_log(browser: Browser, client: WorkspaceClient) -> None:
    def logged() -> list[dict[str, object]]:
        answer = client.api_client.do("GET", "/_workspace/requests")
        assert isinstance(answer, dict)
        return list(answer["requests"])

    before = logged()
    browser.page()
    assert logged() == before


def test_requests_are_counted_by_the_pattern_of_their_path(browser: Browser, client: WorkspaceClient) -> None:
    for name in ("a", "b", "c"):
        with pytest.raises(DatabricksError):
            client.serving_endpoints.get(f"missing-{name}")
    assert re.search(r"GET /api/2\.0/serving-endpoints/\{name\} \d+ 0 [\d.]+ m?s", text_of(browser.page()))


def test_online_tables_monitors_jobs_and_alerts_are_shown_as_they_stand(
    browser: Browser, client: WorkspaceClient
) -> None:
    sql = Warehouse.in_new_schema(client)
    source = f"{sql.catalog}.{sql.schema}.rides"
    sql.execute(
        f"CREATE TABLE {source} (id BIGINT NOT NULL, fare DOUBLE, PRIMARY KEY (id)) "
        "TBLPROPERTIES (delta.enableChangeDataFeed = true)"
    )
    client.feature_store.create_online_store(OnlineStore(name="console-store", capacity="CU_1"))
    until(lambda: client.feature_store.get_online_store("console-store").state, "AVAILABLE")
    spec = PublishSpec("console-store", f"{source}_online", PublishSpecPublishMode.TRIGGERED)
    pipeline = str(client.feature_store.publish_table(source, spec).pipeline_id)
    until(lambda: client.pipelines.get(pipeline).state, "IDLE")
    sql.execute(f"INSERT INTO {source} VALUES (1, 2.5)")
    client.quality_monitors.create(source, f"{sql.catalog}.{sql.schema}", "/Shared/rides", snapshot=MonitorSnapshot())
    client.jobs.create(name="console-nightly", tasks=[])
    client.alerts_v2.create_alert(availability_alert())
    words = text_of(browser.page())
    assert re.search(rf"{source}_online from {source} triggered online no pending update .*? 1 commit behind", words)
    assert re.search(rf"{source} no baseline snapshot (active|pending)", words)
    assert "console-nightly" in words
    assert re.search(r"console: availability unknown count\(errors\) > 3(\.0)? never 0 0 \* \* \* \? UTC", words)


def until(state: Callable[[], Enum | None], wanted: str) -> None:
    """Wait for a state, which comes within a second or so."""
    deadline = time.monotonic() + 20
    while (found := state()) is None or found.value != wanted:
        assert time.monotonic() < deadline, f"still {found}"
        time.sleep(0.05)


def availability_alert() -> AlertV2:
    return AlertV2(
        display_name="console: availability",
        query_text="SELECT 1 AS errors",
        warehouse_id="local",
        schedule=CronSchedule(quartz_cron_schedule="0 0 * * * ?", timezone_id="UTC"),
        evaluation=AlertV2Evaluation(
            comparison_operator=ComparisonOperator.GREATER_THAN,
            source=AlertV2OperandColumn(name="errors", aggregation=Aggregation.COUNT),
            threshold=AlertV2Operand(value=AlertV2OperandValue(double_value=3)),
        ),
    )


def test_a_service_that_fails_or_is_missing_leaves_the_others_to_be_read(tmp_path: Path) -> None:
    with opened_state(tmp_path) as state:
        app = _broken_workspace(Console(state, OWNER), Clock(state), Settings(state), Faults())

        async def visit() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app=app), base_url="http://here", follow_redirects=True
            ) as visitor:
                return await visitor.post(f"{CONSOLE}/login", data={"token": state.token})

        answer = asyncio.run(visit())
    assert answer.status_code == 200
    words = text_of(answer.text)
    assert "This could not be read: the disk is full" in words
    assert "Registered models This workspace has no such service." in words
    assert "No fault is on" in words


def test_a_service_that_hangs_keeps_no_other_from_being_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PATIENCE_SECONDS", 0.05)

    async def both() -> list[reading.Outcome[None]]:
        return list(await asyncio.gather(reading.outcome(asyncio.sleep(60)), reading.outcome(asyncio.sleep(0))))

    slow, quick = asyncio.run(both())
    assert "no answer within 0.05 s" in slow.error
    assert quick == reading.Outcome()


def _broken_workspace(*services: Console | Clock | Settings | Faults) -> Starlette:
    async def fails(_: Request) -> Response:
        raise ApiError(500, "INTERNAL_ERROR", "the disk is full")

    async def unknown(request: Request) -> Response:
        raise not_implemented(request.method, request.url.path)

    return Starlette(
        routes=[
            Path_("/api/2.0/serving-endpoints", fails),
            *(route for service in services for route in service.routes()),
            Path_("/{path:path}", unknown),
        ]
    )


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=50))
def test_a_percentile_is_one_of_the_values_and_near_what_statistics_says(values: list[float]) -> None:
    found = percentile(values, 0.95)
    assert found in values
    assert sum(value <= found for value in values) >= 0.95 * len(values)
    assert percentile(values, 0.5) <= found
    assert percentile(values, 0.5) <= quantiles(values, n=2, method="inclusive")[0]


# --- what a page must be for everybody -------------------------------------------------------------------------------


@pytest.mark.usefixtures("model")
def test_every_field_has_a_label_every_table_a_caption_and_every_link_a_target(browser: Browser) -> None:
    browser.fill("faults/add", {"path": "/nowhere", "effect": "delay", "delay_ms": "1"})
    outline = Outline(browser.page())
    browser.fill("faults/clear", {})
    assert len(outline.ids) == len(set(outline.ids))
    assert outline.fields
    assert set(outline.fields) <= outline.labelled
    assert set(outline.links) <= set(outline.ids)
    assert outline.captions
    assert all(outline.captions)
    assert outline.headers_without_scope == 0
    assert all(outline.forms)


def test_pages_run_nothing_inline_and_may_not_be_framed_or_kept(browser: Browser, stranger: Browser) -> None:
    for answer in (browser.get(CONSOLE), stranger.get("/")):
        assert not Outline(answer.text).inline
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["cache-control"] == "no-store"
    for name in ("console.css", "console.js"):
        assert stranger.get(f"{CONSOLE}/static/{name}").status_code == 200
