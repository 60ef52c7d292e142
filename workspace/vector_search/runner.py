"""Runs the syncs of delta-sync indexes, one at a time an index, and follows the sources of CONTINUOUS ones."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

from workspace.documents import Document
from workspace.errors import ApiError
from workspace.settings import Settings
from workspace.vector_search.embedding import Embedder, EmbeddingError
from workspace.vector_search.specs import CONTINUOUS, DELTA_SYNC
from workspace.vector_search.store import Indexes
from workspace.vector_search.sync import SyncError, Tables, sync

logger = logging.getLogger("workspace")
WORKERS = 2

INITIAL, INITIAL_FAILED = "PROVISIONING_INITIAL_SNAPSHOT", "OFFLINE_FAILED"
UPDATING, IDLE = "ONLINE_TRIGGERED_UPDATE", "ONLINE_NO_PENDING_UPDATE"
FOLLOWING, FAILED = "ONLINE_CONTINUOUS_UPDATE", "ONLINE_PIPELINE_FAILED"


class SyncRunner:
    """Threads between `start` and `stop`."""

    def __init__(self, indexes: Indexes, tables: Tables, embedder: Embedder, settings: Settings) -> None:
        self._indexes = indexes
        self._tables = tables
        self._embedder = embedder
        self._settings = settings
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="vector sync")
        self._follower = threading.Thread(target=self._follow, name="vector sync follower", daemon=True)

    def start(self) -> None:
        """Start the threads, and take up again what a killed server left behind."""
        for index in self._indexes.all():
            if index["status"]["detailed_state"] in (INITIAL, UPDATING):
                self.submit(index)
        self._follower.start()

    def stop(self) -> None:
        self._stopping.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        if self._follower.is_alive():
            self._follower.join()

    def request(self, index: Document) -> None:
        """Start a sync, as the service shows it from now on."""
        if index["status"]["ready"]:
            self._indexes.set_status(index, ready=True, state=UPDATING, message="Index is being updated.")
        self.submit(index)

    def submit(self, index: Document) -> None:
        self._pool.submit(self.run, index["name"], index["id"])

    def run(self, name: str, index_id: str) -> None:
        """Sync once, and note how that went."""
        with self._locks[index_id]:
            index = self._indexes.find(name)
            if index is None or index["id"] != index_id or self._stopping.is_set():
                return
            ready = index["status"]["ready"]
            try:
                version = sync(index, self._indexes.vectors(index), self._tables, self._embedder)
            except (SyncError, EmbeddingError, ApiError) as error:
                self._failed(index, str(error), ready=ready)
            except Exception as error:
                # Nobody awaits this thread: what it does not note, nobody learns.
                logger.exception("sync of %s failed", name)
                self._failed(index, f"{type(error).__name__}: {error}", ready=ready)
            else:
                follows = index["delta_sync_index_spec"]["pipeline_type"] == CONTINUOUS
                state = FOLLOWING if follows else IDLE
                if (index["status"]["detailed_state"], ready) != (state, True):
                    message = f"Index is at version {version} of {index['delta_sync_index_spec']['source_table']}."
                    self._indexes.set_status(index, ready=True, state=state, message=message)

    def _failed(self, index: Document, message: str, *, ready: bool) -> None:
        """An index that was ready goes on answering with what it has."""
        state = FAILED if ready else INITIAL_FAILED
        self._indexes.set_status(index, ready=ready, state=state, message=message)

    def _follow(self) -> None:
        while not self._stopping.wait(self._settings.get("continuous_sync_poll_seconds")):
            for index in self._indexes.all():
                if (
                    index["index_type"] == DELTA_SYNC
                    and index["delta_sync_index_spec"]["pipeline_type"] == CONTINUOUS
                    and index["status"]["detailed_state"] == FOLLOWING
                ):
                    self.run(index["name"], index["id"])
