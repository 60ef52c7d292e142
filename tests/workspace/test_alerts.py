"""SQL alerts on a running workspace: evaluated when their schedule says so, firing and resolving into the outbox."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound, PermissionDenied
from databricks.sdk.errors import NotImplemented as NotImplementedByService
from databricks.sdk.service.settings import Config, EmailConfig, GenericWebhookConfig
from databricks.sdk.service.sql import (
    Aggregation,
    AlertEvaluationState,
    AlertLifecycleState,
    AlertStatementParameter,
    AlertV2,
    AlertV2Evaluation,
    AlertV2Notification,
    AlertV2Operand,
    AlertV2OperandColumn,
    AlertV2OperandValue,
    AlertV2RunAs,
    AlertV2Subscription,
    ComparisonOperator,
    CronSchedule,
    CustomTemplateFormat,
    SchedulePauseStatus,
)

from tests.support.principals import signed_in
from tests.support.server import WorkspaceServer
from tests.support.warehouse import Warehouse

HOUR = 3_600
OK, TRIGGERED, UNKNOWN, ERROR = (AlertEvaluationState(state) for state in ("OK", "TRIGGERED", "UNKNOWN", "ERROR"))
EVERY_HOUR = CronSchedule(quartz_cron_schedule="0 0 * * * ?", timezone_id="UTC")


@pytest.fixture(scope="module")
def alerting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceServer]:
    """A workspace whose clock these tests move."""
    server = WorkspaceServer(tmp_path_factory.mktemp("alerts"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def warehouse(alerting: WorkspaceServer) -> Iterator[Warehouse]:
    """A warehouse on that workspace, with a table `t` (x DOUBLE); no alert outlives its test."""
    warehouse = Warehouse.in_new_schema(alerting.client())
    warehouse.execute(f"CREATE TABLE {warehouse.full('t')} (x DOUBLE)")
    yield warehouse
    for alert in warehouse.client.alerts_v2.list_alerts():
        assert alert.id is not None
        warehouse.client.alerts_v2.trash_alert(alert.id, purge=True)


def above(limit: float, **evaluation: Any) -> AlertV2Evaluation:
    """The first value of `x` is greater than the limit."""
    value = AlertV2Operand(value=AlertV2OperandValue(double_value=limit))
    return AlertV2Evaluation(
        **{
            "source": AlertV2OperandColumn("x"),
            "comparison_operator": ComparisonOperator.GREATER_THAN,
            "threshold": value,
            **evaluation,
        }
    )


def alert_on(warehouse: Warehouse, evaluation: AlertV2Evaluation, query: str | None = None, **more: Any) -> AlertV2:
    query = query or f"SELECT max(x) AS x FROM {warehouse.full('t')}"
    values = {"display_name": "drift", "warehouse_id": "local", "schedule": EVERY_HOUR, **more}
    return warehouse.client.alerts_v2.create_alert(AlertV2(query_text=query, evaluation=evaluation, **values))


def set_to(warehouse: Warehouse, value: float) -> None:
    warehouse.execute(f"INSERT OVERWRITE {warehouse.full('t')} VALUES ({value})")


def advance(warehouse: Warehouse, seconds: float) -> None:
    warehouse.client.api_client.do("PUT", "/_workspace/clock", body={"advance_seconds": seconds})


def state_of(warehouse: Warehouse, alert: AlertV2) -> AlertEvaluationState | None:
    assert alert.id is not None
    found = warehouse.client.alerts_v2.get_alert(alert.id)
    return found.evaluation.state


def run_now(warehouse: Warehouse, alert: AlertV2) -> dict[str, Any]:
    answer = warehouse.client.api_client.do("POST", f"/_workspace/alerts/{alert.id}/evaluate")
    assert isinstance(answer, dict)
    return answer


def told(warehouse: Warehouse, alert: AlertV2) -> list[dict[str, Any]]:
    """The notifications of the alert, in order."""
    answer = warehouse.client.api_client.do("GET", "/_workspace/notifications")
    assert isinstance(answer, dict)
    return [one for one in answer["notifications"] if one["about"].get("alert_id") == alert.id]


def to(*people: str, **more: Any) -> AlertV2Notification:
    subscriptions = [AlertV2Subscription(user_email=person) for person in people]
    return AlertV2Notification(subscriptions=subscriptions, **more)


def test_an_alert_fires_and_resolves_on_its_schedule_and_everyone_is_told(warehouse: Warehouse) -> None:
    destinations = warehouse.client.notification_destinations
    hook = destinations.create(
        config=Config(generic_webhook=GenericWebhookConfig(url="https://hooks.example.com/1")), display_name="hook"
    )
    mail = destinations.create(config=Config(email=EmailConfig(["team@example.com"])), display_name="team")
    notification = AlertV2Notification(
        notify_on_ok=True,
        subscriptions=[
            AlertV2Subscription(user_email="ann@example.com"),
            AlertV2Subscription(destination_id=hook.id),
            AlertV2Subscription(destination_id=mail.id),
        ],
    )
    alert = alert_on(warehouse, above(0.19, notification=notification))
    assert state_of(warehouse, alert) is UNKNOWN
    set_to(warehouse, 0.19)
    advance(warehouse, HOUR)
    assert state_of(warehouse, alert) is OK
    assert not told(warehouse, alert)
    set_to(warehouse, 0.1900001)
    advance(warehouse, HOUR)
    assert state_of(warehouse, alert) is TRIGGERED
    fired = told(warehouse, alert)
    assert {one["channel"] for one in fired} == {"EMAIL", "WEBHOOK"}
    assert [one["recipients"] for one in fired if one["channel"] == "EMAIL"] == [
        ["team@example.com"],
        ["ann@example.com"],
    ]
    (posted,) = [one for one in fired if one["channel"] == "WEBHOOK"]
    assert posted["destination_id"] == hook.id
    assert posted["payload"]["event"] == "alert_state_change"
    assert posted["payload"]["alert"]["title"] == 'Alert "drift" changed status to TRIGGERED'
    assert posted["payload"]["alert"]["alert"]["evaluations"][0]["value"] == "0.1900001"
    advance(warehouse, HOUR)
    assert len(told(warehouse, alert)) == 3, "still triggered is no news"
    set_to(warehouse, 0.0)
    advance(warehouse, HOUR)
    assert state_of(warehouse, alert) is OK
    resolved = told(warehouse, alert)[3:]
    assert [one["about"]["state"] for one in resolved] == ["OK"] * 3
    advance(warehouse, HOUR)
    assert len(told(warehouse, alert)) == 6


def test_nobody_is_told_that_it_is_over_unless_asked_for(warehouse: Warehouse) -> None:
    alert = alert_on(warehouse, above(1, notification=to("ann@example.com")))
    for value, state in ((2, TRIGGERED), (0, OK), (2, TRIGGERED)):
        set_to(warehouse, value)
        advance(warehouse, HOUR)
        assert state_of(warehouse, alert) is state
    assert [one["about"]["state"] for one in told(warehouse, alert)] == ["TRIGGERED", "TRIGGERED"]


@pytest.mark.parametrize(("seconds", "expected"), [(0, 1), (1, 4), (2 * HOUR, 2)])
def test_a_notification_is_repeated_after_its_seconds(warehouse: Warehouse, seconds: int, expected: int) -> None:
    alert = alert_on(warehouse, above(1, notification=to("ann@example.com", retrigger_seconds=seconds)))
    set_to(warehouse, 2)
    for _ in range(4):
        advance(warehouse, HOUR)
    assert len(told(warehouse, alert)) == expected


def test_a_failed_evaluation_between_two_triggered_ones_is_not_a_way_out(warehouse: Warehouse) -> None:
    alert = alert_on(warehouse, above(1, notification=to("ann@example.com", notify_on_ok=True)))
    set_to(warehouse, 2)
    assert run_now(warehouse, alert)["evaluation"]["state"] == "TRIGGERED"
    table = warehouse.full("t")
    warehouse.execute(f"DROP TABLE {table}")
    failed = run_now(warehouse, alert)
    assert failed["evaluation"]["state"] == "ERROR"
    assert "TABLE_OR_VIEW_NOT_FOUND" in failed["error"]
    warehouse.execute(f"CREATE TABLE {table} AS SELECT 3.0D AS x")
    assert run_now(warehouse, alert)["evaluation"]["state"] == "TRIGGERED"
    assert [one["about"]["state"] for one in told(warehouse, alert)] == ["TRIGGERED"]


@pytest.mark.parametrize(
    ("aggregation", "value"),
    [
        (None, 5.0),
        (Aggregation.SUM, 10.0),
        (Aggregation.AVG, 2.5),
        (Aggregation.COUNT, 4.0),
        (Aggregation.COUNT_DISTINCT, 3.0),
        (Aggregation.MEDIAN, 2.0),
        (Aggregation.MIN, 1.0),
        (Aggregation.MAX, 5.0),
        (Aggregation.STDDEV, 1.7320508075688772),
    ],
)
def test_a_column_is_aggregated_over_the_rows(
    warehouse: Warehouse, aggregation: Aggregation | None, value: float
) -> None:
    source = AlertV2OperandColumn("X", aggregation=aggregation)
    alert = alert_on(
        warehouse,
        above(value, source=source, comparison_operator=ComparisonOperator.EQUAL),
        "SELECT x FROM VALUES (5D), (2D), (NULL), (1D), (2D) AS t(x)",
    )
    assert run_now(warehouse, alert)["evaluation"]["state"] == "TRIGGERED"


@pytest.mark.parametrize(
    ("operator", "met"),
    [
        ("GREATER_THAN", {2.0}),
        ("GREATER_THAN_OR_EQUAL", {1.0, 2.0}),
        ("LESS_THAN", {0.0}),
        ("LESS_THAN_OR_EQUAL", {0.0, 1.0}),
        ("EQUAL", {1.0}),
        ("NOT_EQUAL", {0.0, 2.0}),
    ],
)
def test_an_operator_is_met_on_its_side_of_the_threshold(warehouse: Warehouse, operator: str, met: set[float]) -> None:
    alert = alert_on(warehouse, above(1.0, comparison_operator=ComparisonOperator(operator)))
    for value in (0.0, 1.0, 2.0):
        set_to(warehouse, value)
        assert (run_now(warehouse, alert)["evaluation"]["state"] == "TRIGGERED") == (value in met)


@pytest.mark.parametrize(
    ("query", "evaluation", "state"),
    [
        ("SELECT 3 AS x, 2 AS y", {"threshold": AlertV2Operand(column=AlertV2OperandColumn("y"))}, "TRIGGERED"),
        (
            "SELECT 'FAILED' AS x",
            {
                "threshold": AlertV2Operand(value=AlertV2OperandValue(string_value="FAILED")),
                "comparison_operator": ComparisonOperator.EQUAL,
            },
            "TRIGGERED",
        ),
        (
            "SELECT true AS x",
            {
                "threshold": AlertV2Operand(value=AlertV2OperandValue(bool_value=True)),
                "comparison_operator": ComparisonOperator.EQUAL,
            },
            "TRIGGERED",
        ),
        ("SELECT '3.5' AS x", {}, "TRIGGERED"),
        ("SELECT CAST(NULL AS DOUBLE) AS x", {}, "OK"),
        (
            "SELECT CAST(NULL AS DOUBLE) AS x",
            {"threshold": None, "comparison_operator": ComparisonOperator.IS_NULL},
            "TRIGGERED",
        ),
        ("SELECT 1 AS x", {"threshold": None, "comparison_operator": ComparisonOperator.IS_NOT_NULL}, "TRIGGERED"),
        ("SELECT 1D AS x WHERE false", {}, "UNKNOWN"),
        ("SELECT 1D AS x WHERE false", {"empty_result_state": OK}, "OK"),
        ("SELECT 1D AS x WHERE false", {"empty_result_state": TRIGGERED}, "TRIGGERED"),
        ("SELECT 1D AS x WHERE false", {"empty_result_state": ERROR}, "ERROR"),
        ("SELECT 1 AS other", {}, "ERROR"),
        ("SELECT 'much' AS x", {}, "ERROR"),
        ("SELECT nonsense(", {}, "ERROR"),
    ],
)
def test_every_result_has_a_state(warehouse: Warehouse, query: str, evaluation: dict[str, Any], state: str) -> None:
    alert = alert_on(warehouse, above(1.0, **evaluation), query)
    answer = run_now(warehouse, alert)
    assert answer["evaluation"]["state"] == state
    assert ("error" in answer) == (state == "ERROR" and "empty_result_state" not in evaluation)


def test_parameters_are_bound_and_templates_filled(warehouse: Warehouse) -> None:
    parameters = [AlertStatementParameter(name="n", type="INT", value="7")]
    alert = alert_on(
        warehouse,
        above(5, notification=to("ann@example.com")),
        "SELECT :n AS x",
        parameters=parameters,
        custom_summary="{{ALERT_NAME}}: {{ QUERY_RESULT_VALUE }} {{ALERT_CONDITION}} {{ALERT_THRESHOLD}} {{NOTHING}}",
        custom_description="<b>{{ALERT_STATUS}}</b>",
    )
    run_now(warehouse, alert)
    (one,) = told(warehouse, alert)
    assert one["subject"] == "drift: 7 > 5 {{NOTHING}}"
    assert one["body"] == "<b>TRIGGERED</b>"
    marked = alert_on(
        warehouse,
        above(5, notification=to("ann@example.com")),
        "SELECT 6 AS x",
        custom_summary="@ALERT_NAME is @ALERT_STATUS, {{ALERT_NAME}}, me@example.com",
        custom_template_format=CustomTemplateFormat.MARKDOWN,
    )
    run_now(warehouse, marked)
    assert told(warehouse, marked)[0]["subject"] == "drift is TRIGGERED, {{ALERT_NAME}}, me@example.com"


def test_what_was_sent_is_read_back_with_what_the_service_adds(warehouse: Warehouse) -> None:
    sent = above(1, notification=to("ann@example.com", notify_on_ok=True, retrigger_seconds=60))
    created = alert_on(warehouse, sent)
    assert created.id is not None
    found = warehouse.client.alerts_v2.get_alert(created.id)
    assert found == created
    assert found.evaluation.notification == sent.notification
    assert found.evaluation.threshold == sent.threshold
    assert found.schedule.pause_status is SchedulePauseStatus.UNPAUSED
    assert found.lifecycle_state is AlertLifecycleState.ACTIVE
    me = warehouse.client.current_user.me().user_name
    assert found.owner_user_name == me
    assert found.effective_run_as == AlertV2RunAs(user_name=me)
    assert found.parent_path == f"/Users/{me}"
    assert found.create_time
    assert found.update_time
    raw = warehouse.client.api_client.do("GET", f"/api/2.0/alerts/{created.id}")
    assert isinstance(raw, dict)
    assert raw["evaluation"]["notification"]["effective_notify_on_ok"] is True
    assert raw["evaluation"]["notification"]["effective_retrigger_seconds"] == 60


def test_an_update_changes_what_its_mask_names(warehouse: Warehouse) -> None:
    created = alert_on(warehouse, above(1))
    assert created.id is not None
    changes = AlertV2(
        display_name="renamed",
        query_text="SELECT 9 AS x",
        warehouse_id="local",
        evaluation=above(5),
        schedule=CronSchedule(quartz_cron_schedule="0 30 * * * ?", timezone_id="Europe/Paris"),
    )
    alerts = warehouse.client.alerts_v2
    found = alerts.update_alert(created.id, changes, "display_name,schedule.quartz_cron_schedule")
    assert found.display_name == "renamed"
    assert (found.schedule.quartz_cron_schedule, found.schedule.timezone_id) == ("0 30 * * * ?", "UTC")
    assert found.query_text == created.query_text
    found = alerts.update_alert(created.id, changes, "*")
    assert found.query_text == "SELECT 9 AS x"
    assert found.evaluation.threshold == above(5).threshold
    with pytest.raises(BadRequest, match="'owner_user_name' is no field"):
        alerts.update_alert(created.id, changes, "owner_user_name")
    with pytest.raises(BadRequest, match=r"cannot change from '/Users/.*' to '/Shared'"):
        alerts.update_alert(created.id, AlertV2.from_dict({**changes.as_dict(), "parent_path": "/Shared"}), "*")


def test_a_paused_alert_is_not_evaluated(warehouse: Warehouse) -> None:
    paused = CronSchedule("0 0 * * * ?", "UTC", SchedulePauseStatus.PAUSED)
    alert = alert_on(warehouse, above(1), "SELECT 2 AS x", schedule=paused)
    assert alert.id is not None
    advance(warehouse, 3 * HOUR)
    assert state_of(warehouse, alert) is UNKNOWN
    running = AlertV2.from_dict({**alert.as_dict(), "schedule": EVERY_HOUR.as_dict()})
    warehouse.client.alerts_v2.update_alert(alert.id, running, "schedule")
    advance(warehouse, HOUR)
    assert state_of(warehouse, alert) is TRIGGERED


def test_a_trashed_alert_can_no_longer_trigger_and_is_gone_after_thirty_days(warehouse: Warehouse) -> None:
    alert, other = (alert_on(warehouse, above(1), "SELECT 2 AS x") for _ in range(2))
    alerts = warehouse.client.alerts_v2
    assert alert.id is not None
    assert other.id is not None
    alerts.trash_alert(alert.id)
    assert [one.id for one in alerts.list_alerts()] == [other.id]
    advance(warehouse, HOUR)
    found = alerts.get_alert(alert.id)
    assert found.lifecycle_state is AlertLifecycleState.DELETED
    assert found.evaluation.state is UNKNOWN
    advance(warehouse, 30 * 24 * HOUR)
    with pytest.raises(NotFound, match=alert.id):
        alerts.get_alert(alert.id)
    alerts.trash_alert(other.id, purge=True)
    with pytest.raises(NotFound, match=other.id):
        alerts.get_alert(other.id)


def test_alerts_are_listed_page_by_page_in_the_order_of_their_creation(warehouse: Warehouse) -> None:
    created = [alert_on(warehouse, above(1), display_name=f"alert {number}").id for number in range(3)]
    assert [one.id for one in warehouse.client.alerts_v2.list_alerts(page_size=1)] == created


def test_an_alert_and_its_state_survive_a_kill(alerting: WorkspaceServer, warehouse: Warehouse) -> None:
    alert = alert_on(warehouse, above(1, notification=to("ann@example.com")), "SELECT 2 AS x")
    advance(warehouse, HOUR)
    assert state_of(warehouse, alert) is TRIGGERED
    alerting.restart()
    assert state_of(warehouse, alert) is TRIGGERED
    assert len(told(warehouse, alert)) == 1
    advance(warehouse, HOUR)
    assert len(told(warehouse, alert)) == 1


def test_an_alert_sees_what_its_owner_may_see(warehouse: Warehouse) -> None:
    owner = warehouse.client
    with signed_in(owner) as ann:
        theirs = Warehouse(ann.client, warehouse.catalog, warehouse.schema)
        alert = alert_on(theirs, above(0), f"SELECT x FROM {warehouse.full('t')}")
        set_to(warehouse, 2)
        advance(warehouse, HOUR)
        assert state_of(theirs, alert) is ERROR
        other = AlertV2RunAs(user_name="bob@example.com")
        with pytest.raises(PermissionDenied, match="can only be your own"):
            alert_on(theirs, above(0), run_as=other)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"display_name": ""}, "display_name is required"),
        ({"query_text": " "}, "query_text is required"),
        ({"schedule": None}, "schedule is required"),
        ({"schedule": {"quartz_cron_schedule": "hourly", "timezone_id": "UTC"}}, "'hourly' is no Quartz"),
        ({"schedule": {"quartz_cron_schedule": "0 0 * * * ?", "timezone_id": "Mars/Base"}}, "'Mars/Base' is no time"),
        ({"evaluation": None}, "evaluation is required"),
        ({"evaluation": {**above(1).as_dict(), "source": {}}}, "source.name is required"),
        ({"evaluation": {**above(1).as_dict(), "comparison_operator": "ABOVE"}}, "one of EQUAL, .* received 'ABOVE'"),
        ({"evaluation": {**above(1).as_dict(), "threshold": {}}}, "exactly one of column, value; received none"),
        (
            {"evaluation": {**above(1).as_dict(), "threshold": {"value": {"double_value": 1, "string_value": "1"}}}},
            "exactly one of double_value, string_value, bool_value",
        ),
        (
            {"evaluation": {**above(1).as_dict(), "threshold": {"value": {"double_value": "1"}}}},
            "double_value: '1' is no double",
        ),
        ({"evaluation": {**above(1).as_dict(), "comparison_operator": "IS_NULL"}}, "no meaning with IS_NULL"),
        ({"evaluation": {**above(1).as_dict(), "empty_result_state": "FINE"}}, "received 'FINE'"),
        (
            {"evaluation": {**above(1).as_dict(), "notification": {"subscriptions": [{}]}}},
            "exactly one of destination_id, user_email",
        ),
        (
            {"evaluation": {**above(1).as_dict(), "notification": {"retrigger_seconds": -1}}},
            "retrigger_seconds must be 0 or more",
        ),
        ({"condition": {}}, "the alert has no field 'condition'"),
    ],
)
def test_an_alert_that_makes_no_sense_is_refused(warehouse: Warehouse, changes: dict[str, Any], message: str) -> None:
    sent = {
        "display_name": "drift",
        "query_text": "SELECT 1 AS x",
        "warehouse_id": "local",
        "evaluation": above(1).as_dict(),
        "schedule": EVERY_HOUR.as_dict(),
        **changes,
    }
    with pytest.raises(BadRequest, match=message):
        warehouse.client.api_client.do("POST", "/api/2.0/alerts", body=sent)
    assert not list(warehouse.client.alerts_v2.list_alerts())


def test_what_an_alert_needs_must_exist(warehouse: Warehouse) -> None:
    unknown = AlertV2Notification(subscriptions=[AlertV2Subscription(destination_id="no-such-id")])
    with pytest.raises(NotFound, match="no-such-id"):
        alert_on(warehouse, above(1, notification=unknown))
    with pytest.raises(NotFound, match="warehouse elsewhere"):
        alert_on(warehouse, above(1), warehouse_id="elsewhere")


def test_legacy_alerts_are_not_implemented(warehouse: Warehouse) -> None:
    client: WorkspaceClient = warehouse.client
    for path in ("/api/2.0/sql/alerts", "/api/2.0/preview/sql/alerts"):
        with pytest.raises(NotImplementedByService, match=path):
            client.api_client.do("GET", path)
