"""Grants: authoritative changes, inheritance, and objects made anew."""

from __future__ import annotations

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import InvalidParameterValue, NotFound
from databricks.sdk.service.catalog import PermissionsChange, Privilege

from tests.support.principals import signed_in
from tests.support.rights import let_in
from tests.support.warehouse import StatementFailedError, Warehouse


def grant(client: WorkspaceClient, kind: str, name: str, principal: str, *privileges: Privilege) -> None:
    client.grants.update(kind, name, changes=[PermissionsChange(principal=principal, add=list(privileges))])


def granted(client: WorkspaceClient, kind: str, name: str) -> dict[str | None, list[Privilege]]:
    found = client.grants.get(kind, name).privilege_assignments or []
    return {assignment.principal: assignment.privileges or [] for assignment in found}


def test_privileges_are_added_and_removed_by_principal(client: WorkspaceClient, sql: Warehouse) -> None:
    schema = f"{sql.catalog}.{sql.schema}"
    grant(client, "schema", schema, "readers", Privilege.USE_SCHEMA, Privilege.SELECT)
    grant(client, "schema", schema, "writers", Privilege.MODIFY)
    client.grants.update(
        "SCHEMA",
        schema.upper(),
        changes=[
            PermissionsChange(principal="readers", add=[Privilege.EXECUTE], remove=[Privilege.SELECT]),
            PermissionsChange(principal="writers", remove=[Privilege.MODIFY]),
        ],
    )
    assert granted(client, "schema", schema) == {"readers": [Privilege.EXECUTE, Privilege.USE_SCHEMA]}


def test_effective_permissions_name_where_they_come_from(client: WorkspaceClient, sql: Warehouse) -> None:
    sql.execute("CREATE TABLE t (a INT)")
    schema = f"{sql.catalog}.{sql.schema}"
    grant(client, "schema", schema, "readers", Privilege.SELECT)
    grant(client, "table", sql.full("t"), "readers", Privilege.MODIFY)
    effective = client.grants.get_effective("table", sql.full("t"), principal="readers")
    (assignment,) = effective.privilege_assignments or []
    found = [(p.privilege, p.inherited_from_name) for p in assignment.privileges or []]
    assert found == [(Privilege.MODIFY, None), (Privilege.SELECT, schema)]


def test_one_change_that_is_refused_leaves_the_others_out(client: WorkspaceClient, sql: Warehouse) -> None:
    sql.execute("CREATE TABLE t (a INT)")
    with pytest.raises(InvalidParameterValue, match="Privilege USE_CATALOG is not applicable to this entity"):
        client.grants.update(
            "table",
            sql.full("t"),
            changes=[
                PermissionsChange(principal="a", add=[Privilege.SELECT]),
                PermissionsChange(principal="b", add=[Privilege.USE_CATALOG]),
            ],
        )
    assert granted(client, "table", sql.full("t")) == {}


def test_grants_on_what_is_missing_are_refused(client: WorkspaceClient, sql: Warehouse) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        client.grants.get("table", sql.full("nothing"))
    with pytest.raises(NotFound):
        grant(client, "function", sql.full("no_model"), "apps", Privilege.EXECUTE)


def test_models_are_granted_on_as_functions(client: WorkspaceClient, sql: Warehouse) -> None:
    client.registered_models.create(catalog_name=sql.catalog, schema_name=sql.schema, name="fare")
    grant(client, "function", sql.full("fare"), "apps", Privilege.EXECUTE)
    assert granted(client, "function", sql.full("fare")) == {"apps": [Privilege.EXECUTE]}
    with pytest.raises(InvalidParameterValue, match="FUNCTION"):
        client.grants.get("model", sql.full("fare"))


def test_a_table_made_anew_has_no_grants_of_the_one_before(client: WorkspaceClient, sql: Warehouse) -> None:
    sql.execute("CREATE TABLE t (a INT)")
    grant(client, "table", sql.full("t"), "readers", Privilege.SELECT)
    sql.execute("DROP TABLE t")
    sql.execute("CREATE TABLE t (a INT)")
    assert granted(client, "table", sql.full("t")) == {}
    grant(client, "table", sql.full("t"), "others", Privilege.SELECT)
    assert granted(client, "table", sql.full("t")) == {"others": [Privilege.SELECT]}


def test_sql_grants_shows_and_revokes(client: WorkspaceClient, sql: Warehouse) -> None:
    sql.execute("CREATE TABLE t (a INT)")
    schema = f"{sql.catalog}.{sql.schema}"
    sql.execute("GRANT SELECT, MODIFY ON TABLE t TO `data readers`")
    sql.execute(f"GRANT USE SCHEMA, CREATE TABLE ON SCHEMA {schema} TO `data readers`")
    sql.execute("GRANT ALL PRIVILEGES ON t TO others")
    sql.execute("REVOKE MODIFY ON TABLE t FROM `data readers`")
    assert granted(client, "table", sql.full("t")) == {
        "data readers": [Privilege.SELECT],
        "others": [Privilege.ALL_PRIVILEGES],
    }
    assert granted(client, "schema", schema) == {"data readers": [Privilege.CREATE_TABLE, Privilege.USE_SCHEMA]}
    assert sql.rows("SHOW GRANTS `data readers` ON TABLE t") == [["data readers", "SELECT", "TABLE", sql.full("t")]]
    assert len(sql.rows(f"SHOW GRANTS ON SCHEMA {schema}")) == 2
    with pytest.raises(StatementFailedError, match="Privilege USE_CATALOG is not applicable"):
        sql.execute("GRANT USE CATALOG ON TABLE t TO others")


def test_sql_grants_are_for_those_who_manage(client: WorkspaceClient, sql: Warehouse) -> None:
    sql.execute("CREATE TABLE t (a INT)")
    sql.execute("GRANT SELECT ON TABLE t TO others")
    with signed_in(client) as person:
        let_in(client, sql.full("t"), person)
        theirs = Warehouse(person.client, sql.catalog, sql.schema)
        with pytest.raises(StatementFailedError, match="does not have MANAGE on Table"):
            theirs.execute(f"GRANT SELECT ON TABLE t TO `{person.name}`")
        sql.execute(f"GRANT SELECT ON TABLE t TO `{person.name}`")
        assert [row[:2] for row in theirs.rows("SHOW GRANTS ON TABLE t")] == [[person.name, "SELECT"]]
