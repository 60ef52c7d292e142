"""One served entity while it is served: its files, its process, whether it sleeps."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from workspace.clock import Clock
from workspace.errors import ApiError, not_found
from workspace.http import Json
from workspace.serving.environment import unmet_requirements
from workspace.serving.feature_spec import FeatureSetupError, feature_data, read_spec
from workspace.serving.metering import Span
from workspace.serving.process import DeploymentError, Launch, ModelProcess, ProcessGoneError, Reply

# Requests at a time: what the service provisions for a workload size (its lower bound, as one machine has few cores).
CONCURRENCY = {"Small": 4, "Medium": 8, "Large": 16}
# Requests that may wait, for each that is answered at a time; the next one is refused with 429. That there is such a
# limit is documented ("Model Serving limits": parallel requests), how long the queue is is not.
QUEUED_PER_PLACE = 16
SECRET = re.compile(r"\{\{secrets/(?P<scope>[^/{}]+)/(?P<key>[^/{}]+)\}\}")
RESTART_PAUSE_SECONDS = 5.0
DRAIN_SECONDS = 30.0
# The service's limit for one request (docs, "Model Serving limits").
REQUEST_SECONDS = 297.0

OnlineSource = Callable[[str], Path | None]
SecretOf = Callable[[str, str], str | None]
FunctionOf = Callable[[str], Mapping[str, Any]]
"""A function of Unity Catalog by its full name, for who created the endpoint; ApiError where it may not be called."""


def no_function(full_name: str) -> Mapping[str, Any]:
    raise not_found(f"Function '{full_name}' does not exist.")


class RetiredError(Exception):
    """The entity is no longer part of the endpoint's config; the caller looks at the endpoint anew."""


class BusyError(Exception):
    """More requests are waiting than the entity takes."""


class Entity:
    """A served entity of a live endpoint. Thread-safe; `score` belongs to the event loop."""

    def __init__(
        self,
        stored: Json,
        folder: Path,
        online: OnlineSource,
        secret: SecretOf,
        clock: Clock,
        *,
        lookup_seconds: Callable[[], float] = lambda: 0.0,
        function: FunctionOf = no_function,
    ) -> None:
        self.uid: str = stored["uid"]
        self.name: str = stored["name"]
        self.scale_to_zero: bool = stored["scale_to_zero_enabled"]
        self.concurrency: int = CONCURRENCY.get(stored["workload_size"]) or int(stored["max_provisioned_concurrency"])
        self._clock = clock
        self._stored = stored
        self._folder = folder
        # Kept on disk, so that a restart of the server wakes what was awake, and nothing else.
        self._awake = folder / "awake"
        self._online = online
        self._secret = secret
        self._lookup_seconds = lookup_seconds
        self._function = function
        self._starting = threading.Lock()
        self._counting = threading.Lock()
        self._process: ModelProcess | None = None
        self._loading: ModelProcess | None = None
        self._in_flight = 0
        self._last_used = clock.now()
        self._started: float | None = None
        # There is a folder, and nobody was awake in it.
        self._at_zero = self.scale_to_zero and folder.exists() and not self._awake.exists()
        self._from_zero = False
        self._retired = False
        self._ended = threading.Event()
        self._failed_at: float | None = None
        self._failure = ""

    @property
    def pid(self) -> int | None:
        process = self._process
        return process.pid if process is not None and process.alive else None

    @property
    def in_flight(self) -> int:
        """Requests that are being answered, or wait for it."""
        return self._in_flight

    @property
    def build_log(self) -> Path:
        return self._folder / "build.log"

    @property
    def service_log(self) -> Path:
        return self._folder / "service.log"

    @property
    def was_awake(self) -> bool:
        """Whether it was not asleep when the last server ended, or may not sleep: to be started with the server."""
        return self._awake.exists() or not self.scale_to_zero

    def build(self, model_folder: Path) -> None:
        """Take the model's files as they are now. The registry may delete the version later; what is served stays."""
        self._folder.mkdir(parents=True, exist_ok=True)
        target = self._folder / "model"
        shutil.rmtree(target, ignore_errors=True)
        self._log(f"Building served entity {self.name} of {self._model_name()}.")
        shutil.copytree(model_folder, target, copy_function=_link_or_copy)
        for line in unmet_requirements(target):
            self._log(line)
        self._log("Model files are in place.")

    def start(self) -> None:
        """Have a process that answers. Blocks while it loads. Raises DeploymentError, RetiredError."""
        with self._starting:
            if self._retired:
                raise RetiredError
            process = self._process
            if process is not None and process.alive:
                return
            if process is not None:
                process.end()
                self._process = None
            self._log("Starting the model server.")
            try:
                self._process = self._loaded(self._launch())
            except (DeploymentError, FeatureSetupError) as error:
                if self._retired:
                    # It was ended while it loaded: whoever asked it asks who came after it.
                    raise RetiredError from error
                self._failed_at, self._failure = time.monotonic(), str(error)
                self._log(f"Deployment failed. {error}")
                raise DeploymentError(str(error)) from error
            self._failed_at = None
            self._last_used = self._started = self._clock.now()
            self._from_zero, self._at_zero = self._at_zero, False
            self._awake.touch()
            self._log("The model server is ready.")

    async def score(self, content_type: str, body: bytes) -> Reply:
        """Score one request, waking the process first.

        Raises DeploymentError, ProcessGoneError, RetiredError, BusyError, and TimeoutError after 297 s; so do the
        chunks of an answer that is streamed.
        """
        deadline = asyncio.get_running_loop().time() + REQUEST_SECONDS
        self._enter()
        try:
            reply = await self._ask(content_type, body, deadline)
        except BaseException:
            self._leave()
            raise
        if reply.chunks is None:
            self._leave()
            return reply
        return replace(reply, chunks=self._followed(reply.chunks, deadline))

    async def _ask(self, content_type: str, body: bytes, deadline: float) -> Reply:
        process = self._process
        if process is None or not process.alive:
            await asyncio.to_thread(self.start)
            process = self._process
        if process is None:
            raise ProcessGoneError("the model process ended")
        async with asyncio.timeout_at(deadline):
            return await process.ask(content_type, body)

    async def _followed(self, chunks: AsyncIterator[bytes], deadline: float) -> AsyncIterator[bytes]:
        """The chunks; the request counts as being answered until the last one."""
        now = asyncio.get_running_loop().time
        try:
            # Not one time-out around all: the chunks may be taken by another task than the first one.
            while (chunk := await asyncio.wait_for(anext(chunks, None), deadline - now())) is not None:
                yield chunk
        finally:
            self._leave()

    def _enter(self) -> None:
        with self._counting:
            if self._retired:
                raise RetiredError
            if self._in_flight >= self.concurrency * (1 + QUEUED_PER_PLACE):
                raise BusyError
            self._in_flight += 1

    def _leave(self) -> None:
        with self._counting:
            self._in_flight -= 1
            self._last_used = self._clock.now()

    def rest(self, idle_seconds: float) -> None:
        """Stop the process where scale to zero is on and nothing was asked for `idle_seconds`."""
        if not self.scale_to_zero or not self._starting.acquire(blocking=False):
            return
        try:
            # Taken away in the same moment as it is found idle: a request that comes a moment later finds none, and
            # waits for a new one, instead of asking one that is about to be ended.
            with self._counting:
                idle = self._in_flight == 0 and self._clock.now() - self._last_used >= idle_seconds
                process = self._process if idle else None
                if process is not None:
                    self._process = None
            if process is not None:
                self._at_zero = True
                self._awake.unlink(missing_ok=True)
                process.end()
                self._log("Scaled to zero.")
        finally:
            self._starting.release()

    def awake(self, idle_seconds: float) -> Span | None:
        """Since when it answers, and until when it does for certain; None while it does not."""
        started = self._started
        if self.pid is None or started is None:
            return None
        now = self._clock.now()
        with self._counting:
            sleeps = self.scale_to_zero and not self._in_flight
            until = min(now, self._last_used + idle_seconds) if sleeps else now
        return Span(started, max(started, until), self._from_zero, self._stored["workload_type"])

    def revive(self) -> None:
        """Start again what died, where it is not allowed to sleep; after a failure only after a pause."""
        if self.scale_to_zero or self.pid is not None or self._retired:
            return
        if self._failed_at is None or time.monotonic() - self._failed_at >= RESTART_PAUSE_SECONDS:
            try:
                self.start()
            except (DeploymentError, RetiredError):
                return

    def retire(self) -> None:
        """Take no more requests, answer those that are here, end the process, delete the model's files."""
        with self._counting:
            self._retired = True
        deadline = time.monotonic() + DRAIN_SECONDS
        while self._in_flight and time.monotonic() < deadline and not self._ended.wait(0.02):
            pass
        self.end()
        shutil.rmtree(self._folder / "model", ignore_errors=True)

    def end(self) -> None:
        """End the process, also one that is loading; the entity takes no more requests."""
        self._retired = True
        self._ended.set()
        loading = self._loading
        if loading is not None:
            loading.end()
        with self._starting:
            if self._process is not None:
                self._process.end()
                self._process = None

    def state(self) -> Json:
        """The deployment state of an entity of the config in force."""
        if self.pid is not None:
            return {"deployment": "DEPLOYMENT_READY", "deployment_state_message": ""}
        if self._failed_at is not None:
            return {"deployment": "DEPLOYMENT_RECOVERING", "deployment_state_message": self._failure}
        return {"deployment": "DEPLOYMENT_READY", "deployment_state_message": "Scaled to zero"}

    def _loaded(self, launch: Launch) -> ModelProcess:
        process = ModelProcess(launch)
        self._loading = process
        try:
            if self._retired:
                raise DeploymentError("The served entity was removed while it was starting.")
            process.load()
        except DeploymentError:
            process.end()
            raise
        finally:
            self._loading = None
        return process

    def _model_name(self) -> str:
        return f"{self._stored['entity_name']} version {self._stored['entity_version']}"

    def _launch(self) -> Launch:
        model = self._folder / "model"
        work = self._folder / "work"
        work.mkdir(exist_ok=True)
        return Launch(
            model_name=self._model_name(),
            model=model,
            folder=work,
            log=self.service_log,
            online=self._online_sources(model),
            variables={name: self._resolved(name, value) for name, value in self._stored["environment_vars"].items()},
            concurrency=self.concurrency,
            lookup_seconds=self._lookup_seconds(),
            functions=self._functions(model),
        )

    def _online_sources(self, model: Path) -> dict[str, str]:
        data = feature_data(model)
        if data is None:
            return {}
        sources = {table: self._online(table) for table in read_spec(data).tables}
        missing = [table for table, path in sources.items() if path is None]
        if missing:
            raise FeatureSetupError(
                f"Feature lookup setup failed for served entity {self.name}: feature tables {missing} are not "
                "published to an online store. Publish them, then update the endpoint."
            )
        return {table: str(path) for table, path in sources.items()}

    def _functions(self, model: Path) -> dict[str, Mapping[str, Any]]:
        data = feature_data(model)
        if data is None:
            return {}
        found = {}
        for name in read_spec(data).functions:
            try:
                found[name] = self._function(name)
            except ApiError as error:
                raise FeatureSetupError(
                    f"On-demand feature setup failed for served entity {self.name}: {error.message} "
                    f"The creator of the endpoint needs EXECUTE on function {name}."
                ) from error
        return found

    def _resolved(self, name: str, value: str) -> str:
        reference = SECRET.fullmatch(value)
        if reference is None:
            return value
        secret = self._secret(reference["scope"], reference["key"])
        if secret is None:
            raise DeploymentError(
                f"Environment variable {name} of served entity {self.name} refers to secret "
                f"{reference['scope']}/{reference['key']}, which does not exist."
            )
        return secret

    def _log(self, line: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with self.build_log.open("a") as log:
            log.write(f"[{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(self._clock.now()))}] {line}\n")


def _link_or_copy(source: str, target: str) -> str:
    """A hard link costs nothing and outlives the original's deletion; another file system needs a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target
