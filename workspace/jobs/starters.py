"""What starts a job by itself: a schedule, a trigger, or that it is continuous; as settings, checked and completed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workspace.errors import ApiError, invalid
from workspace.schedules import check_pause_status, check_schedule

STARTERS = ("schedule", "continuous", "trigger")
PERIODIC, TABLE_UPDATE, FILE_ARRIVAL = "periodic", "table_update", "file_arrival"
TRIGGERS = (PERIODIC, TABLE_UPDATE, FILE_ARRIVAL)
UNIT_SECONDS = {"HOURS": 3600, "DAYS": 86_400, "WEEKS": 7 * 86_400}
ANY_UPDATED, ALL_UPDATED = "ANY_UPDATED", "ALL_UPDATED"
_VOLUMES = "/Volumes/"


def complete_starters(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The starter of a job as it is stored; ApiError 400 for one that is wrong, 501 for a kind that is not known."""
    given = [name for name in STARTERS if settings.get(name)]
    if len(given) > 1:
        raise invalid(f"A job starts by at most one of {', '.join(STARTERS)}; received {' and '.join(given)}")
    if settings.get("triggers"):
        raise ApiError(501, "NOT_IMPLEMENTED", "the embedded workspace does not know 'triggers' of a job: use trigger")
    if not given:
        return {}
    (name,) = given
    block = settings[name]
    if name == "schedule":
        return {name: check_schedule(block)}
    if not isinstance(block, dict):
        raise invalid(f"{name} must be an object, received {block!r}")
    if name == "trigger":
        _check_trigger(block)
    return {name: {**block, "pause_status": check_pause_status(name, block)}}


def _check_trigger(trigger: Mapping[str, Any]) -> None:
    kinds = [name for name in trigger if name != "pause_status"]
    unknown = [name for name in kinds if name not in TRIGGERS]
    if unknown:
        raise ApiError(
            501,
            "NOT_IMPLEMENTED",
            f"the embedded workspace does not know trigger.{unknown[0]}; it knows {', '.join(TRIGGERS)}",
        )
    if len(kinds) != 1:
        raise invalid(f"trigger must have exactly one of {', '.join(TRIGGERS)}; received {', '.join(kinds) or 'none'}")
    body = trigger[kinds[0]]
    if not isinstance(body, dict):
        raise invalid(f"trigger.{kinds[0]} must be an object, received {body!r}")
    _CHECKS[kinds[0]](body)
    for name in ("min_time_between_triggers_seconds", "wait_after_last_change_seconds"):
        value = body.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0 or 0 < value < _LEAST_SECONDS:
            raise invalid(
                f"trigger.{kinds[0]}.{name} must be 0, or a whole number of {_LEAST_SECONDS} seconds or more; "
                f"received {value!r}"
            )


_LEAST_SECONDS = 60
"""`FileArrivalTriggerConfiguration`, `TableUpdateTriggerConfiguration`: "the minimum allowed value is 60 seconds"."""


def _check_periodic(body: Mapping[str, Any]) -> None:
    interval = body.get("interval")
    if isinstance(interval, bool) or not isinstance(interval, int) or interval < 1:
        raise invalid(f"trigger.periodic.interval must be a whole number of 1 or more; received {interval!r}")
    if body.get("unit") not in UNIT_SECONDS:
        raise invalid(f"trigger.periodic.unit must be one of {', '.join(UNIT_SECONDS)}; received {body.get('unit')!r}")


def _check_table_update(body: Mapping[str, Any]) -> None:
    names = body.get("table_names")
    if not isinstance(names, list) or not names or not all(str(name).count(".") == 2 for name in names):
        raise invalid(f"trigger.table_update.table_names must be full table names; received {names!r}")
    if body.get("condition", ANY_UPDATED) not in (ANY_UPDATED, ALL_UPDATED):
        raise invalid(
            f"trigger.table_update.condition must be {ANY_UPDATED} or {ALL_UPDATED}; received {body['condition']!r}"
        )


def _check_file_arrival(body: Mapping[str, Any]) -> None:
    url = body.get("url")
    if not isinstance(url, str) or not url.startswith(_VOLUMES) or not url.endswith("/"):
        raise invalid(
            f"trigger.file_arrival.url must be a folder of a volume that ends in '/' (/Volumes/...); received {url!r}"
        )


_CHECKS = {PERIODIC: _check_periodic, TABLE_UPDATE: _check_table_update, FILE_ARRIVAL: _check_file_arrival}
