"""Brings configs into force: new entities beside the old ones, then the switch, then the end of what is not needed."""

from __future__ import annotations

import logging
import random
import shutil
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from workspace.errors import ApiError
from workspace.http import Json
from workspace.serving.entity import Entity, OnlineSource, RetiredError, SecretOf
from workspace.serving.gateway import payload_table
from workspace.serving.process import DeploymentError
from workspace.serving.store import EndpointStore
from workspace.settings import Settings

logger = logging.getLogger("workspace.serving")
STARTING_AT_ONCE = 2
HOUSEKEEPING_SECONDS = 0.5
MESSAGE_LENGTH = 4_000


class ModelFiles(Protocol):
    """A registered model version, as far as serving needs it."""

    @property
    def folder(self) -> Path: ...


ModelVersionOf = Callable[[str, str], ModelFiles]


@dataclass(frozen=True)
class Live:
    """An endpoint that answers: the config in force. Replaced as a whole, never changed."""

    endpoint_id: str
    name: str
    entities: Mapping[str, Entity]
    names: tuple[str, ...]
    weights: tuple[int, ...]
    payload_table: str | None
    rate_limits: tuple[Json, ...]

    def choose(self) -> Entity:
        """An entity by the traffic split; one at 0 % is never chosen."""
        return self.entities[random.choices(self.names, self.weights)[0]]  # noqa: S311 - load balancing, no secret


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
    ) -> None:
        self._store = store
        self._folder = folder
        self._model_version = model_version
        self._online = online
        self._secret = secret
        self._settings = settings
        self._live: dict[str, Live] = {}
        self._entities: dict[str, Entity] = {}
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
        """Serve again what was served: requests start processes that nobody has started yet."""
        self._stopping.clear()
        for endpoint in self._store.all():
            if endpoint["config"]:
                self._go_live(endpoint, {})
            if endpoint["config_update"] == "IN_PROGRESS":
                self.roll_out(endpoint)
        self._spawn(self._keep_house, "serving-housekeeping")

    def stop(self) -> None:
        self._stopping.set()
        for entity in list(self._entities.values()):
            entity.end()
        for thread in self._threads:
            thread.join(timeout=30)
        for entity in list(self._entities.values()):
            entity.end()

    def roll_out(self, endpoint: Json) -> None:
        """Bring the pending config of an endpoint into force, in the background."""
        self._spawn(lambda: self._roll_out(endpoint), f"rollout-{endpoint['name']}")

    def change(self, name: str, change: Callable[[Json], None]) -> Json:
        """Change an endpoint beside its config, and take up a changed inference table or rate limit at once."""
        with self._switching:
            endpoint = self._store.change(name, change)
            live = self._live.get(name)
            if live is not None:
                gateway = endpoint.get("ai_gateway") or {}
                limits = tuple(gateway.get("rate_limits", ()))
                self._live[name] = replace(live, payload_table=payload_table(gateway), rate_limits=limits)
        return endpoint

    def delete(self, name: str) -> None:
        """Delete an endpoint; its processes end in the background, after the requests they have."""
        with self._switching:
            endpoint = self._store.delete(name)
            live = self._live.pop(name, None)
        entities = list(live.entities.values()) if live else []
        for entity in entities:
            self._entities.pop(entity.uid, None)
        self._spawn(lambda: self._clear(endpoint, entities), f"remove-{endpoint['name']}")

    def entity(self, endpoint: Json, stored: Json) -> Entity:
        """The running entity of a stored one, or a new one that is not started."""
        known = self._entities.get(stored["uid"])
        if known is not None:
            return known
        return Entity(stored, self._folder / endpoint["id"] / stored["uid"], self._online, self._secret)

    def _roll_out(self, endpoint: Json) -> None:
        pending = endpoint["pending_config"]
        version, stored = pending["config_version"], pending["served_entities"]
        if self._stopping.wait(self._settings.get("endpoint_provisioning_seconds")):
            return
        made = {one["uid"]: self.entity(endpoint, one) for one in stored if one["uid"] not in self._entities}
        with ThreadPoolExecutor(STARTING_AT_ONCE) as pool:
            outcomes = pool.map(lambda one: self._bring_up(made.get(one["uid"]), one), stored)
            failures = {one["uid"]: failure for one, failure in zip(stored, outcomes, strict=True) if failure}
        if self._stopping.is_set():
            # What was not finished is taken up when the server starts again.
            for entity in made.values():
                entity.end()
            return
        with self._switching:
            if not failures and self._store.succeed(endpoint["id"], endpoint["name"], version):
                self._go_live(self._store.get(endpoint["name"]), made)
                return
            failed = self._store.fail(endpoint["id"], endpoint["name"], version, failures)
        for entity in made.values():
            entity.retire()
        if not failed:
            # The endpoint was deleted meanwhile, and its folder with it; what was built since then goes too.
            shutil.rmtree(self._folder / endpoint["id"], ignore_errors=True)

    def _bring_up(self, entity: Entity | None, stored: Json) -> str | None:
        """Build and start an entity that is new; what went wrong, None where it answers."""
        if entity is None:
            return None
        try:
            entity.build(self._model_version(stored["entity_name"], stored["entity_version"]).folder)
            entity.start()
        except ApiError as error:
            return error.message
        except (DeploymentError, OSError) as error:
            return str(error)[-MESSAGE_LENGTH:]
        except RetiredError:
            return "The endpoint was deleted."
        return None

    def _go_live(self, endpoint: Json, made: Mapping[str, Entity]) -> None:
        config = endpoint["config"]
        entities = {
            one["name"]: made.get(one["uid"]) or self.entity(endpoint, one) for one in config["served_entities"]
        }
        gateway = endpoint.get("ai_gateway") or {}
        previous = self._live.get(endpoint["name"])
        for entity in entities.values():
            self._entities[entity.uid] = entity
        self._live[endpoint["name"]] = Live(
            endpoint_id=endpoint["id"],
            name=endpoint["name"],
            entities=entities,
            names=tuple(route["name"] for route in config["routes"]),
            weights=tuple(route["percentage"] for route in config["routes"]),
            payload_table=payload_table(gateway),
            rate_limits=tuple(gateway.get("rate_limits", ())),
        )
        kept = {entity.uid for entity in entities.values()}
        for entity in previous.entities.values() if previous else ():
            if entity.uid not in kept:
                self._entities.pop(entity.uid, None)
                self._spawn(entity.retire, f"retire-{entity.name}")

    def _clear(self, endpoint: Json, entities: list[Entity]) -> None:
        for entity in entities:
            entity.retire()
        shutil.rmtree(self._folder / endpoint["id"], ignore_errors=True)

    def _keep_house(self) -> None:
        while not self._stopping.wait(HOUSEKEEPING_SECONDS):
            idle = self._settings.get("scale_to_zero_idle_seconds")
            for entity in list(self._entities.values()):
                entity.rest(idle)
                if not self._stopping.is_set():
                    entity.revive()

    def _spawn(self, work: Callable[[], None], name: str) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
