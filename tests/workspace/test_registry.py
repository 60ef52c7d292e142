"""The model registry, through databricks-sdk and mlflow's default protocol."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, InvalidParameterValue, InvalidState, NotFound, ResourceAlreadyExists

from tests.support.models import LEGACY, MLMODEL, create_version, finalize, new_model, ready_version, upload
from tests.support.server import WorkspaceServer

UC = "/api/2.1/unity-catalog"
RESERVED = ["latest", "LATEST", "v1", "V22", "", "with space", "dot.ted", "sl/ash", "a" * 256]


def call(client: WorkspaceClient, method: str, path: str, **body: Any) -> Any:
    if method == "GET":
        return client.api_client.do(method, path, query=body)
    return client.api_client.do(method, path, body=body)


def test_a_model_needs_its_schema(client: WorkspaceClient) -> None:
    new_model(client, "beside_the_schema")
    with pytest.raises(NotFound, match=r"models\.absent"):
        client.registered_models.create(name="m", catalog_name="models", schema_name="absent")
    with pytest.raises(NotFound, match=r"models\.absent"):
        call(client, "POST", f"{LEGACY}/registered-models/create", name="models.absent.m")


def test_a_model_is_the_same_in_every_dialect(client: WorkspaceClient) -> None:
    name = new_model(client, "Same_Model")
    assert name == "models.ml.same_model"
    client.registered_models.update(name, comment="what it is for", owner="someone@example.com")
    legacy = call(client, "GET", f"{LEGACY}/registered-models/get", name=name.upper())["registered_model"]
    assert (legacy["name"], legacy["description"]) == (name, "what it is for")
    call(client, "PATCH", f"{LEGACY}/registered-models/update", name=name, description="another use")
    native = client.registered_models.get(name)
    assert (native.comment, native.owner) == ("another use", "someone@example.com")
    assert (native.catalog_name, native.schema_name, native.name) == ("models", "ml", "same_model")
    client.registered_models.update(name, comment="")
    assert not client.registered_models.get(name).comment


def test_a_name_is_taken_once_whatever_its_case(client: WorkspaceClient) -> None:
    new_model(client, "taken")
    with pytest.raises(ResourceAlreadyExists):
        new_model(client, "TAKEN")
    with pytest.raises(ResourceAlreadyExists):
        call(client, "POST", f"{LEGACY}/registered-models/create", name="models.ml.taken")


@pytest.mark.parametrize("name", ["m", "ml.m", "models.ml.m.x", "models..m"])
def test_a_name_that_has_not_three_parts_is_refused(client: WorkspaceClient, name: str) -> None:
    with pytest.raises(InvalidParameterValue, match="specify all three levels"):
        call(client, "POST", f"{LEGACY}/registered-models/create", name=name)


def test_aliases_in_a_body_have_no_effect(client: WorkspaceClient) -> None:
    name = new_model(client, "aliases_in_body")
    ready_version(client, name)
    aliases = [{"alias_name": "champion", "version_num": 1}]
    created = call(
        client, "POST", f"{UC}/models", name="born", catalog_name="models", schema_name="ml", aliases=aliases
    )
    assert "aliases" not in created
    call(client, "PATCH", f"{UC}/models/{name}", comment="c", aliases=aliases)
    for full_name in (name, "models.ml.born"):
        assert not client.registered_models.get(full_name, include_aliases=True).aliases


def test_aliases_are_shown_only_on_request(client: WorkspaceClient) -> None:
    name = new_model(client, "shy_aliases")
    ready_version(client, name)
    client.registered_models.set_alias(name, "champion", 1)
    assert not client.registered_models.get(name).aliases
    shown = client.registered_models.get(name, include_aliases=True).aliases or []
    assert [(alias.alias_name, alias.version_num) for alias in shown] == [("champion", 1)]
    assert not client.model_versions.get(name, 1).aliases
    assert [alias.alias_name for alias in client.model_versions.get(name, 1, include_aliases=True).aliases or []] == [
        "champion"
    ]


def test_an_alias_is_one_whichever_client_moves_it_and_however_it_is_spelt(client: WorkspaceClient) -> None:
    name = new_model(client, "moving_alias")
    ready_version(client, name)
    ready_version(client, name)
    client.registered_models.set_alias(name, "Champion", 1)
    body = {"name": name, "alias": "CHAMPION"}
    found = call(client, "GET", f"{LEGACY}/registered-models/alias", **body)["model_version"]
    assert (found["version"], found["name"]) == ("1", name)
    call(client, "POST", f"{LEGACY}/registered-models/alias", **body, version="2")
    by_alias = client.model_versions.get_by_alias(name, "champion")
    assert (by_alias.version, by_alias.model_name, by_alias.catalog_name) == (2, "moving_alias", "models")
    assert len(client.registered_models.get(name, include_aliases=True).aliases or []) == 1
    call(client, "DELETE", f"{LEGACY}/registered-models/alias", **body)
    with pytest.raises(NotFound, match="champion"):
        client.model_versions.get_by_alias(name, "champion")


@pytest.mark.parametrize("alias", RESERVED)
def test_reserved_and_malformed_aliases_are_refused(client: WorkspaceClient, alias: str) -> None:
    name = f"models.ml.{RESERVED.index(alias)}reserved"
    new_model(client, name.rpartition(".")[2])
    ready_version(client, name)
    with pytest.raises(InvalidParameterValue):
        call(client, "POST", f"{LEGACY}/registered-models/alias", name=name, alias=alias, version="1")
    if alias not in ("", "sl/ash"):  # which leave the path of the alias
        with pytest.raises(InvalidParameterValue):
            client.registered_models.set_alias(name, alias, 1)
    assert not client.registered_models.get(name, include_aliases=True).aliases


def test_an_alias_points_to_a_version_that_exists(client: WorkspaceClient) -> None:
    name = new_model(client, "alias_to_nothing")
    with pytest.raises(NotFound, match="'7'"):
        client.registered_models.set_alias(name, "champion", 7)
    with pytest.raises(NotFound, match="'7'"):
        call(client, "POST", f"{LEGACY}/registered-models/alias", name=name, alias="champion", version="7")


def test_what_is_missing_is_named_with_one_error_code_in_both_dialects(client: WorkspaceClient) -> None:
    name = new_model(client, "almost_there")
    absent = "models.ml.absent"
    cases = [
        ("GET", f"{UC}/models/{absent}", {}, absent),
        ("GET", f"{LEGACY}/registered-models/get", {"name": absent}, absent),
        ("GET", f"{UC}/models/{name}/versions/3", {}, "'3'"),
        ("GET", f"{LEGACY}/model-versions/get", {"name": name, "version": "3"}, "'3'"),
        ("GET", f"{UC}/models/{name}/aliases/champion", {}, "'champion'"),
        ("GET", f"{LEGACY}/registered-models/alias", {"name": name, "alias": "champion"}, "'champion'"),
        ("DELETE", f"{UC}/models/{name}/aliases/champion", {}, "'champion'"),
    ]
    for method, path, fields, named in cases:
        with pytest.raises(NotFound, match=named) as caught:
            call(client, method, path, **fields)
        assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST", path


def test_a_version_is_pending_until_its_files_are_there_and_it_is_finalized(client: WorkspaceClient) -> None:
    name = new_model(client, "flow")
    version = create_version(client, name)
    assert str(client.model_versions.get(name, version).status) == "ModelVersionInfoStatus.PENDING_REGISTRATION"
    upload(client, name, version, {"MLmodel": MLMODEL, "data/model.pkl": "bytes"})
    assert finalize(client, name, version)["status"] == "READY"
    assert str(client.model_versions.get(name, version).status) == "ModelVersionInfoStatus.READY"


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "MLmodel"),
        ({"MLmodel": "flavors: {}"}, "signature"),
        ({"MLmodel": "signature: {inputs: '[]', outputs: null}"}, "only inputs"),
        ({"MLmodel": "a: [1"}, "YAML"),
    ],
)
def test_a_version_that_is_no_model_with_a_signature_fails(
    client: WorkspaceClient, files: dict[str, str], reason: str
) -> None:
    name = new_model(client, f"no_signature_{reason[:4].lower().strip()}")
    version = create_version(client, name)
    upload(client, name, version, files)
    with pytest.raises(BadRequest, match=reason):
        finalize(client, name, version)
    assert str(client.model_versions.get(name, version).status) == "ModelVersionInfoStatus.FAILED_REGISTRATION"


def test_the_files_of_a_ready_version_do_not_change(client: WorkspaceClient) -> None:
    name = new_model(client, "frozen")
    version = ready_version(client, name)
    with pytest.raises(InvalidState, match="READY"):
        upload(client, name, version, {"MLmodel": "other"})
    with pytest.raises(InvalidState):
        client.files.delete(f"/Models/models/ml/frozen/{version}/MLmodel")
    with pytest.raises(NotFound):
        upload(client, name, version + 1, {"MLmodel": MLMODEL})
    credentials = {"name": name, "version": str(version), "operation": "MODEL_VERSION_OPERATION_READ_WRITE"}
    with pytest.raises(InvalidState):
        call(client, "POST", f"{LEGACY}/model-versions/generate-temporary-credentials", **credentials)
    contents = client.files.download(f"/Models/models/ml/frozen/{version}/MLmodel").contents
    assert contents is not None
    assert contents.read().decode() == MLMODEL


def test_a_deleted_version_takes_its_aliases_along_and_its_number_never_returns(client: WorkspaceClient) -> None:
    name = new_model(client, "numbers")
    ready_version(client, name)
    ready_version(client, name)
    client.registered_models.set_alias(name, "champion", 2)
    client.registered_models.set_alias(name, "challenger", 1)
    client.model_versions.delete(name, 2)
    with pytest.raises(NotFound):
        client.model_versions.get_by_alias(name, "champion")
    with pytest.raises(NotFound):
        client.model_versions.get(name, 2)
    with pytest.raises(NotFound):
        client.files.get_directory_metadata("/Models/models/ml/numbers/2")
    left = client.registered_models.get(name, include_aliases=True).aliases or []
    assert [(alias.alias_name, alias.version_num) for alias in left] == [("challenger", 1)]
    assert create_version(client, name) == 3
    assert [found.version for found in client.model_versions.list(name)] == [3, 1]


def test_versions_created_at_once_have_numbers_of_their_own(client: WorkspaceClient) -> None:
    name = new_model(client, "at_once")
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda _: create_version(client, name), range(16)))
    assert sorted(numbers) == list(range(1, 17))


def test_a_deleted_model_leaves_nothing_to_the_next_of_its_name(client: WorkspaceClient) -> None:
    name = new_model(client, "again")
    ready_version(client, name)
    client.registered_models.set_alias(name, "champion", 1)
    client.registered_models.delete(name)
    with pytest.raises(NotFound):
        client.registered_models.get(name)
    with pytest.raises(NotFound):
        client.files.get_directory_metadata("/Models/models/ml/again")
    new_model(client, "again")
    assert list(client.model_versions.list(name)) == []
    assert not client.registered_models.get(name, include_aliases=True).aliases


def test_models_are_listed_by_schema_page_by_page(client: WorkspaceClient) -> None:
    made = [new_model(client, f"page_{number}", schema="listed") for number in range(5)]
    new_model(client, "beside", schema="listed2")
    listed = client.registered_models.list(catalog_name="models", schema_name="listed", max_results=2)
    assert [model.full_name for model in listed] == made
    everything, token = [], ""
    while True:
        page = call(client, "GET", f"{LEGACY}/registered-models/search", max_results=3, page_token=token)
        everything += [model["name"] for model in page["registered_models"]]
        token = page.get("next_page_token", "")
        if not token:
            break
    assert set(made) < set(everything)
    assert len(everything) == len(set(everything))


def test_versions_are_searched_by_model_or_run(client: WorkspaceClient) -> None:
    name = new_model(client, "searched")
    run = "a" * 32
    for number in range(5):
        create_version(client, name, run_id=run if number == 3 else "")
    path = f"{LEGACY}/model-versions/search"
    first = call(client, "GET", path, filter=f"name='{name}'", max_results=3)
    rest = call(client, "GET", path, filter=f"name='{name}'", max_results=3, page_token=first["next_page_token"])
    found = [version["version"] for version in first["model_versions"] + rest["model_versions"]]
    assert found == ["5", "4", "3", "2", "1"]
    assert "next_page_token" not in rest
    of_run = call(client, "GET", path, filter=f"run_id = '{run}'")["model_versions"]
    assert [(version["name"], version["version"]) for version in of_run] == [(name, "4")]
    for unsupported in ("", "status='READY'", "name='a' or name='b'"):
        with pytest.raises(InvalidParameterValue, match="name = "):
            call(client, "GET", path, filter=unsupported)


def test_tags_are_the_same_in_both_dialects(client: WorkspaceClient) -> None:
    name = new_model(client, "tagged")
    ready_version(client, name)
    call(client, "POST", f"{LEGACY}/registered-models/set-tag", name=name, key="team", value="fares")
    call(client, "POST", f"{LEGACY}/model-versions/set-tag", name=name, version="1", key="checked", value="yes")
    change = {"changes": {"add_tags": [{"key": "tier", "value": "2"}], "remove": ["team"]}}
    call(client, "PATCH", f"{UC}/securable-tags/FUNCTION/{name}", **change)
    change = {"changes": {"add_tags": [{"key": "note", "value": "n"}]}}
    call(client, "PATCH", f"{UC}/subentity-tags/FUNCTION/{name}/1", **change)
    model = call(client, "GET", f"{LEGACY}/registered-models/get", name=name)["registered_model"]
    version = call(client, "GET", f"{LEGACY}/model-versions/get", name=name, version="1")["model_version"]
    assert model["tags"] == [{"key": "tier", "value": "2"}]
    assert version["tags"] == [{"key": "checked", "value": "yes"}, {"key": "note", "value": "n"}]
    assert call(client, "GET", f"{UC}/models/{name}/versions/1")["tags"] == version["tags"]
    call(client, "DELETE", f"{LEGACY}/model-versions/delete-tag", name=name, version="1", key="checked")
    version = call(client, "GET", f"{LEGACY}/model-versions/get", name=name, version="1")["model_version"]
    assert version["tags"] == [{"key": "note", "value": "n"}]


def test_a_tag_that_is_set_again_has_the_newer_value(client: WorkspaceClient) -> None:
    name = new_model(client, "retagged")
    ready_version(client, name)
    for value in ("first", "second"):
        call(client, "POST", f"{LEGACY}/registered-models/set-tag", name=name, key="team", value=value)
        call(client, "POST", f"{LEGACY}/model-versions/set-tag", name=name, version="1", key="checked", value=value)
    model = call(client, "GET", f"{LEGACY}/registered-models/get", name=name)["registered_model"]
    version = call(client, "GET", f"{LEGACY}/model-versions/get", name=name, version="1")["model_version"]
    assert model["tags"] == [{"key": "team", "value": "second"}]
    assert version["tags"] == [{"key": "checked", "value": "second"}]


def test_a_schema_with_models_is_deleted_only_by_force_and_then_with_them(client: WorkspaceClient) -> None:
    name = new_model(client, "inside", schema="doomed")
    ready_version(client, name)
    with pytest.raises(BadRequest, match="not empty"):
        client.schemas.delete("models.doomed")
    client.schemas.delete("models.doomed", force=True)
    with pytest.raises(NotFound):
        client.registered_models.get(name)
    with pytest.raises(NotFound):
        client.files.get_directory_metadata("/Models/models/doomed/inside")


def test_what_the_registry_acknowledged_survives_a_kill(start_server: Callable[[], WorkspaceServer]) -> None:
    server = start_server()
    client = server.client()
    name = new_model(client, "kept")
    ready_version(client, name)
    ready_version(client, name)
    client.model_versions.delete(name, 2)
    client.registered_models.set_alias(name, "champion", 1)
    client.model_versions.update(name, 1, comment="the last word")
    server.restart()
    client = server.client()
    by_alias = client.model_versions.get_by_alias(name, "champion")
    assert (by_alias.version, by_alias.comment) == (1, "the last word")
    assert create_version(client, name) == 3


def test_an_unknown_mlflow_path_is_refused_by_name(client: WorkspaceClient) -> None:
    with pytest.raises(Exception, match=r"/api/2\.0/mlflow/gateway/endpoints/list"):
        call(client, "GET", "/api/2.0/mlflow/gateway/endpoints/list")
