"""Endpoints as they are stored, and every transition of their state.

| moment | config_update | config | pending_config |
| --- | --- | --- | --- |
| created, update accepted | IN_PROGRESS | the one in force, if any | the new one |
| rolled out | NOT_UPDATING | the new one | absent |
| failed | UPDATE_FAILED | the one in force, if any | the attempt, with its failures |
| cancelled | UPDATE_CANCELED | the one in force, if any | the attempt, aborted |
| without config | NOT_UPDATING | absent | absent |
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping

from workspace.clock import Clock
from workspace.documents import Documents
from workspace.errors import already_exists, conflict, invalid_state, not_found
from workspace.http import Json

KIND = "serving_endpoint"
READY = {"deployment": "DEPLOYMENT_READY", "deployment_state_message": ""}


class EndpointStore:
    """Documents of endpoints by name; a transition that is no longer wanted (deleted, superseded) does nothing."""

    def __init__(self, documents: Documents, clock: Clock) -> None:
        self._documents = documents
        self._clock = clock

    def create(self, name: str, fields: Json, config: Json | None) -> Json:
        now = self._clock.now_ms()
        endpoint = {
            "name": name,
            "id": uuid.uuid4().hex,
            "creation_timestamp": now,
            "last_updated_timestamp": now,
            "config": None,
            "pending_config": None,
            "config_update": "NOT_UPDATING",
            "last_version": 0,
            **fields,
        }
        if config is not None:
            _begin(endpoint, config, self._clock.now_ms())
        if not self._documents.insert(KIND, name, endpoint):
            raise already_exists(f"Endpoint with name '{name}' already exists.")
        return endpoint

    def get(self, name: str) -> Json:
        """404 naming the endpoint where there is none."""
        endpoint = self._documents.get(KIND, name)
        if endpoint is None:
            raise not_found(f"Endpoint with name '{name}' does not exist.")
        return endpoint

    def all(self) -> list[Json]:
        return [endpoint for _, endpoint in self._documents.list(KIND)]

    def find(self, name: str) -> Json | None:
        return self._documents.get(KIND, name)

    def delete(self, name: str) -> Json:
        endpoint = self.get(name)
        self._documents.delete(KIND, name)
        return endpoint

    def change(self, name: str, change: Callable[[Json], None]) -> Json:
        """Change fields other than the config."""

        def stamped(endpoint: Json) -> None:
            change(endpoint)
            endpoint["last_updated_timestamp"] = self._clock.now_ms()

        self.get(name)
        return self._documents.update(KIND, name, stamped) or self.get(name)

    def begin(self, name: str, config: Json) -> Json:
        """Accept a new config; 409 while another one is rolled out."""

        def change(endpoint: Json) -> None:
            check_not_updating(endpoint)
            _begin(endpoint, config, self._clock.now_ms())

        return self.change(name, change)

    def succeed(self, endpoint_id: str, name: str, version: int) -> bool:
        """The pending config becomes the one in force; False where it is no longer pending."""

        def change(endpoint: Json) -> None:
            for entity in endpoint["pending_config"]["served_entities"]:
                entity["state"] = READY
            endpoint["config"] = endpoint["pending_config"]
            endpoint["config"].pop("start_time")
            endpoint["pending_config"] = None
            endpoint["config_update"] = "NOT_UPDATING"

        return self._finish(endpoint_id, name, version, change)

    def fail(self, endpoint_id: str, name: str, version: int, failures: Mapping[str, str]) -> bool:
        """Keep the config in force; `failures` are messages by the uid of the entity that failed."""

        def change(endpoint: Json) -> None:
            endpoint["config_update"] = "UPDATE_FAILED"
            for entity in endpoint["pending_config"]["served_entities"]:
                if entity["uid"] in failures:
                    entity["state"] = {
                        "deployment": "DEPLOYMENT_FAILED",
                        "deployment_state_message": failures[entity["uid"]],
                    }
                elif entity.get("state") != READY:
                    entity["state"] = _aborted("Aborted, as another served entity of the config failed.")

        return self._finish(endpoint_id, name, version, change)

    def cancel(self, name: str) -> Json:
        """Give up the update under way, and keep the config in force; 400 where nothing is updated."""

        def change(endpoint: Json) -> None:
            if endpoint["config_update"] != "IN_PROGRESS":
                raise invalid_state(f"Endpoint '{name}' has no update in progress: it is {endpoint['config_update']}.")
            endpoint["config_update"] = "UPDATE_CANCELED"
            for entity in endpoint["pending_config"]["served_entities"]:
                if entity.get("state") != READY:
                    entity["state"] = _aborted("Aborted, as the update was canceled.")

        return self.change(name, change)

    def is_pending(self, endpoint_id: str, name: str, version: int) -> bool:
        """Whether the update to that config version is still wanted."""
        endpoint = self._documents.get(KIND, name)
        return endpoint is not None and _is_pending(endpoint, endpoint_id, version)

    def _finish(self, endpoint_id: str, name: str, version: int, change: Callable[[Json], None]) -> bool:
        finished = False

        def checked(endpoint: Json) -> None:
            nonlocal finished
            finished = _is_pending(endpoint, endpoint_id, version)
            if finished:
                change(endpoint)
                endpoint["last_updated_timestamp"] = self._clock.now_ms()

        self._documents.update(KIND, name, checked)
        return finished


def _is_pending(endpoint: Json, endpoint_id: str, version: int) -> bool:
    pending = endpoint["pending_config"]
    return (
        endpoint["id"] == endpoint_id
        and endpoint["config_update"] == "IN_PROGRESS"
        and bool(pending)
        and pending["config_version"] == version
    )


def _aborted(message: str) -> Json:
    return {"deployment": "DEPLOYMENT_ABORTED", "deployment_state_message": message}


def check_not_updating(endpoint: Json) -> None:
    if endpoint["config_update"] == "IN_PROGRESS":
        raise conflict(
            f"Endpoint '{endpoint['name']}' is currently being updated to config version "
            f"{endpoint['pending_config']['config_version']}. Wait until the update is done, then try again."
        )


def _begin(endpoint: Json, config: Json, now: int) -> None:
    endpoint["last_version"] += 1
    endpoint["pending_config"] = {**config, "config_version": endpoint["last_version"], "start_time": now}
    endpoint["config_update"] = "IN_PROGRESS"
