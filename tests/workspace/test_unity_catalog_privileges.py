"""Who may do what in Unity Catalog, seen by callers other than the owner: refusals in the service's words."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound, PermissionDenied
from databricks.sdk.service.catalog import PermissionsChange, Privilege

from tests.support.principals import Person, machine, signed_in
from tests.support.warehouse import StatementFailedError, Warehouse


@pytest.fixture(scope="module")
def ada(client: WorkspaceClient) -> Iterator[Person]:
    with signed_in(client) as person:
        yield person


@pytest.fixture(scope="module")
def robot(client: WorkspaceClient) -> Iterator[Person]:
    with machine(client) as person:
        yield person


@pytest.fixture
def owned(client: WorkspaceClient) -> Iterator[Warehouse]:
    """A catalog of the owner's with a schema and a table `t (a INT)` of one row."""
    catalog = f"c_{uuid.uuid4().hex[:8]}"
    client.catalogs.create(catalog)
    warehouse = Warehouse.in_new_schema(client, catalog)
    warehouse.execute("CREATE TABLE t (a INT)")
    warehouse.execute("INSERT INTO t VALUES (1)")
    yield warehouse
    client.catalogs.delete(catalog, force=True)


@pytest.fixture(scope="module")
def read_only(client: WorkspaceClient, ada: Person) -> Iterator[Warehouse]:
    """As `owned`, for tests that are refused; `ada` reads `t`, and that is all."""
    catalog = f"c_{uuid.uuid4().hex[:8]}"
    client.catalogs.create(catalog)
    warehouse = Warehouse.in_new_schema(client, catalog)
    warehouse.execute("CREATE TABLE t (a INT)")
    warehouse.execute("INSERT INTO t VALUES (1)")
    let_in(warehouse, ada.name)
    grant(warehouse, "table", warehouse.full("t"), ada.name, Privilege.SELECT)
    yield warehouse
    client.catalogs.delete(catalog, force=True)


@pytest.fixture(scope="module")
def unread(client: WorkspaceClient, ada: Person) -> Iterator[Warehouse]:
    """A schema where `ada` may make tables and owns `mine (a INT)`, but may not read `t (a INT)`."""
    catalog = f"c_{uuid.uuid4().hex[:8]}"
    client.catalogs.create(catalog)
    warehouse = Warehouse.in_new_schema(client, catalog)
    warehouse.execute("CREATE TABLE t (a INT) TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')")
    let_in(warehouse, ada.name)
    grant(warehouse, "schema", f"{catalog}.{warehouse.schema}", ada.name, Privilege.CREATE_TABLE)
    theirs(ada, warehouse).execute("CREATE TABLE mine (a INT)")
    yield warehouse
    client.catalogs.delete(catalog, force=True)


def theirs(person: Person, owned: Warehouse) -> Warehouse:
    return Warehouse(person.client, owned.catalog, owned.schema)


def grant(owned: Warehouse, kind: str, name: str, principal: str, *privileges: Privilege) -> None:
    owned.client.grants.update(kind, name, changes=[PermissionsChange(principal=principal, add=list(privileges))])


def let_in(owned: Warehouse, principal: str) -> None:
    """USE CATALOG and USE SCHEMA: the way to what is in the schema."""
    grant(owned, "catalog", owned.catalog, principal, Privilege.USE_CATALOG)
    grant(owned, "schema", f"{owned.catalog}.{owned.schema}", principal, Privilege.USE_SCHEMA)


def test_each_missing_privilege_on_the_way_is_named_in_turn(owned: Warehouse, ada: Person) -> None:
    mine, schema = theirs(ada, owned), f"{owned.catalog}.{owned.schema}"

    def refused() -> str:
        with pytest.raises(StatementFailedError) as failed:
            mine.rows("SELECT a FROM t")
        assert str(failed.value).startswith("[INSUFFICIENT_PERMISSIONS] Insufficient privileges:")
        assert str(failed.value).endswith("SQLSTATE: 42501")
        return str(failed.value)

    assert f"User does not have USE CATALOG on Catalog '{owned.catalog}'." in refused()
    grant(owned, "catalog", owned.catalog, ada.name, Privilege.USE_CATALOG)
    assert f"User does not have USE SCHEMA on Schema '{schema}'." in refused()
    grant(owned, "schema", schema, ada.name, Privilege.USE_SCHEMA)
    assert f"User does not have SELECT on Table '{schema}.t'." in refused()
    grant(owned, "table", owned.full("t"), ada.name.upper(), Privilege.SELECT)
    assert mine.rows("SELECT a FROM t") == [["1"]]


@pytest.mark.parametrize("level", ["catalog", "schema"])
def test_a_grant_on_a_container_holds_for_what_is_in_it_and_comes_later(
    owned: Warehouse, robot: Person, level: str
) -> None:
    let_in(owned, robot.name)
    name = owned.catalog if level == "catalog" else f"{owned.catalog}.{owned.schema}"
    grant(owned, level, name, robot.name, Privilege.SELECT)
    owned.execute("CREATE TABLE later (b INT)")
    assert theirs(robot, owned).rows("SELECT count(*) FROM t, later") == [["0"]]


def test_a_grant_to_a_group_reaches_members_of_its_groups_until_they_leave(owned: Warehouse, ada: Person) -> None:
    client = owned.client
    inner = client.api_client.do(
        "POST", "/api/2.0/preview/scim/v2/Groups", body={"displayName": f"in-{ada.id}", "members": [{"value": ada.id}]}
    )
    assert isinstance(inner, dict)
    outer = {"displayName": f"out-{ada.id}", "members": [{"value": inner["id"]}]}
    client.api_client.do("POST", "/api/2.0/preview/scim/v2/Groups", body=outer)
    let_in(owned, f"out-{ada.id}")
    grant(owned, "table", owned.full("t"), f"in-{ada.id}", Privilege.SELECT)
    assert theirs(ada, owned).rows("SELECT a FROM t") == [["1"]]
    client.groups.delete(inner["id"])
    with pytest.raises(StatementFailedError, match="USE CATALOG"):
        theirs(ada, owned).rows("SELECT a FROM t")


def test_a_grant_to_all_account_users_reaches_everybody(owned: Warehouse, ada: Person, robot: Person) -> None:
    let_in(owned, "account users")
    grant(owned, "table", owned.full("t"), "account users", Privilege.SELECT)
    for person in (ada, robot):
        assert theirs(person, owned).rows("SELECT a FROM t") == [["1"]]


def test_groups_of_the_workspace_are_no_principals_of_the_catalog(owned: Warehouse) -> None:
    with pytest.raises(NotFound, match="Could not find principal with name users"):
        grant(owned, "catalog", owned.catalog, "users", Privilege.USE_CATALOG)


def test_all_privileges_is_everything_but_manage(owned: Warehouse, ada: Person) -> None:
    grant(owned, "catalog", owned.catalog, ada.name, Privilege.ALL_PRIVILEGES)
    mine = theirs(ada, owned)
    mine.execute("INSERT INTO t SELECT a + 1 FROM t")
    mine.execute("CREATE TABLE mine AS SELECT a FROM t")
    with pytest.raises(StatementFailedError, match=f"User does not have MANAGE on Table '{owned.full('t')}'"):
        mine.execute("DROP TABLE t")
    with pytest.raises(PermissionDenied, match="does not have MANAGE on Schema"):
        grant(mine, "schema", f"{owned.catalog}.{owned.schema}", ada.name, Privilege.MANAGE)


@pytest.mark.parametrize(
    ("statement", "missing"),
    [
        ("INSERT INTO t VALUES (2)", "MODIFY"),
        ("INSERT OVERWRITE t SELECT a FROM t", "MODIFY"),
        ("UPDATE t SET a = 2", "MODIFY"),
        ("DELETE FROM t", "MODIFY"),
        ("TRUNCATE TABLE t", "MODIFY"),
        ("MERGE INTO t USING t AS s ON t.a = s.a WHEN MATCHED THEN DELETE", "MODIFY"),
        ("ALTER TABLE t SET TBLPROPERTIES ('a' = 'b')", "MODIFY"),
        ("ALTER TABLE t UNSET TBLPROPERTIES IF EXISTS ('a')", "MODIFY"),
        ("ALTER TABLE t ADD COLUMN b INT", "MODIFY"),
        ("COMMENT ON TABLE t IS 'x'", "MODIFY"),
        ("DROP TABLE t", "MANAGE"),
        ("CREATE OR REPLACE TABLE t (z INT)", "MANAGE"),
        ("ALTER TABLE t ADD CONSTRAINT k PRIMARY KEY (a)", "MANAGE"),
        ("CREATE TABLE u (a INT)", "CREATE TABLE"),
        ("CREATE VIEW v AS SELECT a FROM t", "CREATE TABLE"),
        ("CREATE SCHEMA other", "CREATE SCHEMA"),
        ("DROP SCHEMA {schema} CASCADE", "MANAGE"),
        ("CREATE CATALOG nope", "CREATE CATALOG"),
        ("DROP CATALOG {catalog} CASCADE", "MANAGE"),
    ],
)
def test_a_reader_changes_nothing(read_only: Warehouse, ada: Person, statement: str, missing: str) -> None:
    with pytest.raises(StatementFailedError, match=f"User does not have {missing} on"):
        theirs(ada, read_only).execute(statement.format(schema=read_only.schema, catalog=read_only.catalog))
    assert read_only.rows("SELECT * FROM t") == [["1"]]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM (WITH s AS (SELECT a FROM t) SELECT * FROM s)",
        "SELECT (SELECT max(a) FROM t)",
        "INSERT INTO mine SELECT a FROM t",
        "CREATE TABLE copy AS SELECT a FROM t",
        "CREATE VIEW peek AS SELECT a FROM t",
        "MERGE INTO mine USING t ON mine.a = t.a WHEN NOT MATCHED THEN INSERT *",
        "SELECT * FROM table_changes('t', 0)",
        "DELETE FROM mine WHERE a IN (SELECT a FROM t)",
    ],
)
def test_no_statement_reads_what_its_caller_may_not(unread: Warehouse, ada: Person, statement: str) -> None:
    with pytest.raises(StatementFailedError, match=f"User does not have SELECT on Table '{unread.full('t')}'"):
        theirs(ada, unread).execute(statement)


def test_writing_rows_over_needs_to_read_them_too(owned: Warehouse, ada: Person) -> None:
    let_in(owned, ada.name)
    grant(owned, "table", owned.full("t"), ada.name, Privilege.MODIFY)
    theirs(ada, owned).execute("INSERT INTO t VALUES (2)")
    with pytest.raises(StatementFailedError, match="does not have SELECT"):
        theirs(ada, owned).execute("UPDATE t SET a = 3")


def test_a_view_shows_what_its_reader_may_not_read_directly(owned: Warehouse, ada: Person) -> None:
    owned.execute("CREATE VIEW v AS SELECT a * 10 AS ten FROM t")
    let_in(owned, ada.name)
    grant(owned, "table", owned.full("v"), ada.name, Privilege.SELECT)
    assert theirs(ada, owned).rows("SELECT ten FROM v") == [["10"]]


def test_what_somebody_makes_is_his_also_against_the_metastore_s_admin(owned: Warehouse, ada: Person) -> None:
    let_in(owned, ada.name)
    schema = f"{owned.catalog}.{owned.schema}"
    grant(owned, "schema", schema, ada.name, Privilege.CREATE_TABLE)
    mine = theirs(ada, owned)
    mine.execute("CREATE TABLE mine (a INT)")
    mine.execute("INSERT INTO mine VALUES (7)")
    table = ada.client.tables.get(f"{schema}.mine")
    assert (table.owner, table.created_by) == (ada.name, ada.name)
    with pytest.raises(StatementFailedError, match="does not have SELECT on Table"):
        owned.rows("SELECT a FROM mine")
    grant(owned, "table", f"{schema}.mine", owned.client.current_user.me().user_name or "", Privilege.SELECT)
    assert owned.rows("SELECT a FROM mine") == [["7"]]
    assert mine.value("current_user()") == ada.name


def test_lists_show_what_their_reader_may_see(owned: Warehouse, ada: Person) -> None:
    owned.execute("CREATE TABLE hidden (a INT)")
    assert owned.catalog not in {catalog.name for catalog in ada.client.catalogs.list()}
    with pytest.raises(PermissionDenied, match="USE CATALOG"):
        list(ada.client.schemas.list(owned.catalog))
    let_in(owned, ada.name)
    grant(owned, "table", owned.full("t"), ada.name, Privilege.SELECT)
    assert owned.catalog in {catalog.name for catalog in ada.client.catalogs.list()}
    assert [schema.name for schema in ada.client.schemas.list(owned.catalog)] == [owned.schema]
    assert [table.name for table in ada.client.tables.list(owned.catalog, owned.schema)] == ["t"]
    assert [table.full_name for table in ada.client.tables.list_summaries(owned.catalog)] == [owned.full("t")]
    mine = theirs(ada, owned)
    assert [row[1] for row in mine.rows("SHOW TABLES")] == ["t"]
    assert mine.rows("SHOW SCHEMAS") == [[owned.schema]]
    with pytest.raises(PermissionDenied, match=f"SELECT on Table '{owned.full('hidden')}'"):
        ada.client.tables.get(owned.full("hidden"))


@pytest.mark.parametrize("statement", ["DESCRIBE TABLE t", "SHOW TBLPROPERTIES t", "SHOW COLUMNS IN t"])
def test_what_a_table_looks_like_is_shown_to_its_readers(owned: Warehouse, ada: Person, statement: str) -> None:
    let_in(owned, ada.name)
    with pytest.raises(StatementFailedError, match="does not have SELECT on Table"):
        theirs(ada, owned).execute(statement)
    grant(owned, "catalog", owned.catalog, ada.name, Privilege.BROWSE)
    theirs(ada, owned).execute(statement)


def test_a_refusal_carries_the_details_that_the_service_sends(owned: Warehouse, ada: Person) -> None:
    with pytest.raises(PermissionDenied) as refused:
        ada.client.tables.get(owned.full("t"))
    details = refused.value.get_error_details()
    assert details.error_info is not None
    assert details.error_info.domain == "unity-catalog.databricks.com"
    assert details.error_info.metadata["resourceName"] == owned.catalog
    assert refused.value.error_code == "PERMISSION_DENIED"


def test_containers_are_changed_and_dropped_by_their_owner_only(owned: Warehouse, ada: Person) -> None:
    let_in(owned, ada.name)
    schema = f"{owned.catalog}.{owned.schema}"
    with pytest.raises(PermissionDenied, match="does not have CREATE CATALOG on Metastore"):
        ada.client.catalogs.create(f"x_{uuid.uuid4().hex[:6]}")
    for change in (
        lambda: ada.client.catalogs.update(owned.catalog, comment="x"),
        lambda: ada.client.schemas.update(schema, comment="x"),
        lambda: ada.client.schemas.delete(schema, force=True),
        lambda: ada.client.catalogs.delete(owned.catalog, force=True),
        lambda: ada.client.tables.delete(owned.full("t")),
    ):
        with pytest.raises(PermissionDenied, match="does not have MANAGE on"):
            change()
    owned.client.schemas.update(schema, owner=ada.name)
    ada.client.schemas.update(schema, comment="mine now")
    ada.client.tables.delete(owned.full("t"))
    ada.client.schemas.delete(schema)


def test_grants_are_shown_whole_to_managers_and_to_others_their_own(owned: Warehouse, ada: Person) -> None:
    let_in(owned, ada.name)
    table = owned.full("t")
    grant(owned, "table", table, ada.name, Privilege.SELECT)
    grant(owned, "table", table, "somebody-else", Privilege.MODIFY)
    assert {a.principal for a in ada.client.grants.list("table", table)} == {ada.name}
    assert {a.principal for a in owned.client.grants.list("table", table)} == {ada.name, "somebody-else"}
    effective = list(ada.client.grants.list_effective("table", table))
    assert {(p.privilege, p.inherited_from_name) for a in effective for p in a.privileges or []} == {
        (Privilege.SELECT, None),
        (Privilege.USE_SCHEMA, f"{owned.catalog}.{owned.schema}"),
        (Privilege.USE_CATALOG, owned.catalog),
    }
    with pytest.raises(PermissionDenied, match="does not have MANAGE on Table"):
        grant(theirs(ada, owned), "table", table, ada.name, Privilege.MODIFY)
    grant(owned, "table", table, ada.name, Privilege.MANAGE)
    grant(theirs(ada, owned), "table", table, ada.name, Privilege.MODIFY)


def test_nobody_sees_the_statements_of_others(owned: Warehouse, ada: Person) -> None:
    statement = str(owned.execute("SELECT a FROM t").statement_id)
    with pytest.raises(NotFound):
        ada.client.statement_execution.get_statement(statement)
    with pytest.raises(NotFound):
        ada.client.statement_execution.get_statement_result_chunk_n(statement, 0)


def test_what_is_missing_is_told_to_those_who_may_look(owned: Warehouse, ada: Person) -> None:
    with pytest.raises(StatementFailedError, match="USE CATALOG"):
        theirs(ada, owned).rows("SELECT * FROM gone")
    let_in(owned, ada.name)
    with pytest.raises(StatementFailedError, match="TABLE_OR_VIEW_NOT_FOUND"):
        theirs(ada, owned).rows("SELECT * FROM gone")
