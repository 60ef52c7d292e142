"""The statement that unpacks inference tables, as it is, on a warehouse."""

from __future__ import annotations

from components.names import ThreePartName
from components.unpack import (
    SERVED_ENTITIES_TABLE,
    FeatureSource,
    LabelSource,
    UnpackedSchema,
    feature_statement,
    label_statement,
    unpack_statement,
)
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


def test_a_request_whose_version_the_system_table_does_not_know_yet_waits_for_it(sql: Warehouse) -> None:
    schema = UnpackedSchema(record_columns={"zip": "int"}, prediction_type="double", model_id="model_version")
    sql.execute(
        "CREATE TABLE v_payload (databricks_request_id STRING, request_time TIMESTAMP, served_entity_id STRING, "
        "status_code INT, request STRING, response STRING)"
    )
    sql.execute("CREATE TABLE v_entities (served_entity_id STRING, entity_version STRING, endpoint_config_version INT)")
    columns = ", ".join(f"{name} {kind}" for name, kind in schema.columns().items())
    sql.execute(f"CREATE TABLE v_unpacked ({columns})")
    body = """'{"dataframe_records": [{"zip": 1}]}', '{"predictions": [7.5]}'"""
    rows = ", ".join(
        f"('r{number}', TIMESTAMP'2026-01-01 00:00:00', '{entity}', 200, {body})"
        for number, entity in enumerate(("old", "new", "external"))
    )
    sql.execute(f"INSERT INTO v_payload VALUES {rows}")
    # One entity has a row for every config of its endpoint; an external model has no version.
    sql.execute("INSERT INTO v_entities VALUES ('old', '3', 1), ('old', '3', 2), ('external', NULL, 2)")
    payload, unpacked = (ThreePartName.parse(sql.full(name)) for name in ("v_payload", "v_unpacked"))
    statement = unpack_statement(payload.sql, unpacked.sql, schema)
    assert SERVED_ENTITIES_TABLE in statement
    statement = statement.replace(SERVED_ENTITIES_TABLE, sql.full("v_entities"))

    def known() -> list[list[str | None]]:
        return sql.rows("SELECT request_id, model_version FROM v_unpacked ORDER BY 1")

    sql.execute(statement)
    assert known() == [["r0", "3"]]
    sql.execute("INSERT INTO v_entities VALUES ('new', '4', 3)")
    sql.execute(statement)
    sql.execute(statement)
    assert known() == [["r0", "3"], ["r1", "4"]]


def test_labels_arrive_late_are_corrected_and_ambiguous_ones_are_left_alone(sql: Warehouse) -> None:
    schema = UnpackedSchema(
        record_columns={"customer": "string", "day": "date"},
        prediction_type="string",
        label_column="churn",
        label_type="string",
    )
    columns = ", ".join(f"{name} {kind}" for name, kind in schema.columns().items())
    sql.execute(f"CREATE TABLE l_unpacked ({columns})")
    sql.execute("CREATE TABLE l_truth (id STRING, churned STRING)")
    sql.execute(
        "INSERT INTO l_unpacked (request_id, customer, prediction) VALUES "
        "('r1', 'a', 'No'), ('r2', 'b', 'No'), ('r3', 'c', 'No'), ('r4', 'd', 'No')"
    )
    labels = LabelSource(table=sql.full("l_truth"), column="churned", keys={"id": "customer"})
    statement = label_statement(ThreePartName.parse(sql.full("l_unpacked")).sql, schema, labels)

    def known() -> dict[str, str | None]:
        return {str(row[0]): row[1] for row in sql.rows("SELECT customer, churn FROM l_unpacked")}

    sql.execute("INSERT INTO l_truth VALUES ('a', 'Yes'), ('b', NULL), ('c', 'Yes'), ('c', 'No')")
    sql.execute(statement)
    assert known() == {"a": "Yes", "b": None, "c": None, "d": None}
    sql.execute("UPDATE l_truth SET churned = 'No' WHERE id IN ('a', 'b')")
    sql.execute("INSERT INTO l_truth VALUES ('d', 'Yes'), ('d', 'Yes')")
    sql.execute(statement)
    sql.execute(statement)
    assert known() == {"a": "No", "b": "No", "c": None, "d": "Yes"}


def test_features_that_requests_left_out_are_those_of_the_time_and_what_a_request_carried_stays(sql: Warehouse) -> None:
    schema = UnpackedSchema(
        record_columns={"customer": "string", "at": "timestamp", "contract": "string", "charges": "double"},
        prediction_type="string",
    )
    columns = ", ".join(f"{name} {kind}" for name, kind in schema.columns().items())
    sql.execute(f"CREATE TABLE f_unpacked ({columns})")
    sql.execute("CREATE TABLE f_features (id STRING, ts TIMESTAMP, contract STRING, charges DOUBLE)")
    sql.execute(
        "INSERT INTO f_features VALUES "
        "('a', TIMESTAMP'2026-01-01', 'old', 1.0), ('a', TIMESTAMP'2026-02-01', 'new', 2.0)"
    )
    sql.execute(
        "INSERT INTO f_unpacked (request_id, record_index, customer, at, contract) VALUES "
        "('r1', 0, 'a', TIMESTAMP'2026-01-15', NULL), ('r1', 1, 'a', TIMESTAMP'2026-02-01', NULL), "
        "('r2', 0, 'a', TIMESTAMP'2026-03-01', 'sent'), ('r3', 0, 'a', TIMESTAMP'2025-01-01', NULL), "
        "('r4', 0, 'nobody', TIMESTAMP'2026-03-01', NULL)"
    )
    features = FeatureSource(
        table=sql.full("f_features"), columns=["contract", "charges"], keys={"id": "customer"}, time=("ts", "at")
    )
    features.check_against(schema)
    statement = feature_statement(ThreePartName.parse(sql.full("f_unpacked")).sql, features)
    for _ in range(2):
        sql.execute(statement)
        rows = sql.rows("SELECT request_id, record_index, contract, charges FROM f_unpacked ORDER BY 1, 2")
        assert rows == [
            ["r1", "0", "old", "1.0"],
            ["r1", "1", "new", "2.0"],
            ["r2", "0", "sent", "2.0"],
            ["r3", "0", None, None],
            ["r4", "0", None, None],
        ]
