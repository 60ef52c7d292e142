"""Volumes, tags, constraints and functions of Unity Catalog, as the official client sees them."""

from __future__ import annotations

import io
import time
import uuid
from collections.abc import Iterator

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import (
    BadRequest,
    InvalidParameterValue,
    InvalidState,
    NotFound,
    PermissionDenied,
    ResourceAlreadyExists,
)
from databricks.sdk.service.catalog import (
    EntityTagAssignment,
    ForeignKeyConstraint,
    PrimaryKeyConstraint,
    Privilege,
    TableConstraint,
    TableOperation,
    VolumeType,
)

from tests.support.principals import Person, signed_in
from tests.support.rights import grant, let_in
from tests.support.warehouse import StatementFailedError, Warehouse


@pytest.fixture(scope="module")
def place(client: WorkspaceClient) -> Iterator[Warehouse]:
    warehouse = Warehouse.in_new_schema(client)
    yield warehouse
    client.schemas.delete(f"{warehouse.catalog}.{warehouse.schema}", force=True)


@pytest.fixture(scope="module")
def ada(client: WorkspaceClient, place: Warehouse) -> Iterator[Person]:
    """Somebody who may use the schema, and nothing in it."""
    with signed_in(client) as person:
        let_in(client, place.full("x"), person)
        yield person


def new_volume(place: Warehouse) -> str:
    name = f"v_{uuid.uuid4().hex[:8]}"
    made = place.client.volumes.create(place.catalog, place.schema, name, VolumeType.MANAGED, comment="c")
    assert made.full_name == place.full(name)
    return str(made.full_name)


def api_path(full_name: str) -> str:
    return f"/Volumes/{full_name.replace('.', '/')}"


# --- volumes ----------------------------------------------------------------------------------------------------------


def test_a_volume_reads_back_holds_files_and_takes_them_along(place: Warehouse) -> None:
    name, volumes, files = new_volume(place), place.client.volumes, place.client.files
    read = volumes.read(name.upper())
    assert (read.volume_type, read.comment, read.owner) == (
        VolumeType.MANAGED,
        "c",
        place.client.current_user.me().user_name,
    )
    assert list(files.list_directory_contents(api_path(name))) == []
    files.upload(f"{api_path(name)}/deep/a.txt", io.BytesIO(b"a"))
    renamed = str(volumes.update(name, new_name=f"{name.rpartition('.')[2]}_new", comment="d").full_name)
    assert (volumes.read(renamed).volume_id, volumes.read(renamed).comment) == (read.volume_id, "d")
    assert (files.download(f"{api_path(renamed)}/deep/a.txt").contents or io.BytesIO()).read() == b"a"
    with pytest.raises(NotFound, match=f"Volume '{name}' does not exist"):
        volumes.read(name)
    volumes.delete(renamed)
    with pytest.raises(NotFound):
        files.download(f"{api_path(renamed)}/deep/a.txt")


def test_grants_follow_a_volume_to_its_new_name(place: Warehouse, ada: Person) -> None:
    name = new_volume(place)
    place.client.files.upload(f"{api_path(name)}/a.txt", io.BytesIO(b"a"))
    grant(place.client, "volume", name, ada, Privilege.READ_VOLUME)
    renamed = str(place.client.volumes.update(name, new_name=f"{name.rpartition('.')[2]}_moved").full_name)
    assert (ada.client.files.download(f"{api_path(renamed)}/a.txt").contents or io.BytesIO()).read() == b"a"
    place.client.volumes.create(place.catalog, place.schema, name.rpartition(".")[2], VolumeType.MANAGED)
    with pytest.raises(PermissionDenied):
        ada.client.volumes.read(name)


def test_no_file_is_written_where_no_volume_is(place: Warehouse) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        place.client.files.upload(f"{api_path(place.full('none'))}/a.txt", io.BytesIO(b"a"))
    with pytest.raises(BadRequest):
        place.client.files.upload(f"/Volumes/{place.catalog}/a.txt", io.BytesIO(b"a"))
    name = new_volume(place)
    with pytest.raises(InvalidParameterValue, match="is a volume itself"):
        place.client.files.delete_directory(api_path(name))


def test_a_volume_is_refused_where_it_cannot_be(place: Warehouse, ada: Person) -> None:
    name = new_volume(place)
    volumes, short = place.client.volumes, name.rpartition(".")[2]
    with pytest.raises(BadRequest, match="already exists"):
        volumes.create(place.catalog, place.schema, short, VolumeType.MANAGED)
    with pytest.raises(NotFound, match=r"Schema 'main\.nowhere' does not exist"):
        volumes.create("main", "nowhere", "v", VolumeType.MANAGED)
    with pytest.raises(InvalidParameterValue, match="has no cloud storage"):
        volumes.create(place.catalog, place.schema, "e", VolumeType.EXTERNAL, storage_location="s3://b/p")
    with pytest.raises(PermissionDenied, match="does not have CREATE VOLUME on Schema"):
        ada.client.volumes.create(place.catalog, place.schema, "hers", VolumeType.MANAGED)
    with pytest.raises(PermissionDenied, match="does not have MANAGE on Volume"):
        ada.client.volumes.delete(name)
    assert name not in {volume.full_name for volume in ada.client.volumes.list(place.catalog, place.schema)}
    assert name in {volume.full_name for volume in volumes.list(place.catalog, place.schema)}


def test_a_schema_counts_its_volumes_and_functions(client: WorkspaceClient) -> None:
    warehouse = Warehouse.in_new_schema(client)
    full_name = f"{warehouse.catalog}.{warehouse.schema}"
    name = new_volume(warehouse)
    warehouse.execute("CREATE FUNCTION twice(a INT) RETURNS INT RETURN a * 2")
    with pytest.raises(InvalidState, match=r"0 tables\(s\), 1 functions\(s\), 1 volumes\(s\)"):
        client.schemas.delete(full_name)
    client.schemas.delete(full_name, force=True)
    with pytest.raises(NotFound):
        client.volumes.read(name)


# --- tags -------------------------------------------------------------------------------------------------------------


def tag(entity_type: str, name: str, key: str, value: str | None = None) -> EntityTagAssignment:
    return EntityTagAssignment(entity_type=entity_type, entity_name=name, tag_key=key, tag_value=value)


@pytest.mark.parametrize("entity_type", ["catalogs", "schemas", "tables", "columns", "volumes"])
def test_tags_are_set_changed_listed_and_removed(place: Warehouse, entity_type: str) -> None:
    place.execute("CREATE TABLE IF NOT EXISTS tagged (a INT)")
    name = {
        "catalogs": place.catalog,
        "schemas": f"{place.catalog}.{place.schema}",
        "tables": place.full("tagged"),
        "columns": place.full("tagged.a"),
    }.get(entity_type) or new_volume(place)
    tags = place.client.entity_tag_assignments
    key = f"pii_{place.schema}"
    made = tags.create(tag(entity_type, name, key, "no"))
    assert (made.tag_value, made.updated_by) == ("no", place.client.current_user.me().user_name)
    with pytest.raises(ResourceAlreadyExists, match=f"tag key {key} already exists"):
        tags.create(tag(entity_type, name, key, "no"))
    tags.update(entity_type, name, key, tag(entity_type, name, key, "yes"), update_mask="tag_value")
    assert tags.get(entity_type, name, key).tag_value == "yes"
    tags.create(tag(entity_type, name, f"{key}_2"))
    assert [one.tag_key for one in tags.list(entity_type, name, max_results=1)] == [key, f"{key}_2"]
    for one in (key, f"{key}_2"):
        tags.delete(entity_type, name, one)
    with pytest.raises(NotFound, match="does not exist"):
        tags.get(entity_type, name, key)


def test_tags_need_apply_tag_and_something_to_be_on(place: Warehouse, ada: Person) -> None:
    place.execute("CREATE TABLE IF NOT EXISTS guarded (a INT)")
    name = place.full("guarded")
    with pytest.raises(PermissionDenied, match=f"does not have APPLY TAG on Table '{name}'"):
        ada.client.entity_tag_assignments.create(tag("tables", name, "k"))
    grant(place.client, "table", name, ada, Privilege.APPLY_TAG)
    ada.client.entity_tag_assignments.create(tag("tables", name, "k"))
    tags = place.client.entity_tag_assignments
    for entity_type, entity in (("tables", place.full("none")), ("columns", f"{name}.none")):
        with pytest.raises(NotFound):
            tags.create(tag(entity_type, entity, "k"))
    with pytest.raises(InvalidParameterValue, match="entity_type 'planets'"):
        tags.create(tag("planets", name, "k"))
    for key in ("a.b", "a=b", " a", "x" * 256):
        with pytest.raises(InvalidParameterValue, match="tag_key"):
            tags.create(tag("tables", name, key))


def test_a_table_made_anew_has_no_tags_of_the_one_before(place: Warehouse) -> None:
    place.execute("CREATE TABLE again (a INT)")
    place.client.entity_tag_assignments.create(tag("tables", place.full("again"), "k"))
    place.execute("DROP TABLE again")
    place.execute("CREATE TABLE again (a INT)")
    assert list(place.client.entity_tag_assignments.list("tables", place.full("again"))) == []


# --- constraints ------------------------------------------------------------------------------------------------------


def test_keys_are_declared_shown_and_dropped(place: Warehouse) -> None:
    place.execute("CREATE TABLE parent (id INT NOT NULL, ts TIMESTAMP NOT NULL)")
    place.execute("CREATE TABLE child (parent_id INT, at TIMESTAMP)")
    constraints, tables = place.client.table_constraints, place.client.tables
    parent, child = place.full("parent"), place.full("child")
    reference = ForeignKeyConstraint(
        name="child_fk", child_columns=["parent_id", "at"], parent_table=parent, parent_columns=["id", "ts"]
    )
    with pytest.raises(InvalidParameterValue, match="primary key is not declared"):
        constraints.create(child, TableConstraint(foreign_key_constraint=reference))
    key = PrimaryKeyConstraint(name="parent_pk", child_columns=["id", "ts"], timeseries_columns=["ts"])
    constraints.create(parent, TableConstraint(primary_key_constraint=key))
    constraints.create(child, TableConstraint(foreign_key_constraint=reference))
    (shown,) = tables.get(parent).table_constraints or []
    assert shown.primary_key_constraint == key
    (shown,) = tables.get(child).table_constraints or []
    assert shown.foreign_key_constraint == reference
    with pytest.raises(InvalidParameterValue, match=f"foreign keys of {child} refer to it"):
        constraints.delete(parent, "parent_pk", cascade=False)
    constraints.delete(parent, "PARENT_PK", cascade=True)
    assert not tables.get(parent).table_constraints
    assert not tables.get(child).table_constraints
    with pytest.raises(NotFound, match="Constraint 'parent_pk' does not exist"):
        constraints.delete(parent, "parent_pk", cascade=False)


@pytest.mark.parametrize(
    ("columns", "parents", "refusal"),
    [
        (["nothing"], ["id"], "'nothing' is not a column"),
        (["name"], ["id"], "name is string, id of .* is int"),
        (["ref"], ["other"], r"whose primary key is \['id'\]"),
        (["ref", "name"], ["id"], "their numbers differ"),
    ],
)
def test_a_foreign_key_that_fits_no_primary_key_is_refused(
    place: Warehouse, columns: list[str], parents: list[str], refusal: str
) -> None:
    place.execute("CREATE TABLE IF NOT EXISTS origin (id INT NOT NULL, other INT, CONSTRAINT o PRIMARY KEY (id))")
    place.execute("CREATE TABLE IF NOT EXISTS referring (ref INT, name STRING)")
    reference = ForeignKeyConstraint(
        name="fk", child_columns=columns, parent_table=place.full("origin"), parent_columns=parents
    )
    with pytest.raises(InvalidParameterValue, match=refusal):
        place.client.table_constraints.create(
            place.full("referring"), TableConstraint(foreign_key_constraint=reference)
        )


# --- functions --------------------------------------------------------------------------------------------------------


def test_a_function_is_called_by_those_who_may_execute_it(place: Warehouse, ada: Person) -> None:
    place.execute("CREATE OR REPLACE FUNCTION doubled(a INT) RETURNS INT RETURN a * 2")
    hers = Warehouse(ada.client, place.catalog, place.schema)
    with pytest.raises(
        StatementFailedError, match=f"does not have EXECUTE on Routine or Model '{place.full('doubled')}'"
    ):
        hers.value("doubled(2)")
    with pytest.raises(PermissionDenied, match="EXECUTE on Routine or Model"):
        ada.client.functions.get(place.full("doubled"))
    assert list(ada.client.functions.list(place.catalog, place.schema)) == []
    with pytest.raises(StatementFailedError, match="does not have MANAGE on Routine or Model"):
        hers.execute("DROP FUNCTION doubled")
    grant(place.client, "function", place.full("doubled"), ada, Privilege.EXECUTE)
    assert hers.value("doubled(2)") == "4"
    assert [one.name for one in ada.client.functions.list(place.catalog, place.schema)] == ["doubled"]


# --- where rows lie ---------------------------------------------------------------------------------------------------


def test_credentials_for_a_table_are_for_those_who_may_read_or_write_it(place: Warehouse, ada: Person) -> None:
    place.execute("CREATE TABLE kept (a INT)")
    name = place.full("kept")
    table = place.client.tables.get(name)
    ask = ada.client.temporary_table_credentials.generate_temporary_table_credentials
    with pytest.raises(PermissionDenied, match=f"does not have SELECT on Table '{name}'"):
        ask(table_id=table.table_id, operation=TableOperation.READ)
    grant(place.client, "table", name, ada, Privilege.SELECT)
    given = ask(table_id=table.table_id, operation=TableOperation.READ)
    assert given.url == table.storage_location
    assert (given.expiration_time or 0) > time.time() * 1000
    with pytest.raises(PermissionDenied, match=f"does not have MODIFY on Table '{name}'"):
        ask(table_id=table.table_id, operation=TableOperation.READ_WRITE)
    grant(place.client, "table", name, ada, Privilege.MODIFY)
    assert ask(table_id=table.table_id, operation=TableOperation.READ_WRITE).url == table.storage_location
    with pytest.raises(NotFound, match="Table '0' does not exist"):
        ask(table_id="0", operation=TableOperation.READ)
    with pytest.raises(BadRequest, match="operation is one of READ, READ_WRITE"):
        ada.client.api_client.do(
            "POST",
            "/api/2.1/unity-catalog/temporary-table-credentials",
            body={"table_id": table.table_id, "operation": "DROP"},
        )
