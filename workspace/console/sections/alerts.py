"""Alerts on SQL (AlertV2): what each of them compares, and how it ended the last time."""

from __future__ import annotations

from dataclasses import dataclass

from workspace.console.reading import Workspace
from workspace.console.sections.times import epoch_ms
from workspace.http import Json

OPERATORS = {
    "GREATER_THAN": ">",
    "GREATER_THAN_OR_EQUAL": "≥",
    "LESS_THAN": "<",
    "LESS_THAN_OR_EQUAL": "≤",
    "EQUAL": "=",
    "NOT_EQUAL": "≠",
    "IS_NULL": "is null",
    "IS_NOT_NULL": "is not null",
}


@dataclass(frozen=True)
class Alert:
    id: str
    name: str
    condition: str
    state: str
    evaluated_ms: int | None
    schedule: str
    paused: bool


async def alerts(workspace: Workspace) -> list[Alert]:
    listed = await workspace.all("/api/2.0/alerts", "alerts")
    kept = [one for one in listed if one.get("lifecycle_state") != "DELETED"]
    return sorted(map(_alert, kept), key=lambda one: one.name)


def _alert(shown: Json) -> Alert:
    evaluation, schedule = shown.get("evaluation") or {}, shown.get("schedule") or {}
    moment = evaluation.get("last_evaluated_at")
    return Alert(
        id=str(shown.get("id", "")),
        name=shown.get("display_name", ""),
        condition=_condition(evaluation),
        state=evaluation.get("state") or "UNKNOWN",
        evaluated_ms=epoch_ms(moment) if moment else None,
        schedule=f"{schedule['quartz_cron_schedule']} {schedule.get('timezone_id', '')}" if schedule else "",
        paused=schedule.get("pause_status") == "PAUSED",
    )


def _condition(evaluation: Json) -> str:
    source = evaluation.get("source") or {}
    operator = evaluation.get("comparison_operator", "")
    value = (evaluation.get("threshold") or {}).get("value") or {}
    bound = next((str(value[kind]) for kind in ("double_value", "string_value", "bool_value") if kind in value), "")
    aggregation = source.get("aggregation")
    column = f"{aggregation.lower()}({source.get('name')})" if aggregation else str(source.get("name", ""))
    return " ".join(filter(None, (column, OPERATORS.get(operator, operator), bound)))
