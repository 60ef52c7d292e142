"""The statement that unpacks inference tables, as it is, on a warehouse."""

from __future__ import annotations

from components.names import ThreePartName
from components.unpack import UnpackedSchema, unpack_statement
from tests.support.warehouse import Warehouse

SCHEMA = UnpackedSchema(record_columns={"zip": "int", "miles": "double"}, prediction_type="double")


def test_every_record_becomes_a_row_once_also_where_an_answer_is_short(sql: Warehouse) -> None:
    sql.execute(
        "CREATE TABLE p_payload (databricks_request_id STRING, request_time TIMESTAMP, served_entity_id STRING, "
        "status_code INT, request STRING, response STRING)"
    )
    columns = ", ".join(f"{name} {kind}" for name, kind in SCHEMA.columns().items())
    sql.execute(f"CREATE TABLE p_unpacked ({columns})")
    sql.execute(
        """INSERT INTO p_payload VALUES
        ('r1', TIMESTAMP'2026-01-01 00:00:00', 'e', 200,
          '{"dataframe_records": [{"zip": 1, "miles": 2.5}, {"zip": 2}]}', '{"predictions": [7.5]}'),
        ('r2', TIMESTAMP'2026-01-01 00:00:01', 'e', 200,
          '{"dataframe_split": {"columns": ["miles", "zip"], "data": [[1.5, 3]]}}', '{"predictions": [8]}'),
        ('r3', TIMESTAMP'2026-01-01 00:00:02', 'e', 400, '{"dataframe_records": [{"zip": 4}]}', '{}')"""
    )
    payload, unpacked = (ThreePartName.parse(sql.full(name)) for name in ("p_payload", "p_unpacked"))
    statement = unpack_statement(payload.sql, unpacked.sql, SCHEMA)
    sql.execute(statement)
    sql.execute(statement)
    assert sql.rows("SELECT request_id, record_index, zip, miles, prediction FROM p_unpacked ORDER BY 1, 2") == [
        ["r1", "0", "1", "2.5", "7.5"],
        ["r1", "1", "2", None, None],
        ["r2", "0", "3", "1.5", "8.0"],
    ]
