"""Brings configs into force: new entities beside the old ones, then the switch, then the end of what is not needed."""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from workspace.clock import Clock
from workspace.errors import ApiError
from workspace.http import Json
from workspace.serving.entity import Entity, OnlineSource, RetiredError, SecretOf, no_function
from workspace.serving.external import ExternalEntity
from workspace.serving.live import Gateway, Live, Served
from workspace.serving.metering import Awake, Meter, Used
from workspace.serving.process import DeploymentError
from workspace.serving.store import EndpointStore
from workspace.settings import Settings

logger = logging.getLogger("workspace.serving")
STARTING_AT_ONCE = 2
HOUSEKEEPING_SECONDS = 0.5
MESSAGE_LENGTH = 4_000
POLL_SECONDS = 0.05
# For all threads together, when the server ends: what they do is taken up again when it starts.
STOP_SECONDS = 3.0


class ModelFiles(Protocol):
    """A registered model version, as far as serving needs it."""

    @property
    def folder(self) -> Path: ...


CreatorsFunction = Callable[[str, str], Mapping[str, Any]]
"""A function of Unity Catalog, by who created the endpoint and its full name; ApiError where that may not call it."""
ModelVersionOf = Callable[[str, str], ModelFiles]


class Deployments:
    """The live endpoints of one workspace, and the threads that change them."""

    def __init__(
        self,
        store: EndpointStore,
        folder: Path,
        model_version: ModelVersionOf,
        online: OnlineSource,
        secret: SecretOf,
        settings: Settings,
        clock: Clock,
        on_live: Callable[[Json], None] = lambda _endpoint: None,
        function: CreatorsFunction = lambda _creator, full_name: no_function(full_name),
        on_used: Callable[[Sequence[Used]], None] = lambda _used: None,
    ) -> None:
        self._function = function
        self._on_used = on_used
        self._meter = Meter()
        self._on_live = on_live
        self._clock = clock
        self._store = store
        self._folder = folder
        self._model_version = model_version
        self._online = online
        self._secret = secret
        self._settings = settings
        self._live: dict[str, Live] = {}
        self._entities: dict[str, Served] = {}
        # Every one there is, also those that are loading for an update, or drain after one.
        self._every: weakref.WeakSet[Served] = weakref.WeakSet()
        self._making: dict[tuple[str, int], Mapping[str, Served]] = {}
        # Held while an endpoint changes what it serves, so that a deletion and a roll-out never cross.
        self._switching = threading.Lock()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def live(self, name: str) -> Live | None:
        return self._live.get(name)

    def state(self, uid: str) -> Json | None:
        """The deployment state of an entity of a config in force; None for any other."""
        entity = self._entities.get(uid)
        return entity.state() if entity is not None else None

    def start(self) -> None:
        """Serve again what was served: what was awake is woken at once, what slept by its next request."""
        self._stopping.clear()
        for endpoint in self._store.all():
            if endpoint["config"]:
                self._go_live(endpoint, {})
            if endpoint["config_update"] == "IN_PROGRESS":
                self.roll_out(endpoint)
        awake = [entity for entity in self._entities.values() if entity.was_awake]
        self._spawn(lambda: self._wake(awake), "serving-wake")
        self._spawn(self._keep_house, "serving-housekeeping")

    def stop(self) -> None:
        self._stopping.set()
        for entity in list(self._every):
            entity.end()
        deadline = time.monotonic() + STOP_SECONDS
        for thread in list(self._threads):
            thread.join(timeout=max(0.0, deadline - time.monotonic()))
        # Those that were being made while the others ended.
        for entity in list(self._every):
            entity.end()
        self._on_used(self._meter.close())

    def roll_out(self, endpoint: Json) -> None:
        """Bring the pending config of an endpoint into force, in the background."""
        self._spawn(lambda: self._roll_out(endpoint), f"rollout-{endpoint['name']}")

    def cancel(self, name: str) -> Json:
        """Give up the update of an endpoint that is under way, and end what it has started."""
        with self._switching:
            endpoint = self._store.cancel(name)
            making = self._made(endpoint)
        for entity in making:
            entity.end()
        return endpoint

    def _made(self, endpoint: Json) -> list[Served]:
        """What the update of an endpoint has started."""
        version: int = (endpoint["pending_config"] or {}).get("config_version", 0)
        return list(self._making.get((endpoint["id"], version), {}).values())

    def change(self, name: str, change: Callable[[Json], None]) -> Json:
        """Change an endpoint beside its config, and take up a changed inference table or rate limit at once."""
        with self._switching:
            endpoint = self._store.change(name, change)
            live = self._live.get(name)
            if live is not None:
                self._live[name] = replace(live, gateway=Gateway.of(endpoint))
        return endpoint

    def delete(self, name: str) -> None:
        """Delete an endpoint; its processes end in the background, after the requests they have."""
        with self._switching:
            endpoint = self._store.delete(name)
            live = self._live.pop(name, None)
            making = self._made(endpoint)
        for entity in making:
            entity.end()
        entities = list(live.entities.values()) if live else []
        for entity in entities:
            self._entities.pop(entity.uid, None)
        self._spawn(lambda: self._clear(endpoint, entities), f"remove-{endpoint['name']}")

    def entity(self, endpoint: Json, stored: Json) -> Served:
        """The running entity of a stored one, or a new one that is not started."""
        known = self._entities.get(stored["uid"])
        if known is not None:
            return known
        entity: Served
        if stored.get("external_model"):
            entity = ExternalEntity(stored, self._secret)
        else:
            entity = Entity(
                stored,
                self.files(endpoint, stored),
                self._online,
                self._secret,
                self._clock,
                lookup_seconds=lambda: self._settings.get("online_lookup_seconds"),
                function=lambda full_name: self._function(str(endpoint["creator"]), full_name),
            )
        self._every.add(entity)
        return entity

    def files(self, endpoint: Json, stored: Json) -> Path:
        """The folder of a served entity: its model and its logs."""
        return self._folder / str(endpoint["id"]) / str(stored["uid"])

    def _roll_out(self, endpoint: Json) -> None:
        pending = endpoint["pending_config"]
        version, stored = pending["config_version"], pending["served_entities"]
        if not self._provisioned(endpoint, version):
            return
        made = {one["uid"]: self.entity(endpoint, one) for one in stored if one["uid"] not in self._entities}
        self._making[endpoint["id"], version] = made
        with ThreadPoolExecutor(STARTING_AT_ONCE) as pool:
            outcomes = pool.map(lambda one: self._bring_up(made.get(one["uid"]), one), stored)
            failures = {one["uid"]: failure for one, failure in zip(stored, outcomes, strict=True) if failure}
        if self._stopping.is_set():
            # What was not finished is taken up when the server starts again.
            for entity in made.values():
                entity.end()
            return
        with self._switching:
            del self._making[endpoint["id"], version]
            if not failures and self._store.succeed(endpoint["id"], endpoint["name"], version):
                updated = self._store.get(endpoint["name"])
                self._go_live(updated, made)
                self._on_live(updated)
                return
            self._store.fail(endpoint["id"], endpoint["name"], version, failures)
            current = self._store.find(endpoint["name"])
        for entity in made.values():
            entity.retire()
        if current is None or current["id"] != endpoint["id"]:
            # The endpoint was deleted meanwhile, and its folder with it; what was built since then goes too.
            shutil.rmtree(self._folder / endpoint["id"], ignore_errors=True)

    def _provisioned(self, endpoint: Json, version: int) -> bool:
        """Wait as long as the service takes for machines; False where the update is not wanted any more."""
        provisioned = threading.Event()
        seconds = self._settings.get("endpoint_provisioning_seconds")
        alarm = self._clock.call_at(self._clock.now() + seconds, provisioned.set) if seconds else None
        while alarm is not None and not provisioned.is_set():
            if self._stopping.is_set() or not self._store.is_pending(endpoint["id"], endpoint["name"], version):
                alarm.cancel()
                return False
            provisioned.wait(POLL_SECONDS)
        return True

    def _bring_up(self, entity: Served | None, stored: Json) -> str | None:
        """Build and start an entity that is new; what went wrong, None where it answers."""
        if entity is None:
            return None
        try:
            if not stored.get("external_model"):
                entity.build(self._model_version(stored["entity_name"], stored["entity_version"]).folder)
            entity.start()
        except ApiError as error:
            return error.message
        except (DeploymentError, OSError) as error:
            return str(error)[-MESSAGE_LENGTH:]
        except RetiredError:
            return "The update was given up."
        return None

    def _go_live(self, endpoint: Json, made: Mapping[str, Served]) -> None:
        config = endpoint["config"]
        entities = {
            one["name"]: made.get(one["uid"]) or self.entity(endpoint, one) for one in config["served_entities"]
        }
        tasks = {one.get("task") for one in config["served_entities"]}
        previous = self._live.get(endpoint["name"])
        for entity in entities.values():
            self._entities[entity.uid] = entity
        self._live[endpoint["name"]] = Live(
            endpoint_id=endpoint["id"],
            name=endpoint["name"],
            task=next(iter(tasks)) if len(tasks) == 1 else None,
            entities=entities,
            names=tuple(route["name"] for route in config["routes"]),
            weights=tuple(route["percentage"] for route in config["routes"]),
            gateway=Gateway.of(endpoint),
        )
        kept = {entity.uid for entity in entities.values()}
        for entity in previous.entities.values() if previous else ():
            if entity.uid not in kept:
                self._entities.pop(entity.uid, None)
                self._spawn(entity.retire, f"retire-{entity.name}")

    def _clear(self, endpoint: Json, entities: list[Served]) -> None:
        for entity in entities:
            entity.retire()
        shutil.rmtree(self._folder / endpoint["id"], ignore_errors=True)

    def _wake(self, entities: list[Served]) -> None:
        def wake(entity: Served) -> None:
            with contextlib.suppress(DeploymentError, RetiredError, ApiError):  # shown as its state; it is tried again
                entity.start()

        with ThreadPoolExecutor(STARTING_AT_ONCE) as pool:
            list(pool.map(wake, entities))

    def _keep_house(self) -> None:
        while not self._stopping.wait(HOUSEKEEPING_SECONDS):
            idle = self._settings.get("scale_to_zero_idle_seconds")
            # Before anybody is put to sleep: until when they were awake is known now.
            self._on_used(self._meter.look(self._awake(idle)))
            for entity in list(self._entities.values()):
                entity.rest(idle)
                if not self._stopping.is_set():
                    entity.revive()

    def _awake(self, idle_seconds: float) -> list[Awake]:
        found = []
        for live in list(self._live.values()):
            endpoint = self._store.find(live.name) or {}
            for entity in live.entities.values():
                span = entity.awake(idle_seconds)
                if span is not None:
                    found.append(
                        Awake(
                            uid=entity.uid,
                            endpoint_id=live.endpoint_id,
                            endpoint_name=live.name,
                            creator=str(endpoint.get("creator", "")),
                            tags={tag["key"]: tag.get("value", "") for tag in endpoint.get("tags") or []},
                            concurrency=entity.concurrency,
                            span=span,
                        )
                    )
        return found

    def _spawn(self, work: Callable[[], None], name: str) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
