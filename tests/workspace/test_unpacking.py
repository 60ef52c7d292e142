"""The statements that unpack inference tables, as they are, on a warehouse and on Spark itself."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

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
from tests.support.server import WorkspaceServer
from tests.support.spark import SparkSql, spark_over
from tests.support.warehouse import Warehouse

SCHEMA = UnpackedSchema(record_columns={"zip": "int", "miles": "double"}, prediction_type="double")
PAYLOAD = (
    "databricks_request_id STRING, request_time TIMESTAMP, served_entity_id STRING, status_code INT, request STRING, "
    "response STRING"
)
Engine = Warehouse | SparkSql


@pytest.fixture(scope="module")
def spark(server: WorkspaceServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSql]:
    """Apache's Spark with Delta, in a time zone that is not UTC."""
    with spark_over(server, tmp_path_factory.mktemp("spark")) as session:
        session.conf.set("spark.sql.sources.default", "delta")
        yield SparkSql(session)


@pytest.fixture(params=["warehouse", "spark"])
def engine(request: pytest.FixtureRequest) -> Engine:
    found: Engine = request.getfixturevalue("sql" if request.param == "warehouse" else "spark")
    return found


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def test_every_record_becomes_a_row_once_also_where_an_answer_is_short(engine: Engine) -> None:
    engine.execute(f"CREATE TABLE p_payload ({PAYLOAD})")
    columns = ", ".join(f"{name} {kind}" for name, kind in SCHEMA.columns().items())
    engine.execute(f"CREATE TABLE p_unpacked ({columns})")
    engine.execute(
        """INSERT INTO p_payload VALUES
        ('r1', TIMESTAMP'2026-01-01 00:00:00', 'e', 200,
          '{"dataframe_records": [{"zip": 1, "miles": 2.5}, {"zip": 2}]}', '{"predictions": [7.5]}'),
        ('r2', TIMESTAMP'2026-01-01 00:00:01', 'e', 200,
          '{"dataframe_split": {"columns": ["miles", "zip"], "data": [[1.5, 3]]}}', '{"predictions": [8]}'),
        ('r3', TIMESTAMP'2026-01-01 00:00:02', 'e', 400, '{"dataframe_records": [{"zip": 4}]}', '{}')"""
    )
    payload, unpacked = (ThreePartName.parse(engine.full(name)) for name in ("p_payload", "p_unpacked"))
    statement = unpack_statement(payload.sql, unpacked.sql, SCHEMA)
    engine.execute(statement)
    engine.execute(statement)
    assert engine.rows("SELECT request_id, record_index, zip, miles, prediction FROM p_unpacked ORDER BY 1, 2") == [
        ["r1", "0", "1", "2.5", "7.5"],
        ["r1", "1", "2", None, None],
        ["r2", "0", "3", "1.5", "8.0"],
    ]


def test_a_request_that_was_delivered_twice_is_unpacked_once_with_every_kind_of_value(engine: Engine) -> None:
    """In one run, and in two; texts with quotes, numbers that are none, NULL, and a column that came later."""
    schema = UnpackedSchema(
        record_columns={"name": "string", "miles": "double", "at": "timestamp", "later": "boolean"},
        prediction_type="string",
    )
    engine.execute(f"CREATE TABLE t_payload ({PAYLOAD})")
    columns = ", ".join(f"{name} {kind}" for name, kind in schema.columns().items())
    engine.execute(f"CREATE TABLE t_unpacked ({columns})")
    first = {"name": 'O\\"Neil; é', "miles": "far", "at": "2026-03-29T01:30:00Z"}
    split = {"columns": ["miles", "name", "at"], "data": [[None, "x", "2026-03-29 02:30:00+02:00"]]}
    bodies = {
        "r1": {"dataframe_records": [first, {}]},
        "r2": {"dataframe_split": split},
        "r3": {"instances": [[1]]},
    }
    answer = _literal(json.dumps({"predictions": ["Yes", "No"]}))

    def deliver(request: str, second: int) -> None:
        engine.execute(
            f"INSERT INTO t_payload SELECT '{request}', TIMESTAMP'2026-01-01 00:00:0{second}Z', 'e', 200, "
            f"{_literal(json.dumps(bodies[request]))}, {answer}"
        )

    for request, second in (("r1", 2), ("r1", 1), ("r3", 4)):
        deliver(request, second)
    payload, unpacked = (ThreePartName.parse(engine.full(name)) for name in ("t_payload", "t_unpacked"))
    statement = unpack_statement(payload.sql, unpacked.sql, schema)
    engine.execute(statement)
    for request, second in (("r1", 5), ("r2", 6)):
        deliver(request, second)
    engine.execute(statement)
    rows = engine.rows(
        "SELECT request_id, record_index, unix_seconds(inference_timestamp) % 60, name, miles, unix_seconds(at), "
        "later, prediction FROM t_unpacked ORDER BY 1, 2"
    )
    half_past_one, half_past_midnight = "1774747800", "1774744200"
    assert rows == [
        ["r1", "0", "1", first["name"], None, half_past_one, None, "Yes"],
        ["r1", "1", "1", None, None, None, None, "No"],
        ["r2", "0", "6", "x", None, half_past_midnight, None, "Yes"],
    ]


def test_a_request_whose_version_the_system_table_does_not_know_yet_waits_for_it(engine: Engine) -> None:
    schema = UnpackedSchema(record_columns={"zip": "int"}, prediction_type="double", model_id="model_version")
    engine.execute(f"CREATE TABLE v_payload ({PAYLOAD})")
    engine.execute(
        "CREATE TABLE v_entities (served_entity_id STRING, entity_version STRING, endpoint_config_version INT)"
    )
    columns = ", ".join(f"{name} {kind}" for name, kind in schema.columns().items())
    engine.execute(f"CREATE TABLE v_unpacked ({columns})")
    body = """'{"dataframe_records": [{"zip": 1}]}', '{"predictions": [7.5]}'"""
    rows = ", ".join(
        f"('r{number}', TIMESTAMP'2026-01-01 00:00:00', '{entity}', 200, {body})"
        for number, entity in enumerate(("old", "new", "external"))
    )
    engine.execute(f"INSERT INTO v_payload VALUES {rows}")
    # One entity has a row for every config of its endpoint; an external model has no version.
    engine.execute("INSERT INTO v_entities VALUES ('old', '3', 1), ('old', '3', 2), ('external', NULL, 2)")
    payload, unpacked = (ThreePartName.parse(engine.full(name)) for name in ("v_payload", "v_unpacked"))
    statement = unpack_statement(payload.sql, unpacked.sql, schema)
    assert SERVED_ENTITIES_TABLE in statement
    statement = statement.replace(SERVED_ENTITIES_TABLE, engine.full("v_entities"))

    def known() -> list[list[str | None]]:
        return engine.rows("SELECT request_id, model_version FROM v_unpacked ORDER BY 1")

    engine.execute(statement)
    assert known() == [["r0", "3"]]
    engine.execute("INSERT INTO v_entities VALUES ('new', '4', 3)")
    engine.execute(statement)
    engine.execute(statement)
    assert known() == [["r0", "3"], ["r1", "4"]]


def test_labels_arrive_late_are_corrected_and_ambiguous_ones_are_left_alone(engine: Engine) -> None:
    schema = UnpackedSchema(
        record_columns={"customer": "string", "day": "date"},
        prediction_type="string",
        label_column="churn",
        label_type="string",
    )
    columns = ", ".join(f"{name} {kind}" for name, kind in schema.columns().items())
    engine.execute(f"CREATE TABLE l_unpacked ({columns})")
    engine.execute("CREATE TABLE l_truth (id STRING, churned STRING)")
    engine.execute(
        "INSERT INTO l_unpacked (request_id, customer, prediction) VALUES "
        "('r1', 'a', 'No'), ('r2', 'b', 'No'), ('r3', 'c', 'No'), ('r4', 'd', 'No')"
    )
    labels = LabelSource(table=engine.full("l_truth"), column="churned", keys={"id": "customer"})
    statement = label_statement(ThreePartName.parse(engine.full("l_unpacked")).sql, schema, labels)

    def known() -> dict[str, str | None]:
        return {str(row[0]): row[1] for row in engine.rows("SELECT customer, churn FROM l_unpacked")}

    engine.execute("INSERT INTO l_truth VALUES ('a', 'Yes'), ('b', NULL), ('c', 'Yes'), ('c', 'No')")
    engine.execute(statement)
    assert known() == {"a": "Yes", "b": None, "c": None, "d": None}
    engine.execute("UPDATE l_truth SET churned = 'No' WHERE id IN ('a', 'b')")
    engine.execute("INSERT INTO l_truth VALUES ('d', 'Yes'), ('d', 'Yes')")
    engine.execute(statement)
    engine.execute(statement)
    assert known() == {"a": "No", "b": "No", "c": None, "d": "Yes"}


def test_features_that_requests_left_out_are_those_of_the_time_and_what_a_request_carried_stays(engine: Engine) -> None:
    schema = UnpackedSchema(
        record_columns={"customer": "string", "at": "timestamp", "contract": "string", "charges": "double"},
        prediction_type="string",
    )
    columns = ", ".join(f"{name} {kind}" for name, kind in schema.columns().items())
    engine.execute(f"CREATE TABLE f_unpacked ({columns})")
    engine.execute("CREATE TABLE f_features (id STRING, ts TIMESTAMP, contract STRING, charges DOUBLE)")
    engine.execute(
        "INSERT INTO f_features VALUES "
        "('a', TIMESTAMP'2026-01-01', 'old', 1.0), ('a', TIMESTAMP'2026-02-01', 'new', 2.0)"
    )
    engine.execute(
        "INSERT INTO f_unpacked (request_id, record_index, customer, at, contract) VALUES "
        "('r1', 0, 'a', TIMESTAMP'2026-01-15', NULL), ('r1', 1, 'a', TIMESTAMP'2026-02-01', NULL), "
        "('r2', 0, 'a', TIMESTAMP'2026-03-01', 'sent'), ('r3', 0, 'a', TIMESTAMP'2025-01-01', NULL), "
        "('r4', 0, 'nobody', TIMESTAMP'2026-03-01', NULL)"
    )
    features = FeatureSource(
        table=engine.full("f_features"), columns=["contract", "charges"], keys={"id": "customer"}, time=("ts", "at")
    )
    features.check_against(schema)
    statement = feature_statement(ThreePartName.parse(engine.full("f_unpacked")).sql, features)
    for _ in range(2):
        engine.execute(statement)
        rows = engine.rows("SELECT request_id, record_index, contract, charges FROM f_unpacked ORDER BY 1, 2")
        assert rows == [
            ["r1", "0", "old", "1.0"],
            ["r1", "1", "new", "2.0"],
            ["r2", "0", "sent", "2.0"],
            ["r3", "0", None, None],
            ["r4", "0", None, None],
        ]
