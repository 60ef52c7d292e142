"""Catalogs, schemas and tables as the official client sees them."""

from __future__ import annotations

import json
import uuid

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, InvalidParameterValue, InvalidState, NotFound
from databricks.sdk.service.catalog import ColumnTypeName, DataSourceFormat, TableType

from tests.support.warehouse import Warehouse


@pytest.fixture
def catalog(client: WorkspaceClient) -> str:
    name = f"c_{uuid.uuid4().hex[:8]}"
    client.catalogs.create(name, comment="first")
    return name


def names(items: object) -> list[str]:
    return [item.name for item in items]  # type: ignore[attr-defined]


def test_a_fresh_workspace_has_the_main_catalog(client: WorkspaceClient) -> None:
    assert "main" in names(client.catalogs.list())
    assert client.metastores.current().default_catalog_name == "main"


def test_a_catalog_comes_with_a_default_schema_that_may_be_deleted(client: WorkspaceClient, catalog: str) -> None:
    assert names(client.schemas.list(catalog)) == ["default"]
    client.schemas.delete(f"{catalog}.default")
    assert names(client.schemas.list(catalog)) == []


def test_a_catalog_reads_back_as_created_and_changed(client: WorkspaceClient, catalog: str) -> None:
    created = client.catalogs.get(catalog)
    assert (created.comment, created.owner) == ("first", client.current_user.me().user_name)
    client.catalogs.update(catalog, comment="second", owner="owners")
    changed = client.catalogs.get(catalog)
    assert (changed.comment, changed.owner) == ("second", "owners")
    assert (changed.updated_at or 0) >= (created.created_at or 0)


def test_a_catalog_with_a_schema_is_deleted_by_force_only(client: WorkspaceClient, catalog: str) -> None:
    client.schemas.create("inside", catalog)
    with pytest.raises(InvalidState, match="is not empty"):
        client.catalogs.delete(catalog)
    client.catalogs.delete(catalog, force=True)
    with pytest.raises(NotFound, match=f"Catalog '{catalog}' does not exist"):
        client.catalogs.get(catalog)


def test_names_are_not_told_apart_by_case(client: WorkspaceClient, catalog: str) -> None:
    client.schemas.create("Features", catalog.upper())
    assert client.schemas.get(f"{catalog}.FEATURES").full_name == f"{catalog}.features"
    with pytest.raises(BadRequest, match="already exists"):
        client.schemas.create("FEATURES", catalog)
    with pytest.raises(BadRequest, match="already exists"):
        client.catalogs.create(catalog.upper())


@pytest.mark.parametrize("name", ["a.b", "a b", "a/b", ""])
def test_a_name_that_cannot_be_one_is_refused(client: WorkspaceClient, name: str) -> None:
    with pytest.raises(BadRequest):
        client.schemas.create(name, "main")


def test_what_is_missing_is_named(client: WorkspaceClient, catalog: str) -> None:
    with pytest.raises(NotFound, match="Catalog 'nowhere' does not exist"):
        client.schemas.create("s", "nowhere")
    with pytest.raises(NotFound, match=rf"Schema '{catalog}\.nothing' does not exist"):
        client.schemas.get(f"{catalog}.nothing")
    with pytest.raises(NotFound, match=rf"Table '{catalog}\.default\.t' does not exist"):
        client.tables.get(f"{catalog}.default.t")


def test_a_setting_that_is_not_carried_out_is_refused_by_name(client: WorkspaceClient) -> None:
    with pytest.raises(InvalidParameterValue, match="does not carry out 'connection_name'"):
        client.catalogs.create("x", connection_name="pg")


def test_a_schema_with_a_table_is_deleted_by_force_only_and_the_table_with_it(
    client: WorkspaceClient, catalog: str
) -> None:
    warehouse = Warehouse(client, catalog, "default")
    warehouse.execute("CREATE TABLE t (a INT)")
    with pytest.raises(InvalidState, match=r"The schema has 1 tables\(s\), 0 functions\(s\), 0 volumes\(s\)"):
        client.schemas.delete(f"{catalog}.default")
    assert client.tables.exists(f"{catalog}.default.t").table_exists
    client.schemas.delete(f"{catalog}.default", force=True)
    with pytest.raises(NotFound):
        client.tables.get(f"{catalog}.default.t")


def test_a_table_reads_back_in_full(client: WorkspaceClient, sql: Warehouse) -> None:
    sql.execute(
        "CREATE TABLE Features (Id BIGINT COMMENT 'the key', ts TIMESTAMP, price DECIMAL(10, 2), tags ARRAY<STRING>,"
        " CONSTRAINT features_key PRIMARY KEY (Id, ts TIMESERIES))"
        " COMMENT 'of trips' TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true', 'team' = 'ml')"
    )
    table = client.tables.get(sql.full("features"))
    assert (table.name, table.full_name) == ("features", sql.full("features"))
    assert (table.table_type, table.data_source_format) == (TableType.MANAGED, DataSourceFormat.DELTA)
    assert (table.comment, table.properties) == ("of trips", {"delta.enableChangeDataFeed": "true", "team": "ml"})
    assert str(uuid.UUID(table.table_id or "")) == table.table_id
    assert table.owner == client.current_user.me().user_name
    columns = table.columns or []
    assert [(c.name, c.type_text, c.type_name, c.nullable, c.position) for c in columns] == [
        ("Id", "bigint", ColumnTypeName.LONG, False, 0),
        ("ts", "timestamp", ColumnTypeName.TIMESTAMP, False, 1),
        ("price", "decimal(10,2)", ColumnTypeName.DECIMAL, True, 2),
        ("tags", "array<string>", ColumnTypeName.ARRAY, True, 3),
    ]
    assert (columns[0].comment, columns[2].type_precision, columns[2].type_scale) == ("the key", 10, 2)
    assert json.loads(columns[0].type_json or "") == {
        "name": "Id",
        "type": "long",
        "nullable": False,
        "metadata": {"comment": "the key"},
    }
    (constraint,) = table.table_constraints or []
    key = constraint.primary_key_constraint
    assert key is not None
    assert (key.name, key.child_columns, key.timeseries_columns) == ("features_key", ["Id", "ts"], ["ts"])


def test_listing_tables_goes_page_by_page(client: WorkspaceClient, sql: Warehouse) -> None:
    for number in range(5):
        sql.execute(f"CREATE TABLE t{number} (a INT)")
    listed = client.tables.list(sql.catalog, sql.schema, max_results=2)
    assert [table.name for table in listed] == [f"t{number}" for number in range(5)]
    without = next(iter(client.tables.list(sql.catalog, sql.schema, omit_columns=True)))
    assert not without.columns
    summaries = client.tables.list_summaries(sql.catalog, schema_name_pattern=sql.schema, table_name_pattern="t_")
    assert [summary.full_name for summary in summaries] == [sql.full(f"t{number}") for number in range(5)]


def test_exists_and_delete(client: WorkspaceClient, sql: Warehouse) -> None:
    sql.execute("CREATE TABLE t (a INT)")
    assert client.tables.exists(sql.full("t")).table_exists
    client.tables.delete(sql.full("T"))
    assert not client.tables.exists(sql.full("t")).table_exists
    with pytest.raises(NotFound):
        client.tables.delete(sql.full("t"))


def test_a_table_made_anew_has_another_id(client: WorkspaceClient, sql: Warehouse) -> None:
    sql.execute("CREATE TABLE t (a INT)")
    first = client.tables.get(sql.full("t")).table_id
    sql.execute("CREATE OR REPLACE TABLE t (b INT)")
    assert client.tables.get(sql.full("t")).table_id == first
    sql.execute("DROP TABLE t")
    sql.execute("CREATE TABLE t (a INT)")
    assert client.tables.get(sql.full("t")).table_id != first


def test_the_metastore_is_one_and_the_same(client: WorkspaceClient) -> None:
    assignment, summary = client.metastores.current(), client.metastores.summary()
    assert assignment.metastore_id == summary.metastore_id == client.catalogs.get("main").metastore_id
    assert assignment.workspace_id == client.get_workspace_id()
