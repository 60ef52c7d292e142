"""The sync pipelines of published tables, as `/api/2.0/pipelines` shows them: a pipeline, its updates, its events.

A pipeline of a published table is managed by the service: it can be read, started and stopped, not edited or deleted.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from workspace.clock import Clock
from workspace.documents import Documents
from workspace.errors import conflict, not_found
from workspace.http import Json

PIPELINES = "pipeline"
UPDATES = "pipeline_update"
EVENTS = "pipeline_event"
ACTIVE = ("QUEUED", "INITIALIZING", "RUNNING")
EVENTS_SHOWN = 250


class Pipelines:
    """Documents of pipelines, of their updates and of what happened in them."""

    def __init__(self, documents: Documents, clock: Clock) -> None:
        self._documents = documents
        self._clock = clock

    def create(self, name: str, spec: Json, creator: str) -> str:
        pipeline_id = str(uuid.uuid4())
        pipeline = {
            "pipeline_id": pipeline_id,
            "name": name,
            "spec": {"id": pipeline_id, "name": name, "channel": "CURRENT", "serverless": True, **spec},
            "creator_user_name": creator,
            "run_as_user_name": creator,
            "last_modified": self._clock.now_ms(),
            "continuous": spec["continuous"],
        }
        self._documents.put(PIPELINES, pipeline_id, pipeline)
        return pipeline_id

    def delete(self, pipeline_id: str) -> None:
        for kind in (UPDATES, EVENTS):
            for key, _ in self._documents.list(kind, f"{pipeline_id}/"):
                self._documents.delete(kind, key)
        self._documents.delete(PIPELINES, pipeline_id)

    def get(self, pipeline_id: str) -> Json:
        pipeline = self._documents.get(PIPELINES, pipeline_id)
        if pipeline is None:
            raise not_found(f"The specified pipeline {pipeline_id} was not found.")
        updates = self.updates(pipeline_id)
        latest = updates[0]["state"] if updates else None
        shown = {field: value for field, value in pipeline.items() if field != "continuous"}
        return {
            **shown,
            "state": "RUNNING" if latest in ACTIVE else "FAILED" if latest == "FAILED" else "IDLE",
            "health": "UNHEALTHY" if latest == "FAILED" else "HEALTHY",
            "cause": updates[0].get("message", "") if latest == "FAILED" else "",
            "latest_updates": [
                {
                    "update_id": update["update_id"],
                    "state": update["state"],
                    "creation_time": iso(update["creation_time"]),
                }
                for update in updates[:5]
            ],
        }

    def all(self) -> list[Json]:
        names = ("pipeline_id", "name", "state", "creator_user_name", "run_as_user_name", "latest_updates")
        shown = [self.get(key) for key, _ in self._documents.list(PIPELINES)]
        return [{name: pipeline[name] for name in names} for pipeline in shown]

    def updates(self, pipeline_id: str) -> list[Json]:
        """Newest first."""
        return [update for _, update in reversed(self._documents.list(UPDATES, f"{pipeline_id}/"))]

    def update(self, pipeline_id: str, update_id: str) -> Json:
        for update in self.updates(pipeline_id):
            if update["update_id"] == update_id:
                return update
        raise not_found(f"The specified update {update_id} of pipeline {pipeline_id} was not found.")

    def open_update(self, pipeline_id: str, cause: str, *, full_refresh: bool) -> Json:
        """A new update, QUEUED; 409 where one is active."""
        self.get(pipeline_id)
        active = [update for update in self.updates(pipeline_id) if update["state"] in ACTIVE]
        if active:
            raise conflict(f"An active update {active[0]['update_id']} already exists for pipeline '{pipeline_id}'.")
        number = self._documents.next_number(f"{UPDATES}/{pipeline_id}")
        update = {
            "update_id": str(uuid.uuid4()),
            "pipeline_id": pipeline_id,
            "number": number,
            "state": "QUEUED",
            "cause": cause,
            "full_refresh": full_refresh,
            "creation_time": self._clock.now_ms(),
        }
        self._documents.put(UPDATES, f"{pipeline_id}/{number:08d}", update)
        return update

    def advance(self, update: Json, state: str, message: str, *, level: str = "INFO") -> None:
        """Move an active update to `state`, and record the event. What was stopped or deleted meanwhile is left so."""

        def change(stored: Json) -> None:
            if stored["state"] not in ACTIVE:
                return
            stored["state"] = state
            # In the same transaction: who sees the state sees the event.
            text = f"Update {update['update_id'][:6]} is {state}. {message}"
            self._event(pipeline_id, update["update_id"], text, level)
            if state == "FAILED":
                stored["message"] = message

        pipeline_id = update["pipeline_id"]
        self._documents.update(UPDATES, f"{pipeline_id}/{update['number']:08d}", change)

    def _event(self, pipeline_id: str, update_id: str, message: str, level: str) -> None:
        number = self._documents.next_number(f"{EVENTS}/{pipeline_id}")
        event = {
            "id": str(uuid.uuid4()),
            "sequence": {"control_plane_seq_no": number},
            "origin": {"pipeline_id": pipeline_id, "update_id": update_id},
            "timestamp": iso(self._clock.now_ms()),
            "message": message,
            "level": level,
            "event_type": "update_progress",
            "maturity_level": "STABLE",
        }
        self._documents.put(EVENTS, f"{pipeline_id}/{number:010d}", event)

    def events(self, pipeline_id: str) -> list[Json]:
        """Newest first, the last 250."""
        self.get(pipeline_id)
        stored = self._documents.list(EVENTS, f"{pipeline_id}/")
        return [event for _, event in reversed(stored[-EVENTS_SHOWN:])]


def iso(millis: float) -> str:
    """A time in milliseconds since the epoch, as the service writes times."""
    return datetime.fromtimestamp(millis / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
