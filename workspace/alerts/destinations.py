"""`/api/2.0/notification-destinations`: where alerts can be sent.

Source: `databricks.sdk.service.settings.NotificationDestinationsAPI` (fields, what is input only and shown as `_set`,
that the type cannot change, that workspace admins alone create, change and delete). Nothing is ever sent, so of an
input-only field the workspace keeps no more than that it was given.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from starlette.routing import BaseRoute

from workspace.documents import Document
from workspace.errors import invalid, not_found, permission_denied
from workspace.http import Call, Json, api
from workspace.state import State

PATH = "/api/2.0/notification-destinations"
_KIND = "notification_destination"
_PAGE = 100

# Type, its input-only fields, and of which of them one must be given.
_CONFIGS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "email": ("EMAIL", (), ("addresses",)),
    "slack": ("SLACK", ("url", "oauth_token", "channel_id"), ("url", "oauth_token")),
    "generic_webhook": ("WEBHOOK", ("url", "username", "password"), ("url",)),
    "microsoft_teams": (
        "MICROSOFT_TEAMS",
        ("url", "app_id", "auth_secret", "channel_url", "tenant_id"),
        ("url", "app_id"),
    ),
    "pagerduty": ("PAGERDUTY", ("integration_key",), ("integration_key",)),
    "databricks_app_slack": ("DATABRICKS_APP_SLACK", ("channel_id", "team_id"), ("channel_id",)),
    "databricks_app_teams": ("DATABRICKS_APP_TEAMS", ("channel_id", "team_id", "tenant_id"), ("channel_id",)),
}


class Destinations:
    """Notification destinations by id."""

    def __init__(self, state: State) -> None:
        self._documents = state.documents

    def find(self, destination_id: str) -> Document | None:
        return self._documents.get(_KIND, destination_id)

    def get(self, destination_id: str) -> Document:
        """Raises ApiError 404."""
        found = self.find(destination_id)
        if found is None:
            raise not_found(f"Notification destination {destination_id} does not exist.")
        return found

    def routes(self) -> list[BaseRoute]:
        one = f"{PATH}/{{id}}"
        return [
            api("POST", PATH, self._create),
            api("GET", PATH, self._list),
            api("GET", one, self._get),
            api("PATCH", one, self._update),
            api("DELETE", one, self._delete),
        ]

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def _create(self, call: Call) -> Json:
        _require_admin(call)
        name, config = call.require("display_name", "config")
        kind, kept = _checked(config)
        identity = str(uuid.uuid4())
        destination: Document = {
            "id": identity,
            "display_name": str(name),
            "destination_type": _CONFIGS[kind][0],
            "config": {kind: kept},
        }
        self._documents.put(_KIND, identity, destination)
        return destination

    def _get(self, call: Call) -> Json:
        found = self.get(call.path["id"])
        return found if call.caller.admin else {name: value for name, value in found.items() if name != "config"}

    def _list(self, call: Call) -> Json:
        start, size = call.query.get("page_token") or "0", call.query.get("page_size") or str(_PAGE)
        if not start.isdecimal() or not size.isdecimal() or not int(size):
            raise invalid(f"page_size and page_token must be numbers, received '{size}' and '{start}'")
        every = sorted((one for _, one in self._documents.list(_KIND)), key=lambda one: one["display_name"])
        end = int(start) + int(size)
        shown = [{name: one[name] for name in ("id", "display_name", "destination_type")} for one in every]
        return {"results": shown[int(start) : end], **({"next_page_token": str(end)} if end < len(shown) else {})}

    def _update(self, call: Call) -> Json:
        _require_admin(call)
        current = self.get(call.path["id"])
        name, config = call.body.get("display_name"), call.body.get("config")
        if name is None and config is None:
            raise invalid("an update needs display_name or config")
        changed: Json = {} if name is None else {"display_name": str(name)}
        if config is not None:
            kind, kept = _checked(config)
            if _CONFIGS[kind][0] != current["destination_type"]:
                raise invalid(
                    f"the type of notification destination {current['id']} cannot change from "
                    f"{current['destination_type']} to {_CONFIGS[kind][0]}: create another one"
                )
            changed["config"] = {kind: kept}
        updated = self._documents.update(_KIND, current["id"], lambda found: found.update(changed))
        if updated is None:
            raise not_found(f"Notification destination {current['id']} does not exist.")
        return updated

    def _delete(self, call: Call) -> Json:
        _require_admin(call)
        self._documents.delete(_KIND, self.get(call.path["id"])["id"])
        return {}


def _checked(config: Any) -> tuple[str, Json]:
    """The kind of a configuration, and what is kept of it; ApiError 400."""
    if not isinstance(config, dict):
        raise invalid(f"config must be an object, received {config!r}")
    given = [name for name, value in config.items() if value is not None]
    if len(given) != 1 or given[0] not in _CONFIGS:
        raise invalid(f"config must hold exactly one of {', '.join(_CONFIGS)}; received {', '.join(given) or 'none'}")
    kind = given[0]
    _, hidden, needed = _CONFIGS[kind]
    part: Mapping[str, Any] = config[kind]
    if not isinstance(part, dict):
        raise invalid(f"config.{kind} must be an object, received {type(part).__name__}")
    known = {*hidden, *(f"{name}_set" for name in hidden), *(("addresses",) if kind == "email" else ())}
    unknown = sorted(set(part) - known)
    if unknown:
        raise invalid(f"config.{kind} has no field '{unknown[0]}'; it has {', '.join(sorted(known))}")
    # A client that read a destination sends `url_set` back instead of the url.
    if not any(part.get(name) or part.get(f"{name}_set") for name in needed):
        raise invalid(f"config.{kind} needs {' or '.join(needed)}")
    if kind == "email":
        addresses = part["addresses"]
        if not isinstance(addresses, list) or not all(isinstance(one, str) and "@" in one for one in addresses):
            raise invalid(f"config.email.addresses must be e-mail addresses, received {addresses!r}")
        return kind, {"addresses": addresses}
    return kind, {f"{name}_set": True for name in hidden if part.get(name) or part.get(f"{name}_set")}


def _require_admin(call: Call) -> None:
    if not call.caller.admin:
        raise permission_denied("Only workspace admins can create, update and delete notification destinations.")
