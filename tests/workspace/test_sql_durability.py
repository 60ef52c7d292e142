"""What was acknowledged is there after a SIGKILL, at whatever moment it comes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from databricks.sdk.service.catalog import PermissionsChange, Privilege
from databricks.sdk.service.sql import CreateQueryRequestQuery

from tests.support.server import WorkspaceServer
from tests.support.warehouse import Warehouse

StartServer = Callable[[], WorkspaceServer]


def reopened(server: WorkspaceServer, before: Warehouse) -> Warehouse:
    server.restart()
    return Warehouse(server.client(), before.catalog, before.schema)


def test_everything_acknowledged_survives_a_kill(start_server: StartServer) -> None:
    server = start_server()
    sql = Warehouse.in_new_schema(server.client())
    sql.execute(
        "CREATE TABLE t (id INT, v DOUBLE, CONSTRAINT k PRIMARY KEY (id))"
        " TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"
    )
    sql.execute("INSERT INTO t VALUES (1, 1), (2, 2)")
    sql.execute("UPDATE t SET v = 10 WHERE id = 1")
    sql.execute("CREATE VIEW w AS SELECT max(v) AS m FROM t")
    grant = PermissionsChange(principal="readers", add=[Privilege.SELECT])
    sql.client.grants.update("table", sql.full("t"), changes=[grant])
    query = CreateQueryRequestQuery(display_name="q", query_text="SELECT 1")
    query_id = sql.client.queries.create(query=query).id or ""
    before = sql.client.tables.get(sql.full("t")), sql.changes("t", 1)

    after = reopened(server, sql)
    assert (after.client.tables.get(after.full("t")), after.changes("t", 1)) == before
    assert after.rows("SELECT * FROM t ORDER BY id") == [["1", "10.0"], ["2", "2.0"]]
    assert after.row("SELECT m FROM w") == ["10.0"]
    assert [a.principal for a in after.client.grants.get("table", after.full("t")).privilege_assignments or []] == [
        "readers"
    ]
    assert after.client.queries.get(query_id).query_text == "SELECT 1"


@pytest.mark.parametrize("round_", range(3))
def test_a_kill_among_writes_loses_none_that_was_acknowledged_and_halves_none(
    start_server: StartServer, round_: int
) -> None:
    """Each statement writes two rows: whatever is there after the kill is there in pairs."""
    server = start_server()
    sql = Warehouse.in_new_schema(server.client(retry_timeout_seconds=1))
    sql.execute("CREATE TABLE t (id INT, side STRING) TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')")
    acknowledged: list[int] = []
    enough = threading.Event()

    def write() -> None:
        for number in range(1000):
            merge = (
                f"MERGE INTO t USING (SELECT {number} AS id, side FROM VALUES ('a'), ('b') AS x(side)) AS s"
                " ON t.id = s.id WHEN NOT MATCHED THEN INSERT *"
            )
            try:
                sql.execute(merge if number % 2 else f"INSERT INTO t VALUES ({number}, 'a'), ({number}, 'b')")
            except Exception:  # noqa: BLE001 - whatever a client sees of a killed server
                return
            acknowledged.append(number)
            if len(acknowledged) == 5 + 3 * round_:
                enough.set()

    writer = threading.Thread(target=write)
    writer.start()
    assert enough.wait(timeout=60)
    server.kill()
    writer.join(timeout=60)

    server.start()
    after = Warehouse(server.client(), sql.catalog, sql.schema)
    sides = after.rows("SELECT id, count(*), count(DISTINCT side) FROM t GROUP BY id ORDER BY id")
    assert {row[1] for row in sides} == {row[2] for row in sides} == {"2"}
    found = {int(row[0] or -1) for row in sides}
    assert set(acknowledged) <= found
    # At most the statement that was on its way, and never one that was not sent.
    assert found <= set(range(len(acknowledged) + 1))
    assert len(after.changes("t", 1)) == 2 * len(found)
    after.execute("INSERT INTO t VALUES (5000, 'a')")


def test_what_a_kill_left_half_made_is_cleared_away_at_the_next_start(start_server: StartServer) -> None:
    server = start_server()
    sql = Warehouse.in_new_schema(server.client())
    sql.execute("CREATE TABLE t (a INT)")
    left = server.state / "tables" / "00000000-0000-4000-8000-000000000000" / "_delta_log"
    left.mkdir(parents=True)
    kept = [path.name for path in Path(server.state / "tables").iterdir() if path != left.parent]
    after = reopened(server, sql)
    assert [path.name for path in Path(server.state / "tables").iterdir()] == kept
    assert after.row("SELECT count(*) FROM t") == ["0"]
