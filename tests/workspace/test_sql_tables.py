"""CREATE, ALTER and DROP: what they make of the Delta table and of what Unity Catalog says of it."""

from __future__ import annotations

import json
from urllib.parse import unquote, urlparse

import pytest
from databricks.sdk.errors import NotFound
from deltalake import DeltaTable

from tests.support.warehouse import StatementFailedError, Warehouse


def delta(sql: Warehouse, table: str) -> DeltaTable:
    location = sql.client.tables.get(sql.full(table)).storage_location
    return DeltaTable(unquote(urlparse(location or "").path))


def key(sql: Warehouse, table: str) -> list[str]:
    constraints = sql.client.tables.get(sql.full(table)).table_constraints or []
    found = [constraint.primary_key_constraint for constraint in constraints]
    return [column for constraint in found if constraint for column in constraint.child_columns or []]


def test_the_change_data_feed_is_on_in_the_delta_table_itself(sql: Warehouse) -> None:
    sql.execute("CREATE TABLE t (a INT) TBLPROPERTIES (delta.enableChangeDataFeed = true)")
    assert delta(sql, "t").metadata().configuration == {"delta.enableChangeDataFeed": "true"}
    sql.execute("ALTER TABLE t SET TBLPROPERTIES ('delta.enableChangeDataFeed' = 'false', 'x' = 'y')")
    assert delta(sql, "t").metadata().configuration == {"delta.enableChangeDataFeed": "false", "x": "y"}
    sql.execute("ALTER TABLE t UNSET TBLPROPERTIES ('delta.enableChangeDataFeed')")
    assert sql.rows("SHOW TBLPROPERTIES t") == [["x", "y"]]


def test_columns_types_and_not_null_are_in_the_delta_schema(sql: Warehouse) -> None:
    sql.execute("CREATE TABLE t (id BIGINT NOT NULL COMMENT 'k', s STRUCT<a: INT, b: ARRAY<STRING>>, n TIMESTAMP_NTZ)")
    fields = json.loads(delta(sql, "t").schema().to_json())["fields"]
    assert [(f["name"], f["nullable"], f["metadata"]) for f in fields] == [
        ("id", False, {"comment": "k"}),
        ("s", True, {}),
        ("n", True, {}),
    ]
    assert fields[2]["type"] == "timestamp_ntz"
    described = sql.rows("DESCRIBE TABLE t")
    assert [row[1] for row in described] == ["bigint", "struct<a:int,b:array<string>>", "timestamp_ntz"]


def test_the_statement_of_the_provider_is_carried_out(sql: Warehouse) -> None:
    """What the Databricks provider sends for a SqlTable, word for word."""
    name = f"`{sql.catalog}`.`{sql.schema}`.`inf`"
    sql.execute(
        f"CREATE OR REPLACE TABLE {name} (`id` bigint NOT NULL COMMENT 'key', `v` double, `w` string)\nUSING DELTA\n"
        "COMMENT 'c2'\nTBLPROPERTIES ('delta.enableChangeDataFeed'='true');"
    )
    sql.execute(f"COMMENT ON TABLE {name} IS 'c3'")
    sql.execute(f"ALTER TABLE {name} SET TBLPROPERTIES ('delta.enableChangeDataFeed'='false', 'x'='y')")
    sql.execute(f"ALTER TABLE {name} ADD COLUMN `z` string AFTER v")
    table = sql.client.tables.get(sql.full("inf"))
    assert table.comment == "c3"
    assert table.properties == {"delta.enableChangeDataFeed": "false", "x": "y"}
    assert [column.name for column in table.columns or []] == ["id", "v", "z", "w"]
    sql.execute(f"DROP TABLE {name}")
    with pytest.raises(NotFound):
        sql.client.tables.get(sql.full("inf"))


def test_columns_of_a_primary_key_are_not_null(sql: Warehouse) -> None:
    sql.execute("CREATE TABLE t (id INT, at TIMESTAMP, v INT, CONSTRAINT k PRIMARY KEY (id, at TIMESERIES))")
    assert key(sql, "t") == ["id", "at"]
    with pytest.raises(StatementFailedError, match="NOT NULL constraint violated for column: id"):
        sql.execute("INSERT INTO t (at) VALUES (current_timestamp())")


def test_a_primary_key_is_added_to_not_null_columns_only(sql: Warehouse) -> None:
    sql.execute("CREATE TABLE t (id INT, v INT)")
    sql.execute("INSERT INTO t VALUES (1, NULL)")
    with pytest.raises(StatementFailedError, match=r"child column.*`id` is nullable"):
        sql.execute("ALTER TABLE t ADD CONSTRAINT k PRIMARY KEY (id)")
    sql.execute("ALTER TABLE t ALTER COLUMN id SET NOT NULL")
    sql.execute("ALTER TABLE t ADD CONSTRAINT k PRIMARY KEY (id)")
    assert key(sql, "t") == ["id"]
    with pytest.raises(StatementFailedError, match="already has a primary key"):
        sql.execute("ALTER TABLE t ADD CONSTRAINT k2 PRIMARY KEY (id)")
    with pytest.raises(StatementFailedError, match=r"1 rows of .* have NULL in v"):
        sql.execute("ALTER TABLE t ALTER COLUMN v SET NOT NULL")
    sql.execute("ALTER TABLE t DROP CONSTRAINT k")
    assert key(sql, "t") == []


def test_rows_survive_a_change_of_columns(sql: Warehouse) -> None:
    sql.execute("CREATE TABLE t (a INT)")
    sql.execute("INSERT INTO t VALUES (1)")
    sql.execute("ALTER TABLE t ADD COLUMNS (b STRING COMMENT 'new', z INT FIRST)")
    sql.execute("INSERT INTO t VALUES (9, 2, 'x')")
    assert sql.rows("SELECT z, a, b FROM t ORDER BY a") == [[None, "1", None], ["9", "2", "x"]]
    with pytest.raises(StatementFailedError, match="already exists"):
        sql.execute("ALTER TABLE t ADD COLUMN B INT")


def test_create_if_not_exists_keeps_and_or_replace_replaces(sql: Warehouse) -> None:
    sql.execute("CREATE TABLE t (a INT) TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')")
    sql.execute("INSERT INTO t VALUES (1)")
    sql.execute("CREATE TABLE IF NOT EXISTS t (b STRING)")
    assert sql.rows("SELECT a FROM t") == [["1"]]
    with pytest.raises(StatementFailedError, match="TABLE_OR_VIEW_ALREADY_EXISTS"):
        sql.execute("CREATE TABLE t (b STRING)")
    version = delta(sql, "t").version()
    sql.execute("CREATE OR REPLACE TABLE t AS SELECT 'x' AS b, 2L AS n")
    assert sql.rows("SELECT * FROM t") == [["x", "2"]]
    assert delta(sql, "t").version() == version + 1, "a replaced table keeps its history, and is replaced in one commit"
    assert sql.client.tables.get(sql.full("t")).properties == {}


def test_create_as_select_takes_the_types_of_the_query(sql: Warehouse) -> None:
    sql.execute("CREATE TABLE t AS SELECT 1 AS i, 2.5D AS d, sum(3) AS s, current_timestamp() AS ts, array('a') AS l")
    columns = sql.client.tables.get(sql.full("t")).columns or []
    assert [(c.name, c.type_text) for c in columns] == [
        ("i", "int"),
        ("d", "double"),
        ("s", "bigint"),
        ("ts", "timestamp"),
        ("l", "array<string>"),
    ]
    with pytest.raises(StatementFailedError, match="no type to store"):
        sql.execute("CREATE TABLE u AS SELECT NULL AS n")


def test_schemas_and_catalogs_are_made_and_dropped_in_sql(sql: Warehouse) -> None:
    catalog = f"{sql.schema}_c"
    sql.execute(f"CREATE CATALOG IF NOT EXISTS {catalog} COMMENT 'mine'")
    sql.execute(f"CREATE CATALOG IF NOT EXISTS {catalog}")
    sql.execute(f"CREATE SCHEMA {catalog}.a COMMENT 'first'")
    assert sql.client.schemas.get(f"{catalog}.a").comment == "first"
    assert sql.rows(f"SHOW SCHEMAS IN {catalog}") == [["a"], ["default"]]
    with pytest.raises(StatementFailedError, match="already exists"):
        sql.execute(f"CREATE SCHEMA {catalog}.a")
    sql.execute(f"CREATE TABLE {catalog}.a.t (x INT)")
    assert sql.rows(f"SHOW TABLES IN {catalog}.a") == [["a", "t", "false"]]
    with pytest.raises(StatementFailedError, match="is not empty"):
        sql.execute(f"DROP SCHEMA {catalog}.a")
    sql.execute(f"DROP SCHEMA {catalog}.a CASCADE")
    sql.execute(f"DROP SCHEMA IF EXISTS {catalog}.a")
    sql.execute(f"DROP CATALOG {catalog} CASCADE")
    with pytest.raises(NotFound):
        sql.client.catalogs.get(catalog)


def test_drop_says_what_is_missing_unless_told_not_to(sql: Warehouse) -> None:
    sql.execute("DROP TABLE IF EXISTS nothing")
    with pytest.raises(StatementFailedError, match="TABLE_OR_VIEW_NOT_FOUND"):
        sql.execute("DROP TABLE nothing")


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("CREATE TABLE t (a INT) PARTITIONED BY (a)", "ALL_PARTITION_COLUMNS_NOT_ALLOWED"),
        ("CREATE TABLE t (a INT) CLUSTER BY (a)", "CLUSTER BY"),
        ("CREATE TABLE t (a INT) LOCATION 's3://x'", "LOCATION"),
        ("CREATE TABLE t (a INT) USING PARQUET", "USING PARQUET"),
        ("CREATE TABLE t (a VARCHAR(3))", "(?i)varchar"),
        ("CREATE TABLE t (a INT DEFAULT 1)", "DEFAULT 1"),
        ("CREATE TABLE t (a BIGINT GENERATED ALWAYS AS IDENTITY)", "GENERATED ALWAYS AS IDENTITY"),
        ("CREATE TABLE t (a INT, CONSTRAINT f FOREIGN KEY (a) REFERENCES u (a))", "FOREIGN KEY"),
        ("CREATE TABLE t (a INT) TBLPROPERTIES ('delta.columnMapping.mode' = 'name')", "DELTA_UNKNOWN_CONFIGURATION"),
        ("CREATE TABLE t (a INT) TBLPROPERTIES ('delta.enableChangeDataFeed' = 'yes')", "'true' or 'false'"),
        ("CREATE TABLE t (a INT, A INT)", "COLUMN_ALREADY_EXISTS"),
        ("CREATE TABLE t (a INT, PRIMARY KEY (b))", "UNRESOLVED_COLUMN"),
        ("CREATE TABLE t CLONE u", "CLONE|clone"),
        ("CREATE TABLE nowhere.s.t (a INT)", "CATALOG_NOT_FOUND"),
        ("CREATE TABLE no_schema.t (a INT)", "SCHEMA_NOT_FOUND"),
        ("CREATE TEMPORARY VIEW main.default.v AS SELECT 1", "TEMP_VIEW_NAME_TOO_MANY_NAME_PARTS"),
        ("ALTER TABLE there DROP COLUMN a", "DELTA_UNSUPPORTED_DROP_COLUMN"),
        ("ALTER TABLE there RENAME TO u", "RENAME"),
        ("ALTER TABLE there ADD CONSTRAINT c CHECK (a > 1)", "CHECK"),
        ("ALTER TABLE there ADD COLUMN b INT NOT NULL", "NOT NULL"),
        ("ALTER TABLE there UNSET TBLPROPERTIES ('no')", "UNSET_NONEXISTENT_PROPERTIES"),
        ("ALTER TABLE there DROP CONSTRAINT c", "nonexistent constraint c"),
        ("ALTER TABLE there ALTER COLUMN z SET NOT NULL", "UNRESOLVED_COLUMN"),
    ],
)
def test_what_is_not_carried_out_fails_by_name_and_makes_nothing(sql: Warehouse, statement: str, reason: str) -> None:
    sql.execute("CREATE TABLE there (a INT)")
    before = sql.rows("SHOW TABLES"), sql.rows("DESCRIBE there")
    with pytest.raises(StatementFailedError, match=reason):
        sql.execute(statement)
    assert (sql.rows("SHOW TABLES"), sql.rows("DESCRIBE there")) == before


def test_a_foreign_key_is_kept_shown_and_dropped(sql: Warehouse) -> None:
    sql.execute("CREATE TABLE zones (zip INT NOT NULL, CONSTRAINT zones_pk PRIMARY KEY (zip))")
    sql.execute("CREATE TABLE trips (id INT, zip INT)")
    sql.execute("ALTER TABLE trips ADD CONSTRAINT of_zone FOREIGN KEY (zip) REFERENCES zones (zip) NOT ENFORCED")
    (constraint,) = sql.client.tables.get(sql.full("trips")).table_constraints or []
    assert constraint.foreign_key_constraint is not None
    assert constraint.foreign_key_constraint.parent_table == sql.full("zones")
    kinds = "SELECT constraint_name, constraint_type FROM information_schema.table_constraints"
    assert sql.rows(f"{kinds} WHERE table_schema = '{sql.schema}' AND table_name = 'trips'") == [
        ["of_zone", "FOREIGN KEY"]
    ]
    with pytest.raises(StatementFailedError, match="primary key"):
        sql.execute("ALTER TABLE zones ADD CONSTRAINT back FOREIGN KEY (zip) REFERENCES trips (zip)")
    sql.execute("ALTER TABLE trips DROP CONSTRAINT of_zone")
    assert not sql.client.tables.get(sql.full("trips")).table_constraints


def test_a_partitioned_table_keeps_its_files_apart_whatever_is_done_to_its_rows(sql: Warehouse) -> None:
    sql.execute(
        "CREATE TABLE parted (a INT, day DATE, note STRING) PARTITIONED BY (day, note) "
        "TBLPROPERTIES (delta.enableChangeDataFeed = true)"
    )
    sql.execute(
        "INSERT INTO parted VALUES (1, DATE'2026-11-26', 'x'), (2, DATE'2026-11-27', 'x'), (3, NULL, NULL), "
        "(4, DATE'2026-11-27', '')"
    )
    sql.execute("UPDATE parted SET day = DATE'2026-11-28' WHERE a = 2")
    sql.execute("DELETE FROM parted WHERE a = 1")
    # An empty text is no text, once it is part of a file's place.
    wanted = [["2", "2026-11-28", "x"], ["3", None, None], ["4", "2026-11-27", None]]
    assert sql.rows("SELECT a, day, note FROM parted ORDER BY a") == wanted
    opened = delta(sql, "parted")
    assert opened.metadata().partition_columns == ["day", "note"]
    files = opened.get_add_actions(flatten=True)
    assert sorted(map(str, files.column("partition.day").to_pylist())) == ["2026-11-27", "2026-11-28", "None"]
    assert opened.to_pyarrow_table().sort_by("a").column("a").to_pylist() == [2, 3, 4]
    changes = sql.rows("SELECT a, day, _change_type FROM table_changes('parted', 2) ORDER BY a, _change_type")
    assert changes == [
        ["1", "2026-11-26", "delete"],
        ["2", "2026-11-28", "update_postimage"],
        ["2", "2026-11-27", "update_preimage"],
    ]
    assert '["day","note"]' in sql.rows("DESCRIBE DETAIL parted")[0]
    columns = {one.name: one.partition_index for one in sql.client.tables.get(sql.full("parted")).columns or []}
    assert columns == {"a": None, "day": 0, "note": 1}


def test_a_table_cannot_be_partitioned_by_what_it_lacks_or_by_everything(sql: Warehouse) -> None:
    for statement, message in (
        ("CREATE TABLE p (a INT, b INT) PARTITIONED BY (c)", "partition column `c` is not defined"),
        ("CREATE TABLE p (a INT) PARTITIONED BY (a)", "Cannot use all columns for partition columns"),
        ("CREATE TABLE p (a INT, t TIMESTAMP) PARTITIONED BY (t)", "column `t` is a timestamp"),
    ):
        with pytest.raises(StatementFailedError, match=message):
            sql.execute(statement)
