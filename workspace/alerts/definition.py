"""What an alert may say: the checks, without any storage.

Source: `databricks.sdk.service.sql.AlertV2` and its parts. Messages name the field, the value received and what would
be accepted; the service's own texts are not documented.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from workspace.errors import invalid
from workspace.schedules import check_schedule

AGGREGATIONS = ("AVG", "COUNT", "COUNT_DISTINCT", "MAX", "MEDIAN", "MIN", "STDDEV", "SUM")
NULL_OPERATORS = ("IS_NULL", "IS_NOT_NULL")
OPERATORS = (
    *("EQUAL", "GREATER_THAN", "GREATER_THAN_OR_EQUAL", "LESS_THAN", "LESS_THAN_OR_EQUAL", "NOT_EQUAL"),
    *NULL_OPERATORS,
)
STATES = ("UNKNOWN", "OK", "TRIGGERED", "ERROR")
FORMATS = ("HTML", "MARKDOWN")
VALUES = {"double_value": (int, float), "string_value": (str,), "bool_value": (bool,)}

SETTABLE = (
    *("custom_description", "custom_summary", "custom_template_format", "display_name", "evaluation", "parameters"),
    *("parent_path", "query_text", "run_as", "run_as_user_name", "schedule", "warehouse_id"),
)
_OUTPUT_ONLY = ("create_time", "effective_run_as", "id", "lifecycle_state", "owner_user_name", "update_time")
_COLUMN = ("aggregation", "display", "name")
_NOTIFICATION = (
    *("effective_notify_on_ok", "effective_retrigger_seconds", "notify_on_ok", "retrigger_seconds"),
    "subscriptions",
)

Json = dict[str, Any]


def check(body: Mapping[str, Any]) -> Json:
    """The settable part of an alert, with what is left out as it counts; ApiError 400 for the first thing wrong."""
    _only("the alert", body, (*SETTABLE, *_OUTPUT_ONLY))
    alert: Json = {name: body[name] for name in SETTABLE if body.get(name) is not None}
    for name in ("display_name", "query_text", "warehouse_id"):
        _text(name, alert.get(name))
    alert["evaluation"] = _evaluation(_object("evaluation", alert.get("evaluation")))
    alert["schedule"] = _schedule(_object("schedule", alert.get("schedule")))
    for name in ("custom_description", "custom_summary", "parent_path", "run_as_user_name"):
        if name in alert:
            _text(name, alert[name])
    for number, parameter in enumerate(_list("parameters", alert.get("parameters", []))):
        _only(f"parameters[{number}]", _object(f"parameters[{number}]", parameter), ("name", "type", "value"))
        _text(f"parameters[{number}].name", parameter.get("name"))
        for name in ("type", "value"):
            if not isinstance(parameter.get(name, ""), str | None):
                raise invalid(f"parameters[{number}].{name} must be a text, received {parameter[name]!r}")
    if alert.get("custom_template_format") not in (None, *FORMATS):
        received = alert["custom_template_format"]
        raise invalid(f"custom_template_format must be one of {', '.join(FORMATS)}, received '{received}'")
    if "run_as" in alert:
        _only("run_as", _object("run_as", alert["run_as"]), ("service_principal_name", "user_name"))
        _text("run_as", alert["run_as"][_one_of("run_as", alert["run_as"], ("service_principal_name", "user_name"))])
    return alert


def cron_of(alert: Mapping[str, Any]) -> Json:
    """An alert's schedule in the words of jobs and monitors."""
    schedule = alert["schedule"]
    return {
        "quartz_cron_expression": schedule["quartz_cron_schedule"],
        "timezone_id": schedule["timezone_id"],
        "pause_status": schedule["pause_status"],
    }


def _evaluation(evaluation: Json) -> Json:
    known = ("comparison_operator", "empty_result_state", "last_evaluated_at", "notification", "source", "state")
    _only("evaluation", evaluation, (*known, "threshold"))
    checked: Json = {name: evaluation[name] for name in ("comparison_operator", "source") if name in evaluation}
    _column("evaluation.source", _object("evaluation.source", evaluation.get("source")))
    operator = evaluation.get("comparison_operator")
    _choice("evaluation.comparison_operator", operator, OPERATORS)
    threshold = evaluation.get("threshold")
    if operator in NULL_OPERATORS:
        if threshold:
            raise invalid(f"evaluation.threshold has no meaning with {operator}: leave it out")
    else:
        checked["threshold"] = _threshold(_object("evaluation.threshold", threshold))
    if evaluation.get("empty_result_state") is not None:
        _choice("evaluation.empty_result_state", evaluation["empty_result_state"], STATES)
        checked["empty_result_state"] = evaluation["empty_result_state"]
    if evaluation.get("notification") is not None:
        checked["notification"] = _notification(_object("evaluation.notification", evaluation["notification"]))
    return checked


def _threshold(threshold: Json) -> Json:
    _only("evaluation.threshold", threshold, ("column", "value"))
    _one_of("evaluation.threshold", threshold, ("column", "value"))
    if threshold.get("column") is not None:
        column = _object("evaluation.threshold.column", threshold["column"])
        _column("evaluation.threshold.column", column)
        return {"column": column}
    value = _object("evaluation.threshold.value", threshold["value"])
    _only("evaluation.threshold.value", value, tuple(VALUES))
    name = _one_of("evaluation.threshold.value", value, tuple(VALUES))
    wrong = not isinstance(value[name], VALUES[name]) or (name == "double_value" and isinstance(value[name], bool))
    if wrong:
        raise invalid(f"evaluation.threshold.value.{name}: {value[name]!r} is no {name.removesuffix('_value')}")
    return {"value": {name: value[name]}}


def _notification(notification: Json) -> Json:
    _only("evaluation.notification", notification, _NOTIFICATION)
    checked = {
        name: notification[name]
        for name in ("notify_on_ok", "retrigger_seconds", "subscriptions")
        if notification.get(name) is not None
    }
    seconds = checked.get("retrigger_seconds", 0)
    if isinstance(seconds, bool) or not isinstance(seconds, int) or seconds < 0:
        raise invalid(f"evaluation.notification.retrigger_seconds must be 0 or more, received {seconds!r}")
    for number, subscription in enumerate(_list("subscriptions", checked.get("subscriptions", []))):
        field = f"evaluation.notification.subscriptions[{number}]"
        _only(field, _object(field, subscription), ("destination_id", "user_email"))
        _text(field, subscription[_one_of(field, subscription, ("destination_id", "user_email"))])
    return checked


def _schedule(schedule: Json) -> Json:
    _only("schedule", schedule, ("pause_status", "quartz_cron_schedule", "timezone_id"))
    named = {**schedule, "quartz_cron_expression": schedule.get("quartz_cron_schedule")}
    pause = check_schedule(named)["pause_status"]
    return {**schedule, "pause_status": pause}


def _column(field: str, column: Json) -> None:
    _only(field, column, _COLUMN)
    _text(f"{field}.name", column.get("name"))
    if column.get("aggregation") is not None:
        _choice(f"{field}.aggregation", column["aggregation"], AGGREGATIONS)


def _object(field: str, value: Any) -> Json:
    if not isinstance(value, dict):
        raise invalid(f"{field} is required and must be an object; received {value!r}")
    return value


def _list(field: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise invalid(f"{field} must be a list; received {value!r}")
    return value


def _text(field: str, value: Any) -> None:
    if not isinstance(value, str) or not value.strip():
        raise invalid(f"{field} is required and must be a text; received {value!r}")


def _choice(field: str, value: Any, choices: Collection[str]) -> None:
    if value not in choices:
        raise invalid(f"{field} must be one of {', '.join(choices)}; received {value!r}")


def _one_of(field: str, part: Mapping[str, Any], names: tuple[str, ...]) -> str:
    given = [name for name in names if part.get(name) is not None]
    if len(given) != 1:
        raise invalid(f"{field} needs exactly one of {', '.join(names)}; received {', '.join(given) or 'none'}")
    return given[0]


def _only(field: str, part: Mapping[str, Any], known: Collection[str]) -> None:
    unknown = sorted(set(part) - set(known))
    if unknown:
        raise invalid(f"{field} has no field '{unknown[0]}'; it has {', '.join(sorted(known))}")
