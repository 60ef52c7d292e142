"""Models in both dialects, files and published tables: held to the privileges of Unity Catalog."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable, Iterator

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound, PermissionDenied
from databricks.sdk.service.catalog import Privilege, RegisteredModelInfo, VolumeType

from tests.support.models import create_version, new_model, ready_version, upload
from tests.support.principals import Person, machine, signed_in
from tests.support.rights import grant, let_in
from tests.support.warehouse import Warehouse


@pytest.fixture(scope="module")
def ada(client: WorkspaceClient) -> Iterator[Person]:
    with signed_in(client) as person:
        yield person


@pytest.fixture(scope="module")
def robot(client: WorkspaceClient) -> Iterator[Person]:
    with machine(client) as person:
        yield person


def test_a_model_is_made_read_and_changed_by_privilege_in_both_dialects(client: WorkspaceClient, ada: Person) -> None:
    full_name = new_model(client, f"guarded_{uuid.uuid4().hex[:6]}")
    ready_version(client, full_name)
    legacy = "/api/2.0/mlflow/unity-catalog"
    reads: list[Callable[[], object]] = [
        lambda: ada.client.registered_models.get(full_name),
        lambda: ada.client.model_versions.get(full_name, 1),
        lambda: list(ada.client.model_versions.list(full_name)),
        lambda: ada.client.api_client.do("GET", f"{legacy}/registered-models/get", query={"name": full_name}),
        lambda: ada.client.api_client.do(
            "POST", f"{legacy}/model-versions/generate-temporary-credentials", body={"name": full_name, "version": "1"}
        ),
        lambda: ada.client.files.download(f"/Models/{full_name.replace('.', '/')}/1/MLmodel"),
    ]
    for read in reads:
        with pytest.raises(PermissionDenied, match="USE CATALOG"):
            read()
    let_in(client, full_name, ada)
    for read in reads:
        with pytest.raises(PermissionDenied, match=f"does not have EXECUTE on Routine or Model '{full_name}'"):
            read()
    assert full_name not in {one.full_name for one in ada.client.registered_models.list()}
    grant(client, "function", full_name, ada, Privilege.EXECUTE)
    for read in reads:
        read()
    assert full_name in {one.full_name for one in ada.client.registered_models.list()}
    changes: list[Callable[[], object]] = [
        lambda: ada.client.registered_models.set_alias(full_name, "champion", 1),
        lambda: ada.client.registered_models.update(full_name, comment="x"),
        lambda: ada.client.model_versions.delete(full_name, 1),
        lambda: ada.client.registered_models.delete(full_name),
        lambda: ada.client.api_client.do(
            "POST", f"{legacy}/registered-models/alias", body={"name": full_name, "alias": "a", "version": "1"}
        ),
    ]
    for change in changes:
        with pytest.raises(PermissionDenied, match="does not have MANAGE on Routine or Model"):
            change()
    with pytest.raises(PermissionDenied, match="does not have APPLY TAG on Routine or Model"):
        ada.client.api_client.do(
            "POST", f"{legacy}/registered-models/set-tag", body={"name": full_name, "key": "k", "value": "v"}
        )
    client.registered_models.update(full_name, owner=ada.name)
    for change in changes[:2]:
        change()


def test_versions_are_added_by_those_who_may_and_their_files_with_them(client: WorkspaceClient, robot: Person) -> None:
    full_name = new_model(client, f"grown_{uuid.uuid4().hex[:6]}")
    let_in(client, full_name, robot)
    grant(client, "function", full_name, robot, Privilege.EXECUTE)
    with pytest.raises(PermissionDenied, match="does not have CREATE MODEL VERSION on Routine or Model"):
        create_version(robot.client, full_name)
    version = create_version(client, full_name)
    with pytest.raises(PermissionDenied, match="CREATE MODEL VERSION"):
        upload(robot.client, full_name, version, {"MLmodel": "x"})
    # The SDK's enumeration does not have it.
    change = {"principal": robot.name, "add": ["CREATE_MODEL_VERSION"]}
    client.api_client.do(
        "PATCH", f"/api/2.1/unity-catalog/permissions/function/{full_name}", body={"changes": [change]}
    )
    assert ready_version(robot.client, full_name) == 2


def test_a_model_needs_create_model_and_belongs_to_its_maker(client: WorkspaceClient, robot: Person) -> None:
    schema = f"s_{uuid.uuid4().hex[:6]}"
    client.schemas.create(schema, "main")
    let_in(client, f"main.{schema}.x", robot)

    def make() -> RegisteredModelInfo:
        return robot.client.registered_models.create(name="made", catalog_name="main", schema_name=schema)

    with pytest.raises(PermissionDenied, match=f"does not have CREATE MODEL on Schema 'main.{schema}'"):
        make()
    grant(client, "schema", f"main.{schema}", robot, Privilege.CREATE_MODEL)
    assert make().owner == robot.name
    client.registered_models.delete(f"main.{schema}.made")


def test_aliases_in_bodies_are_ignored(client: WorkspaceClient) -> None:
    aliases = {"aliases": [{"alias_name": "champion", "version_num": 1}]}
    new_model(client, f"first_{uuid.uuid4().hex[:6]}")
    body = {"catalog_name": "models", "schema_name": "ml", "name": f"aliases_{uuid.uuid4().hex[:6]}", **aliases}
    made = client.api_client.do("POST", "/api/2.1/unity-catalog/models", body=body)
    assert isinstance(made, dict)
    full_name = str(made["full_name"])
    ready_version(client, full_name)
    assert not client.registered_models.get(full_name, include_aliases=True).aliases
    client.api_client.do("PATCH", f"/api/2.1/unity-catalog/models/{full_name}", body={"comment": "c", **aliases})
    assert not client.registered_models.get(full_name, include_aliases=True).aliases


def test_files_of_a_volume_are_read_and_written_by_privilege(client: WorkspaceClient, ada: Person) -> None:
    schema = f"s_{uuid.uuid4().hex[:6]}"
    client.schemas.create(schema, "main")
    client.volumes.create("main", schema, "v", VolumeType.MANAGED)
    root, full_name = f"/Volumes/main/{schema}/v", f"main.{schema}.v"
    client.files.upload(f"{root}/a.txt", io.BytesIO(b"a"))
    let_in(client, full_name, ada)
    with pytest.raises(PermissionDenied, match=f"does not have READ VOLUME on Volume '{full_name}'"):
        ada.client.files.download(f"{root}/a.txt")
    with pytest.raises(PermissionDenied, match="READ VOLUME"):
        list(ada.client.files.list_directory_contents(root))
    with pytest.raises(PermissionDenied, match="READ VOLUME"):
        ada.client.api_client.do("POST", "/api/2.0/fs/create-download-url", body={"path": f"{root}/a.txt"})
    grant(client, "volume", full_name, ada, Privilege.READ_VOLUME)
    assert (ada.client.files.download(f"{root}/a.txt").contents or io.BytesIO()).read() == b"a"
    for change in (
        lambda: ada.client.files.upload(f"{root}/b.txt", io.BytesIO(b"b")),
        lambda: ada.client.files.delete(f"{root}/a.txt"),
        lambda: ada.client.files.create_directory(f"{root}/d"),
    ):
        with pytest.raises(PermissionDenied, match="does not have WRITE VOLUME on Volume"):
            change()
    grant(client, "schema", f"main.{schema}", ada, Privilege.WRITE_VOLUME)
    ada.client.files.upload(f"{root}/b.txt", io.BytesIO(b"b"))


def test_the_tree_of_files_is_listed_as_far_as_its_containers_are_seen(client: WorkspaceClient, ada: Person) -> None:
    new_model(client, f"listed_{uuid.uuid4().hex[:6]}")
    with pytest.raises(PermissionDenied, match="cannot list /Volumes as a whole"):
        list(ada.client.files.list_directory_contents("/Volumes"))
    with (
        signed_in(client) as stranger,
        pytest.raises(PermissionDenied, match="does not have USE CATALOG on Catalog 'models'"),
    ):
        list(stranger.client.files.list_directory_contents("/Models/models"))


def test_publishing_needs_the_source_and_a_place_for_the_copy(client: WorkspaceClient, ada: Person) -> None:
    owner = Warehouse.in_new_schema(client)
    owner.execute("CREATE TABLE src (id INT NOT NULL, CONSTRAINT pk PRIMARY KEY (id))")
    let_in(client, owner.full("src"), ada)
    body = {
        "publish_spec": {
            "online_store": "none",
            "online_table_name": owner.full("copy"),
            "publish_mode": "SNAPSHOT",
        }
    }

    def publish() -> object:
        path = f"/api/2.0/feature-store/tables/{owner.full('src')}/publish"
        return ada.client.api_client.do("POST", path, body=body)

    with pytest.raises(PermissionDenied, match="does not have SELECT on Table"):
        publish()
    grant(client, "table", owner.full("src"), ada, Privilege.SELECT)
    with pytest.raises(PermissionDenied, match="does not have CREATE TABLE on Schema"):
        publish()
    grant(client, "schema", f"main.{owner.schema}", ada, Privilege.CREATE_TABLE)
    with pytest.raises(NotFound, match="Online store 'none' does not exist"):
        publish()
