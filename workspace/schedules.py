"""Cron schedules as jobs and monitors write them: checked, given the service's default, and when they fall due."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from workspace.errors import invalid
from workspace.quartz import Quartz, QuartzError

PAUSED, UNPAUSED = "PAUSED", "UNPAUSED"
PAUSE_STATUSES = (UNPAUSED, PAUSED)


def check_schedule(schedule: object) -> dict[str, Any]:
    """The schedule with its `pause_status`; ApiError 400 for a Quartz expression or a time zone that cannot be one."""
    if not isinstance(schedule, dict):
        raise invalid(f"schedule must be an object, received {schedule!r}")
    cron = schedule.get("quartz_cron_expression")
    try:
        Quartz(cron if isinstance(cron, str) else "")
    except QuartzError as error:
        raise invalid(f"schedule.quartz_cron_expression: '{cron}' is no Quartz expression: {error}") from error
    zone = schedule.get("timezone_id")
    try:
        ZoneInfo(str(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise invalid(f"schedule.timezone_id: '{zone}' is no time zone (such as 'UTC' or 'Europe/Paris')") from error
    return {**schedule, "pause_status": check_pause_status("schedule", schedule)}


def check_pause_status(where: str, block: Mapping[str, Any]) -> str:
    """The `pause_status` of a schedule or trigger, UNPAUSED where it names none; ApiError 400 for another word."""
    pause = block.get("pause_status") or UNPAUSED
    if pause not in PAUSE_STATUSES:
        raise invalid(f"{where}.pause_status must be one of {', '.join(PAUSE_STATUSES)}; received '{pause}'")
    return str(pause)


def next_fire(schedule: Mapping[str, Any], after: datetime) -> datetime | None:
    """When a checked schedule falls due next, later than `after` (aware), in UTC.

    None where it is paused, or where no time is left that it names (its years are over).
    """
    if schedule.get("pause_status") == PAUSED:
        return None
    quartz = Quartz(schedule["quartz_cron_expression"])
    return quartz.next_after(after, ZoneInfo(schedule["timezone_id"]))
