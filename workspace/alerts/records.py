"""The record of an alert: what a client sees of it, who it runs as, and how a mask changes it."""

from __future__ import annotations

from datetime import UTC, datetime

from workspace.alerts import definition
from workspace.documents import Document
from workspace.errors import invalid, permission_denied
from workspace.http import Caller, Json


def shown(record: Document) -> Json:
    """What a client sees of an alert."""
    alert = record["alert"]
    evaluation = {**alert["evaluation"], "state": record["state"]}
    if record["evaluated_at"] is not None:
        evaluation["last_evaluated_at"] = instant(record["evaluated_at"])
    notification = evaluation.get("notification")
    if notification is not None:
        evaluation["notification"] = {
            **notification,
            "effective_notify_on_ok": bool(notification.get("notify_on_ok")),
            "effective_retrigger_seconds": notification.get("retrigger_seconds", 0),
        }
    who = record["run_as"]
    principal = "service_principal_name" if who["service_principal"] else "user_name"
    return {
        **alert,
        "id": record["id"],
        "evaluation": evaluation,
        "create_time": instant(record["created_ms"] / 1000),
        "update_time": instant(record["updated_at"]),
        "lifecycle_state": record["lifecycle_state"],
        "owner_user_name": record["owner"],
        "effective_run_as": {principal: who["user_name"]},
    }


def run_as(alert: Json, caller: Caller) -> Json:
    """Whose privileges the query runs with; ApiError 403 for another user's."""
    named = alert.get("run_as") or {}
    principal = named.get("service_principal_name")
    user = named.get("user_name") or alert.get("run_as_user_name")
    if principal is None and user is not None and "@" not in user:
        principal = user
    if principal is not None and principal != caller.user_name:
        return {"user_name": principal, "id": principal, "groups": [], "admin": False, "service_principal": True}
    if user is not None and principal is None and user != caller.user_name:
        raise permission_denied(f"run_as.user_name can only be your own ({caller.user_name}), received '{user}'")
    return {
        "user_name": caller.user_name,
        "id": caller.id,
        "groups": list(caller.groups),
        "admin": caller.admin,
        "service_principal": principal is not None,
    }


def assign(alert: Json, sent: Json, path: list[str]) -> None:
    """Take one field of a mask from what was sent; what was not sent is gone."""
    name, *rest = path
    if name not in definition.SETTABLE:
        raise invalid(f"update_mask: '{'.'.join(path)}' is no field of an alert that can change")
    if not rest:
        if sent.get(name) is None:
            alert.pop(name, None)
        else:
            alert[name] = sent[name]
        return
    here, there = alert, sent
    for step in path[:-1]:
        inner, given = here.get(step) or {}, there.get(step) or {}
        if not isinstance(inner, dict) or not isinstance(given, dict):
            raise invalid(f"update_mask: '{'.'.join(path)}' is no field of an alert that can change")
        here[step] = dict(inner)
        here, there = here[step], given
    if there.get(path[-1]) is None:
        here.pop(path[-1], None)
    else:
        here[path[-1]] = there[path[-1]]


def instant(seconds: float) -> str:
    """A time of the API, from seconds since the epoch."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
