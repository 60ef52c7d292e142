"""What the alerts and notification destinations of this workspace do, and why it is believed that Databricks' do so."""

from __future__ import annotations

from workspace.parity import Behaviour, Source

ALERTS = "/api/2.0/alerts"
DESTINATIONS = "/api/2.0/notification-destinations"
TESTS = "tests/workspace/test_alerts"

_SDK = "databricks.sdk.service.sql"
_SETTINGS = "databricks.sdk.service.settings.NotificationDestinationsAPI"

_TABLE: tuple[tuple[str, str, Source, str, str], ...] = (
    (
        f"POST {ALERTS}",
        "UNKNOWN until the schedule evaluates the alert, then OK or TRIGGERED; subscribers are told of changes.",
        Source.CLIENT,
        f"{_SDK}.AlertV2, AlertEvaluationState",
        ".py::test_an_alert_fires_and_resolves_on_its_schedule_and_everyone_is_told",
    ),
    (
        f"POST {ALERTS}",
        "Nobody is told of OK without notify_on_ok.",
        Source.CLIENT,
        f"{_SDK}.AlertV2Notification.notify_on_ok",
        ".py::test_nobody_is_told_that_it_is_over_unless_asked_for",
    ),
    (
        f"POST {ALERTS}",
        "retrigger_seconds: 0 tells once, 1 at every evaluation, more after that time.",
        Source.CLIENT,
        f"{_SDK}.AlertV2Notification.retrigger_seconds",
        ".py::test_a_notification_is_repeated_after_its_seconds",
    ),
    (
        f"POST {ALERTS}",
        "A column is its first row, or the aggregate named.",
        Source.CLIENT,
        f"{_SDK}.AlertV2OperandColumn.aggregation",
        ".py::test_a_column_is_aggregated_over_the_rows",
    ),
    (
        f"POST {ALERTS}",
        "The threshold is a value or a column; operators are strict or not as their names say.",
        Source.CLIENT,
        f"{_SDK}.ComparisonOperator",
        ".py::test_an_operator_is_met_on_its_side_of_the_threshold",
    ),
    (
        f"POST {ALERTS}",
        "A query that fails, a missing column and values that cannot be compared are ERROR; a NULL does not trigger.",
        Source.ASSUMPTION,
        "ERROR is 'alert evaluation failed'; what a NULL means is not documented",
        ".py::test_every_result_has_a_state",
    ),
    (
        f"POST {ALERTS}",
        "An empty result is empty_result_state, UNKNOWN where that is not set.",
        Source.ASSUMPTION,
        "The default is that of legacy alerts",
        ".py::test_every_result_has_a_state",
    ),
    (
        f"POST {ALERTS}",
        "ERROR tells nobody, and is no way out of TRIGGERED.",
        Source.ASSUMPTION,
        "Nothing is said of it; an outage of the warehouse would repeat every alarm",
        ".py::test_a_failed_evaluation_between_two_triggered_ones_is_not_a_way_out",
    ),
    (
        f"POST {ALERTS}",
        "Parameters are bound; templates are filled, in HTML and in Markdown form.",
        Source.CLIENT,
        f"{_SDK}.AlertV2.custom_template_format",
        ".py::test_parameters_are_bound_and_templates_filled",
    ),
    (
        f"POST {ALERTS}",
        "The query runs with the owner's privileges; run_as names no other user.",
        Source.CLIENT,
        f"{_SDK}.AlertV2RunAs",
        ".py::test_an_alert_sees_what_its_owner_may_see",
    ),
    (
        f"POST {ALERTS}",
        "Fields that are missing, unknown or wrong are 400, naming the field.",
        Source.ASSUMPTION,
        "The service validates these; its exact words are not documented",
        ".py::test_an_alert_that_makes_no_sense_is_refused",
    ),
    (
        f"POST {ALERTS}",
        "Warehouse and destinations must exist.",
        Source.ASSUMPTION,
        "An alert that tells nobody would be dropped silently",
        ".py::test_what_an_alert_needs_must_exist",
    ),
    (
        f"GET {ALERTS}",
        "Active alerts in the order of their creation, page by page.",
        Source.CLIENT,
        f"{_SDK}.AlertsV2API.list_alerts",
        ".py::test_alerts_are_listed_page_by_page_in_the_order_of_their_creation",
    ),
    (
        f"GET {ALERTS}/{{id}}",
        "What was sent, with owner, times, state and the effective values of what was left out.",
        Source.PROVIDER_SOURCE,
        "products/alertv2/data_alert_v2.go",
        ".py::test_what_was_sent_is_read_back_with_what_the_service_adds",
    ),
    (
        f"PATCH {ALERTS}/{{id}}",
        "The fields of the mask change, `*` all of them; the folder does not.",
        Source.CLIENT,
        f"{_SDK}.AlertsV2API.update_alert",
        ".py::test_an_update_changes_what_its_mask_names",
    ),
    (
        f"PATCH {ALERTS}/{{id}}",
        "A paused alert is not evaluated until it is set going.",
        Source.CLIENT,
        f"{_SDK}.CronSchedule.pause_status",
        ".py::test_a_paused_alert_is_not_evaluated",
    ),
    (
        f"DELETE {ALERTS}/{{id}}",
        "A trashed alert leaves the list, triggers no more, is gone after 30 days, and at once with purge.",
        Source.CLIENT,
        f"{_SDK}.AlertsV2API.trash_alert",
        ".py::test_a_trashed_alert_can_no_longer_trigger_and_is_gone_after_thirty_days",
    ),
    (
        f"DELETE {ALERTS}/{{id}}",
        "By its id a trashed alert is still read, as DELETED.",
        Source.ASSUMPTION,
        "lifecycle_state exists to say so",
        ".py::test_a_trashed_alert_can_no_longer_trigger_and_is_gone_after_thirty_days",
    ),
    (
        f"POST {DESTINATIONS}",
        "Exactly one configuration; of its secrets the answer says that they are set.",
        Source.CLIENT,
        _SETTINGS,
        "_destinations.py::test_a_destination_is_read_back_without_what_it_hides",
    ),
    (
        f"POST {DESTINATIONS}",
        "Configurations that are incomplete or unknown are 400, naming the field.",
        Source.ASSUMPTION,
        "The service validates these; its exact words are not documented",
        "_destinations.py::test_a_config_that_makes_no_sense_is_refused",
    ),
    (
        f"GET {DESTINATIONS}",
        "Destinations page by page, without their configurations.",
        Source.CLIENT,
        f"{_SETTINGS}.list",
        "_destinations.py::test_destinations_are_listed_without_configs_and_deleted",
    ),
    (
        f"GET {DESTINATIONS}/{{id}}",
        "The configuration is shown to workspace admins alone.",
        Source.CLIENT,
        "databricks.sdk.service.settings.NotificationDestination.config",
        "_destinations.py::test_admins_alone_change_destinations_and_see_their_configs",
    ),
    (
        f"PATCH {DESTINATIONS}/{{id}}",
        "Name and configuration change, the type does not.",
        Source.CLIENT,
        "databricks.sdk.service.settings.NotificationDestination.destination_type",
        "_destinations.py::test_name_and_config_change_and_the_type_does_not",
    ),
    (
        f"DELETE {DESTINATIONS}/{{id}}",
        "A deleted destination is gone.",
        Source.CLIENT,
        f"{_SETTINGS}.delete",
        "_destinations.py::test_destinations_are_listed_without_configs_and_deleted",
    ),
    (
        "GET /_workspace/notifications",
        "What would have been sent, to whom and in which words; nothing leaves this machine.",
        Source.DOCUMENTATION,
        "SQL alert webhook payload (the JSON for webhooks); the path is the workspace's own",
        ".py::test_an_alert_fires_and_resolves_on_its_schedule_and_everyone_is_told",
    ),
    (
        "POST /_workspace/alerts/{id}/evaluate",
        "Evaluates an alert at once, as `Run now` does; the path is the workspace's own.",
        Source.ASSUMPTION,
        "No API of the service evaluates an alert outside of its schedule or a job",
        ".py::test_every_result_has_a_state",
    ),
)

BEHAVIOURS: tuple[Behaviour, ...] = tuple(
    Behaviour(path=path, behaviour=behaviour, source=source, reference=reference, test=f"{TESTS}{test}")
    for path, behaviour, source, reference, test in _TABLE
)
