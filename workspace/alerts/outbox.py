"""Every notification that the workspace would send, to be read at `GET /_workspace/notifications`; none is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.routing import BaseRoute

from workspace.clock import Clock
from workspace.errors import invalid
from workspace.http import Call, Json, api
from workspace.state import State

PATH = "/_workspace/notifications"
_KIND = "notification"


class Outbox:
    """Notifications in the order in which they would have left."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._documents = state.documents
        self._clock = clock

    def send(self, recipients: Sequence[str], *, kind: str, subject: str, body: str, about: dict[str, Any]) -> None:
        """To addresses of people."""
        self._put({"channel": "EMAIL", "recipients": list(recipients)}, kind, subject, body, about)

    def deliver(
        self, destination: Json, *, kind: str, subject: str, body: str, about: dict[str, Any], payload: Json
    ) -> None:
        """To a notification destination, with the JSON that a webhook gets."""
        target = {
            "channel": destination["destination_type"],
            "destination_id": destination["id"],
            "destination_name": destination["display_name"],
            "recipients": (destination["config"].get("email") or {}).get("addresses", []),
        }
        if destination["destination_type"] == "WEBHOOK":
            target["payload"] = payload
        self._put(target, kind, subject, body, about)

    def all(self, since: int = 0) -> list[Json]:
        """Those after the numbered one."""
        return [entry for _, entry in self._documents.list(_KIND) if entry["number"] > since]

    def routes(self) -> list[BaseRoute]:
        return [api("GET", PATH, self._list)]

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def _put(self, target: Json, kind: str, subject: str, body: str, about: dict[str, Any]) -> None:
        number = self._documents.next_number(_KIND)
        entry = {
            "number": number,
            "time_ms": self._clock.now_ms(),
            "kind": kind,
            **target,
            "subject": subject,
            "body": body,
            "about": about,
        }
        self._documents.put(_KIND, f"{number:020}", entry)

    def _list(self, call: Call) -> Json:
        since = call.query.get("since", "0")
        if not since.isdecimal():
            raise invalid(f"since is the number of a notification, received '{since}'")
        return {"notifications": self.all(int(since))}
