"""Opens MLflow's own stores: tracking and model registry, in one SQLite file, in this process.

MLflow takes seconds of CPU to import and to lay out an empty database: both happen beside the server's start.
"""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workspace.collection import without_collection

ARTIFACT_ROOT = "dbfs:/databricks/mlflow-tracking"
# The folder that Databricks puts logged models in; mlflow's client knows them by it
# (store/artifact/databricks_logged_model_artifact_repo.py). Open-source servers say "models".
LOGGED_MODELS_FOLDER = "logged_models"
CLOSE_SECONDS = 1.0


@dataclass(frozen=True)
class Stores:
    """`tracking` and `registry` are MLflow's SqlAlchemyStores; MLflow gives them no types."""

    tracking: Any
    registry: Any


class StoreOpener:
    """Opens the stores once, whoever asks first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._stores: Stores | None = None

    def warm_up(self) -> None:
        threading.Thread(target=self.stores, name="open-mlflow-stores", daemon=True).start()

    def stores(self) -> Stores:
        with self._lock:
            if self._stores is None:
                self._stores = _open(self._folder / "mlflow.db")
            return self._stores

    def close(self) -> None:
        """Let go of the stores. Stores that are only being opened are left to the end of the process: nothing is
        lost.
        """
        if not self._lock.acquire(timeout=CLOSE_SECONDS):
            return
        try:
            if self._stores is not None:
                self._stores.tracking.engine.dispose()
                self._stores.registry.engine.dispose()
                self._stores = None
        finally:
            self._lock.release()


def _open(database: Path) -> Stores:
    # A workspace on loopback talks to nobody; importing MLflow would start its usage reports.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    with without_collection():
        from mlflow.store.model_registry import sqlalchemy_store as registry_module
        from mlflow.store.tracking import sqlalchemy_store as tracking_module

    registry_store: Any = registry_module.SqlAlchemyStore
    tracking_store: Any = tracking_module.SqlAlchemyStore

    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
    tracking_store.MODELS_FOLDER_NAME = LOGGED_MODELS_FOLDER
    if not database.exists():
        _lay_out(registry_store, database)
    registry = registry_store(f"sqlite:///{database}")
    _make_durable(registry.engine)
    tracking = tracking_store(f"sqlite:///{database}", ARTIFACT_ROOT)
    _make_durable(tracking.engine)
    return Stores(tracking, registry)


def _lay_out(store_class: Any, database: Path) -> None:
    """Create the tables in a draft and move it into place: a killed server leaves no half-migrated database."""
    draft = database.with_suffix(".new")
    draft.unlink(missing_ok=True)
    store = store_class(f"sqlite:///{draft}")
    store.engine.dispose()
    os.replace(draft, database)


def _make_durable(engine: Any) -> None:
    """Every connection writes ahead and syncs on commit, so that what was acknowledged survives a kill."""
    from sqlalchemy import event

    def set_pragmas(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA busy_timeout = 20000")
        connection.execute("PRAGMA foreign_keys = ON")

    event.listen(engine, "connect", set_pragmas)
    engine.dispose()
