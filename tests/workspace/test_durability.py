"""SIGKILL at any moment: what was acknowledged is there after the restart, and nothing is there by halves."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.pipelines import PipelineState

from tests.support.feature_serving import eventually
from tests.support.mixed_load import FEATURES, SCHEMA, STORE, MixedLoad, prepare
from tests.support.server import WorkspaceServer
from tests.support.warehouse import Warehouse
from workspace.feature_store.keyed import KeyedReader

KILLS = 3
SEED = 20261127


def test_no_acknowledged_write_is_lost_and_none_is_there_by_halves(start_server: Callable[[], WorkspaceServer]) -> None:
    server = start_server()
    warehouse = prepare(server.client())
    load = MixedLoad(server)
    moments = random.Random(SEED)  # noqa: S311 - moments, not secrets
    for _ in range(KILLS):
        load.start()
        time.sleep(moments.uniform(0.4, 1.6))
        server.kill()
        load.join()
        assert {name: one.surprise for name, one in load.ledgers.items() if one.surprise} == {}
        server.start()
        check(server, server.client(), Warehouse(server.client(), warehouse.catalog, warehouse.schema), load)
    written = {name: len(ledger.acknowledged) for name, ledger in load.ledgers.items()}
    assert all(count > 0 for count in written.values()), f"a writer never got through: {written}"


def check(server: WorkspaceServer, client: WorkspaceClient, warehouse: Warehouse, load: MixedLoad) -> None:
    """Compare what is there with what was acknowledged; what was under way counts as written from now on if it is."""
    found = {
        "schemas": {numbered(one.name) for one in client.schemas.list("main") if str(one.name).startswith("killed_")},
        "experiments": {
            numbered(one.name)
            for one in client.experiments.search_experiments(max_results=1000)
            if str(one.name).startswith("/killed_")
        },
        "pairs": pairs(warehouse),
        "aliases": aliases(client),
        "models": {
            numbered(model.name)
            for model in client.registered_models.list(catalog_name="main", schema_name=SCHEMA)
            if str(model.name).startswith("model_")
        },
        "endpoints": endpoints(client),
        "features": features(server, warehouse),
        "publications": publications(client, "copy_"),
    }
    passing = publications(client, "passing_")
    for name, there in found.items():
        ledger = load.ledgers[name]
        if name == "features":
            # The row may be there without its sync, and a sync may bring rows of an earlier kill.
            assert set(ledger.acknowledged) <= there
            continue
        assert ledger.explains(there), (name, ledger, there)
        ledger.acknowledged = sorted(there, key=int)
    ledger = load.ledgers["passing publications"]
    assert passing <= {*ledger.left_over, ledger.under_way}, (passing, ledger)
    ledger.left_over = passing


def numbered(name: str | None) -> str:
    return str(name).rpartition("_")[2]


def pairs(warehouse: Warehouse) -> set[str]:
    """Numbers whose two rows are there; a single one is half a write."""
    counts = Counter(str(row[0]) for row in warehouse.rows("SELECT n FROM pairs"))
    assert set(counts.values()) <= {2}, counts
    return set(counts)


def aliases(client: WorkspaceClient) -> set[str]:
    shown = client.registered_models.get(f"main.{SCHEMA}.aliased", include_aliases=True).aliases or []
    for alias in shown:
        number = int(numbered(alias.alias_name))
        assert alias.version_num == 1 + number % 2
    return {numbered(alias.alias_name) for alias in shown}


def endpoints(client: WorkspaceClient) -> set[str]:
    numbers = set()
    for endpoint in client.serving_endpoints.list():
        number = str(endpoint.name).rpartition("-")[2]
        shown = client.serving_endpoints.get(str(endpoint.name))
        assert [(tag.key, tag.value) for tag in shown.tags or []] == [("number", number)]
        numbers.add(number)
    return numbers


def features(server: WorkspaceServer, warehouse: Warehouse) -> set[str]:
    """Rows that are online: those of one version of the source, whole."""
    path = server.state / "online" / STORE / f"{FEATURES}_online.db"
    if not path.exists():
        return set()
    reader = KeyedReader(path)
    online = set()
    for number, text in warehouse.rows("SELECT k, v FROM features"):
        looked_up = reader.lookup({"k": number}, ["v"])["v"]
        assert looked_up in (None, text)
        if looked_up is not None:
            online.add(str(number))
    return online


def publications(client: WorkspaceClient, prefix: str) -> set[str]:
    """Numbers of online tables that are there; each with its entry in Unity Catalog, its pipeline and its rows."""
    registered = {
        str(table.name)
        for table in client.tables.list("main", SCHEMA)
        if str(table.name).startswith(prefix) and table.table_type is not None and table.table_type.value == "FOREIGN"
    }
    synced = {
        one.name.rpartition(".")[2]: one
        for one in client.database.list_synced_database_tables(STORE)
        if one.name.rpartition(".")[2].startswith(prefix)
    }
    assert set(synced) == registered
    for one in synced.values():
        status = one.data_synchronization_status
        assert status is not None
        assert status.pipeline_id is not None
        pipeline = status.pipeline_id
        # A sync that the kill interrupted is taken up by the restarted server.
        eventually(lambda pipeline=pipeline: client.pipelines.get(pipeline).state is PipelineState.IDLE)  # type: ignore[misc]
    pipelines = {pipeline.name for pipeline in client.pipelines.list_pipelines()}
    known = {f"Synced table: {one.name}" for one in client.database.list_synced_database_tables(STORE)}
    assert pipelines == known
    return {numbered(name) for name in registered}
