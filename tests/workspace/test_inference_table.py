"""AI Gateway inference tables: one row for every answered request, whatever happens in between."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from databricks.sdk.errors import InvalidParameterValue, NotFound
from databricks.sdk.service.serving import AiGatewayConfig, AiGatewayInferenceTableConfig, EndpointCoreConfigInput

from tests.support.feature_serving import World, entity, eventually, save_model, world
from workspace.clock import Clock
from workspace.serving.inference_table import PAYLOAD, Exchange, PayloadTables
from workspace.serving.outbox import Outbox
from workspace.settings import Settings
from workspace.state import State
from workspace.unity_catalog import Column, UnityCatalog

MODEL = "main.ml.numbers"
RECORD = {"dataframe_records": [{"a": 1.0}]}
DOCUMENTED = {
    "databricks_request_id": "string",
    "request_date": "date",
    "client_request_id": "string",
    "request_time": "timestamp",
    "status_code": "int",
    "sampling_fraction": "double",
    "execution_duration_ms": "bigint",
    "request": "string",
    "response": "string",
    "served_entity_id": "string",
    "logging_error_codes": "array<string>",
    "requester": "string",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("inference")
    predict = "assert model_input['a'][0] >= 0, 'negative'\n        return model_input['a'].tolist()"
    with world(folder) as made:
        made.models.add(MODEL, 1, save_model(folder / "saved", predict))
        yield made


def table(prefix: str, *, enabled: bool = True, schema: str = "ml") -> AiGatewayInferenceTableConfig:
    return AiGatewayInferenceTableConfig(
        catalog_name="main", schema_name=schema, table_name_prefix=prefix, enabled=enabled
    )


def create(shop: World, name: str, prefix: str) -> None:
    shop.client.serving_endpoints.create(
        name,
        config=EndpointCoreConfigInput(name=name, served_entities=[entity(MODEL, 1, "e")]),
        ai_gateway=AiGatewayConfig(inference_table_config=table(prefix)),
    ).result()


def http(shop: World) -> httpx.Client:
    return httpx.Client(base_url=str(shop.client.config.host), headers={"Authorization": f"Bearer {shop.state.token}"})


def logged(shop: World, prefix: str) -> list[dict[str, Any]]:
    return list(shop.tables.delta(f"main.ml.{prefix}_payload").to_pyarrow_table().to_pylist())


def test_payload_table_has_the_documented_columns_before_any_request(shop: World) -> None:
    create(shop, "columns", "columns")
    made = shop.tables.get("main.ml.columns_payload")
    assert {column.name: column.type_text for column in made.columns} == DOCUMENTED


def test_row_holds_what_was_asked_and_answered(shop: World) -> None:
    create(shop, "told", "told")
    before = datetime.now(UTC)
    with http(shop) as client:
        body = json.dumps({**RECORD, "client_request_id": "mine"})
        answer = client.post("/serving-endpoints/told/invocations", content=body)
    eventually(lambda: len(logged(shop, "told")) == 1)
    (row,) = logged(shop, "told")
    live = shop.serving.deployments.live("told")
    assert live is not None
    assert before <= row.pop("request_time") <= datetime.now(UTC)
    assert row.pop("execution_duration_ms") >= 0
    assert row.pop("request_date") in (before.date(), datetime.now(UTC).date())
    assert row == {
        "databricks_request_id": answer.headers["databricks-request-id"],
        "client_request_id": "mine",
        "status_code": 200,
        "sampling_fraction": 1.0,
        "request": body,
        "response": '{"predictions": [1.0]}',
        "served_entity_id": live.entities["e"].uid,
        "logging_error_codes": [],
        "requester": "me@example.com",
    }


def test_every_answer_of_many_clients_is_one_row_errors_too(shop: World) -> None:
    create(shop, "many", "many")
    answered: list[tuple[str, int]] = []
    lock = threading.Lock()

    def ask(number: int) -> None:
        with http(shop) as client:
            for turn in range(25):
                value = -1.0 if (number + turn) % 5 == 0 else float(turn)
                body = {"dataframe_records": [{"a": value}]}
                answer = client.post("/serving-endpoints/many/invocations", json=body)
                with lock:
                    answered.append((answer.headers["databricks-request-id"], answer.status_code))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: len(logged(shop, "many")) >= 400)
    rows = [(row["databricks_request_id"], row["status_code"]) for row in logged(shop, "many")]
    assert Counter(rows) == Counter(answered)
    assert Counter(status for _, status in rows) == {200: 320, 400: 80}


def test_rows_arrive_after_the_delivery_lag_and_not_before(shop: World) -> None:
    create(shop, "late", "late")
    shop.set(inference_table_delivery_lag_seconds=3600)
    try:
        with http(shop) as client:
            client.post("/serving-endpoints/late/invocations", json=RECORD)
            # A table without lag has its rows delivered in the same rounds.
            assert shop.serving.outbox.deliver(older_than=time.time() - 3600) == 0
        assert logged(shop, "late") == []
    finally:
        shop.set(inference_table_delivery_lag_seconds=0)
    eventually(lambda: len(logged(shop, "late")) == 1)


def test_oversize_request_is_answered_and_not_logged(shop: World) -> None:
    create(shop, "large", "large")
    body = {"dataframe_records": [{"a": 1.0}], "client_request_id": "x" * (1024 * 1024)}
    with http(shop) as client:
        assert client.post("/serving-endpoints/large/invocations", json=body).status_code == 200
    eventually(lambda: len(logged(shop, "large")) == 1)
    (row,) = logged(shop, "large")
    assert (row["request"], row["response"]) == (None, None)
    assert row["logging_error_codes"] == ["MAX_REQUEST_SIZE_EXCEEDED"]


def test_location_changes_only_through_disabling(shop: World) -> None:
    create(shop, "moves", "first")
    put = shop.client.serving_endpoints.put_ai_gateway
    with pytest.raises(InvalidParameterValue, match="Disable it first"):
        put("moves", inference_table_config=table("second"))
    put("moves", inference_table_config=AiGatewayInferenceTableConfig(enabled=False))
    with http(shop) as client:
        client.post("/serving-endpoints/moves/invocations", json=RECORD)
        put("moves", inference_table_config=table("second"))
        client.post("/serving-endpoints/moves/invocations", json=RECORD)
    eventually(lambda: len(logged(shop, "second")) == 1)
    assert logged(shop, "first") == []


def test_location_that_cannot_be_is_refused(shop: World) -> None:
    create(shop, "nowhere", "nowhere")
    put = shop.client.serving_endpoints.put_ai_gateway
    put("nowhere")
    shop.tables.create("main.ml.taken_payload", [Column("k", "int")])
    with pytest.raises(InvalidParameterValue, match="no inference table"):
        put("nowhere", inference_table_config=table("taken"))
    with pytest.raises(NotFound):
        put("nowhere", inference_table_config=table("x", schema="missing"))
    with pytest.raises(InvalidParameterValue, match="catalog_name"):
        put("nowhere", inference_table_config=AiGatewayInferenceTableConfig(enabled=True))


def test_batch_that_a_kill_left_in_the_outbox_is_not_written_twice(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    catalog = UnityCatalog(state)
    catalog.containers.create_schema({"catalog_name": "main", "name": "ml"}, "me@example.com")
    path = tmp_path / "outbox.db"
    Settings(state).change({"inference_table_delivery_lag_seconds": 3600})
    kinds = {PAYLOAD: PayloadTables(catalog.tables).kind()}
    outbox = Outbox(path, catalog.tables, kinds, Settings(state), Clock(state))
    outbox.start()
    try:
        fill(path, ["one", "two"])
        copied = tmp_path / "killed.db"
        with sqlite3.connect(path) as live, sqlite3.connect(copied) as copy:
            live.backup(copy)
        assert outbox.deliver(time.time()) == 2
        # Killed between the Delta commit and the deletion: the outbox is what it was.
        with sqlite3.connect(path) as live:
            live.execute("DELETE FROM record")
            live.execute("ATTACH ? AS killed", (str(copied),))
            live.execute("INSERT INTO record SELECT * FROM killed.record")
        fill(path, ["three"])
        assert outbox.deliver(time.time()) == 3
    finally:
        outbox.stop()
        state.close()
    rows = catalog.tables.delta("main.ml.p_payload").to_pyarrow_table()
    assert sorted(rows["databricks_request_id"].to_pylist()) == ["one", "three", "two"]


def fill(path: Path, request_ids: list[str]) -> None:
    for request_id in request_ids:
        record = Exchange(
            "main.ml.p_payload", request_id, None, time.time(), 200, 1.0, b"{}", b"{}", "e", "me"
        ).record()
        row = (record.table, record.kind, time.time() - 1, json.dumps(record.body))
        with sqlite3.connect(path) as db:
            db.execute("INSERT INTO record (table_name, kind, logged_at, body) VALUES (?, ?, ?, ?)", row)
