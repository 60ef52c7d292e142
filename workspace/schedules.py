"""Cron schedules as jobs and monitors write them: checked, and given the service's default."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from workspace.errors import invalid

PAUSE_STATUSES = ("UNPAUSED", "PAUSED")


def check_schedule(schedule: object) -> dict[str, Any]:
    """The schedule with its `pause_status`; ApiError 400 for a Quartz expression or a time zone that cannot be one."""
    if not isinstance(schedule, dict):
        raise invalid(f"schedule must be an object, received {schedule!r}")
    cron = schedule.get("quartz_cron_expression")
    if not isinstance(cron, str) or len(cron.split()) not in (6, 7):
        raise invalid(
            f"schedule.quartz_cron_expression: '{cron}' must have 6 or 7 fields, seconds first (such as '0 0 12 * * ?')"
        )
    zone = schedule.get("timezone_id")
    try:
        ZoneInfo(str(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise invalid(f"schedule.timezone_id: '{zone}' is no time zone (such as 'UTC' or 'Europe/Paris')") from error
    pause = schedule.get("pause_status") or "UNPAUSED"
    if pause not in PAUSE_STATUSES:
        raise invalid(f"schedule.pause_status must be one of {', '.join(PAUSE_STATUSES)}; received '{pause}'")
    return {**schedule, "pause_status": pause}
