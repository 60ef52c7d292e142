"""Runs the updates of sync pipelines, one at a time a pipeline, and follows the sources of CONTINUOUS ones."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from workspace.clock import Clock
from workspace.errors import ApiError
from workspace.feature_store.keyed import delete_store
from workspace.feature_store.pipelines import ACTIVE, Pipelines
from workspace.feature_store.publishing import Publishing
from workspace.feature_store.sync import SyncError, layout_of, sync
from workspace.http import Json
from workspace.settings import Settings

if TYPE_CHECKING:
    from workspace.unity_catalog.tables import Tables

logger = logging.getLogger("workspace.feature_store")
WORKERS = 2
# How late it is noticed that the clock was moved.
_TICK_SECONDS = 0.05


class SyncRunner:
    """Threads between `start` and `stop`; every sync is one transaction, so a kill at any moment only repeats work."""

    def __init__(
        self, pipelines: Pipelines, publishing: Publishing, tables: Tables, settings: Settings, clock: Clock
    ) -> None:
        self._clock = clock
        self._pipelines = pipelines
        self._publishing = publishing
        self._tables = tables
        self._settings = settings
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._stopping = threading.Event()
        self._pool: ThreadPoolExecutor | None = None
        self._follower: threading.Thread | None = None

    def start(self) -> None:
        """Start the threads, and take up again what a killed server left behind."""
        self._stopping.clear()
        self._publishing.remove_orphans()
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="sync")
        for published in self._publishing.all():
            for update in self._pipelines.updates(published["pipeline_id"]):
                if update["state"] in ACTIVE:
                    self.submit(published, update)
        self._follower = threading.Thread(target=self._follow, name="sync-follower", daemon=True)
        self._follower.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._follower is not None:
            self._follower.join()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def submit(self, published: Json, update: Json) -> None:
        if self._pool is None:
            raise RuntimeError("the feature store was not started")
        self._pool.submit(self._run, published, update)

    def remove(self, published: Json) -> None:
        """Delete the rows of an online table, after the sync that may be running on it."""
        with self._locks[published["pipeline_id"]]:
            delete_store(self._publishing.path(published))

    def _run(self, published: Json, update: Json) -> None:
        with self._failing(published, update), self._locks[published["pipeline_id"]]:
            self._run_locked(published, update)

    @contextmanager
    def _failing(self, published: Json, update: Json) -> Iterator[None]:
        """Whatever ends a sync is the update's end, and nobody else's: the threads go on with other tables."""
        try:
            yield
        except (SyncError, ApiError) as error:
            self._pipelines.advance(update, "FAILED", str(error), level="ERROR")
        except Exception as error:
            logger.exception("sync of %s failed", published["name"])
            self._pipelines.advance(update, "FAILED", f"{type(error).__name__}: {error}", level="ERROR")

    def _run_locked(self, published: Json, update: Json) -> None:
        if not self._still_wanted(published, update):
            return
        self._pipelines.advance(update, "INITIALIZING", f"Preparing the sync to {published['name']}.")
        if update["cause"] == "PUBLISH":
            self._provision()
        if self._stopping.is_set():
            # Left active: it is taken up when the server starts again.
            return
        continuous = published["publish_mode"] == "CONTINUOUS"
        if not continuous:
            self._pipelines.advance(update, "RUNNING", f"Syncing {published['source_table']}.")
        full = update["full_refresh"] or published["publish_mode"] == "SNAPSHOT"
        message = self._sync(published, full=full)
        # A continuous update never completes: RUNNING says that the first copy is there and changes are followed.
        self._pipelines.advance(update, "RUNNING" if continuous else "COMPLETED", message)

    def _provision(self) -> None:
        """Wait as long as a pipeline takes to start, by the workspace's clock."""
        due = self._clock.now() + self._settings.get("online_table_provisioning_seconds")
        while (left := due - self._clock.now()) > 0 and not self._stopping.wait(min(left, _TICK_SECONDS)):
            pass

    def _still_wanted(self, published: Json, update: Json) -> bool:
        current = self._publishing.find(published["name"])
        if current is None or current["pipeline_id"] != published["pipeline_id"]:
            return False
        return self._pipelines.update(published["pipeline_id"], update["update_id"])["state"] in ACTIVE

    def _sync(self, published: Json, *, full: bool) -> str:
        source = self._tables.find(published["source_table"])
        if source is None:
            raise SyncError(
                f"source table {published['source_table']} does not exist any more; the online table keeps its last "
                "rows. Create the source again and start an update with full_refresh, or delete the online table"
            )
        layout = layout_of(source, published["primary_key"], published["timeseries_key"])
        if not layout.key:
            raise SyncError(
                f"source table {source.full_name} has no primary key any more; declare it again: "
                f"ALTER TABLE {source.full_name} ADD CONSTRAINT pk PRIMARY KEY (<columns>)"
            )
        done = sync(
            self._publishing.path(published),
            source,
            layout,
            lambda: self._tables.delta(source.full_name),
            self._clock.now_ms,
            full=full,
        )
        self._publishing.show_columns(published, source)
        kind = "snapshot" if done.snapshot else "changes"
        return f"Applied {done.changes} rows of {kind}; {published['name']} is at source version {done.version}."

    def _follow(self) -> None:
        while not self._stopping.wait(self._settings.get("continuous_sync_poll_seconds")):
            for published in self._publishing.all(lambda one: one["publish_mode"] == "CONTINUOUS"):
                self._follow_one(published)

    def _follow_one(self, published: Json) -> None:
        updates = self._pipelines.updates(published["pipeline_id"])
        if not updates or updates[0]["state"] != "RUNNING":
            return
        with self._failing(published, updates[0]), self._locks[published["pipeline_id"]]:
            if self._still_wanted(published, updates[0]):
                self._sync(published, full=False)
