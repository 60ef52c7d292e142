"""Writers of every kind of state, each of which knows what was acknowledged to it, for tests that kill the server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.service.ml import PublishSpec, PublishSpecPublishMode
from databricks.sdk.service.pipelines import UpdateInfoState
from databricks.sdk.service.serving import EndpointTag

from tests.support.server import WorkspaceServer
from tests.support.warehouse import StatementFailedError, Warehouse

SCHEMA = "killed"
STORE = "killed"
FEATURES = f"main.{SCHEMA}.features"


@dataclass
class Ledger:
    """What one writer did. The write that was under way when the server died may have taken effect or not."""

    acknowledged: list[str] = field(default_factory=list)
    under_way: str | None = None
    left_over: set[str] = field(default_factory=set)
    """Written by a write that never came to the deletion which is a part of it."""
    surprise: BaseException | None = None

    def explains(self, found: set[str]) -> bool:
        """Whether everything acknowledged is there, and nothing that was never written."""
        sure = set(self.acknowledged)
        return sure <= found <= sure | {self.under_way or ""}


class MixedLoad:
    """Writers in threads of their own, from `start` until the server dies; they go on with `start` after a restart."""

    def __init__(self, server: WorkspaceServer) -> None:
        self._server = server
        self._numbers = {name: count() for name in WRITERS}
        self.ledgers = {name: Ledger() for name in WRITERS}
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start every writer where it stopped."""
        self._threads = [threading.Thread(target=self._write, args=(name,), name=name) for name in WRITERS]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait until every writer has noticed that the server is gone."""
        for thread in self._threads:
            thread.join(timeout=60)
            assert not thread.is_alive(), f"writer {thread.name} does not end"

    def _write(self, name: str) -> None:
        ledger, write = self.ledgers[name], WRITERS[name]
        client = self._server.client(retry_timeout_seconds=1)
        while True:
            number = next(self._numbers[name])
            ledger.under_way = f"{number}"
            try:
                write(client, number)
            except (DatabricksError, StatementFailedError) as error:
                # The server answered, with a refusal that no write here deserves.
                ledger.surprise = error
                return
            except (OSError, TimeoutError):
                # The connection broke, or nobody listens any more. What was under way stays open.
                return
            ledger.acknowledged.append(ledger.under_way)
            ledger.under_way = None


def prepare(client: WorkspaceClient) -> Warehouse:
    """What the writers write to."""
    from databricks.sdk.service.ml import OnlineStore

    from tests.support.models import new_model, ready_version

    client.schemas.create(SCHEMA, "main")
    warehouse = Warehouse(client, "main", SCHEMA)
    warehouse.execute("CREATE TABLE pairs (n INT, half STRING)")
    warehouse.execute(
        "CREATE TABLE features (k INT NOT NULL, v STRING, CONSTRAINT pk PRIMARY KEY (k)) "
        "TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"
    )
    client.api_client.do("PUT", "/_workspace/settings", body={"online_store_provisioning_seconds": 0})
    client.feature_store.create_online_store(OnlineStore(name=STORE, capacity="CU_1"))
    model = new_model(client, "aliased", catalog="main", schema=SCHEMA)
    ready_version(client, model)
    ready_version(client, model)
    return warehouse


def count() -> Iterator[int]:
    number = 0
    while True:
        number += 1
        yield number


def _schema(client: WorkspaceClient, number: int) -> None:
    client.schemas.create(f"killed_{number}", "main", comment=f"number {number}")


def _experiment(client: WorkspaceClient, number: int) -> None:
    client.experiments.create_experiment(f"/killed_{number}")


def _pair(client: WorkspaceClient, number: int) -> None:
    Warehouse(client, "main", SCHEMA).execute(f"INSERT INTO pairs VALUES ({number}, 'left'), ({number}, 'right')")


def _alias(client: WorkspaceClient, number: int) -> None:
    client.registered_models.set_alias(f"main.{SCHEMA}.aliased", f"alias_{number}", 1 + number % 2)


def _model(client: WorkspaceClient, number: int) -> None:
    client.registered_models.create(name=f"model_{number}", catalog_name="main", schema_name=SCHEMA)


def _endpoint(client: WorkspaceClient, number: int) -> None:
    client.serving_endpoints.create(f"killed-{number}", tags=[EndpointTag("number", str(number))])


def _feature(client: WorkspaceClient, number: int) -> None:
    """A row, and a sync that brings it online; acknowledged once the sync is COMPLETED."""
    Warehouse(client, "main", SCHEMA).execute(f"INSERT INTO features VALUES ({number}, 'value {number}')")
    spec = PublishSpec(STORE, f"{FEATURES}_online", PublishSpecPublishMode.TRIGGERED)
    pipeline = client.feature_store.publish_table(FEATURES, spec).pipeline_id
    assert pipeline is not None
    _wait_for_sync(client, pipeline)


def _publication(client: WorkspaceClient, number: int) -> None:
    spec = PublishSpec(STORE, f"main.{SCHEMA}.copy_{number}", PublishSpecPublishMode.SNAPSHOT)
    pipeline = client.feature_store.publish_table(FEATURES, spec).pipeline_id
    assert pipeline is not None
    _wait_for_sync(client, pipeline)


def _passing_publication(client: WorkspaceClient, number: int) -> None:
    """Published and deleted again: acknowledged means gone."""
    name = f"main.{SCHEMA}.passing_{number}"
    client.feature_store.publish_table(FEATURES, PublishSpec(STORE, name, PublishSpecPublishMode.SNAPSHOT))
    client.feature_store.delete_online_table(name)


def _wait_for_sync(client: WorkspaceClient, pipeline: str) -> None:
    while True:
        updates = client.pipelines.get(pipeline).latest_updates or []
        if updates and updates[0].state is not None and updates[0].state.value == UpdateInfoState.COMPLETED.value:
            return
        time.sleep(0.02)


WRITERS: dict[str, Callable[[WorkspaceClient, int], None]] = {
    "schemas": _schema,
    "experiments": _experiment,
    "pairs": _pair,
    "aliases": _alias,
    "models": _model,
    "endpoints": _endpoint,
    "features": _feature,
    "publications": _publication,
    "passing publications": _passing_publication,
}
