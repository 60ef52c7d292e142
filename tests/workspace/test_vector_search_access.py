"""Who may ask an index: grants on it, as on a table; and what else the official client and plugin do to both kinds."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound, PermissionDenied
from databricks.sdk.service.catalog import PermissionsChange, Privilege
from databricks.sdk.service.vectorsearch import (
    DirectAccessVectorIndexSpec,
    EmbeddingVectorColumn,
    EndpointType,
    VectorIndexType,
)

from tests.support.server import WorkspaceServer

ANN = "ann@example.com"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceServer]:
    server = WorkspaceServer(tmp_path_factory.mktemp("vectors"))
    server.start()
    server.client().vector_search_endpoints.create_endpoint_and_wait("search", EndpointType.STANDARD)
    yield server
    server.kill()


def index_in(client: WorkspaceClient, schema: str) -> str:
    """A small index in a new schema of `main`."""
    client.schemas.create(schema, "main")
    name = f"main.{schema}.words"
    spec = DirectAccessVectorIndexSpec(
        embedding_vector_columns=[EmbeddingVectorColumn(name="v", embedding_dimension=2)],
        schema_json=json.dumps({"id": "string", "v": "array<float>"}),
    )
    client.vector_search_indexes.create_index(
        name, "search", "id", VectorIndexType.DIRECT_ACCESS, direct_access_index_spec=spec
    )
    client.vector_search_indexes.upsert_data_vector_index(name, json.dumps([{"id": "a", "v": [1.0, 0.0]}]))
    return name


def test_an_index_answers_those_who_were_granted_select_on_it(server: WorkspaceServer) -> None:
    owner = server.client()
    name = index_in(owner, "asked")
    owner.users.create(user_name=ANN)
    answer = owner.api_client.do("POST", "/_workspace/tokens", body={"user_name": ANN, "lifetime_seconds": 600})
    assert isinstance(answer, dict)
    ann = server.client(token=answer["token_value"]).vector_search_indexes
    with pytest.raises(PermissionDenied):
        ann.query_index(name, ["id"], query_vector=[1.0, 0.0])
    with pytest.raises(PermissionDenied):
        ann.get_index(name)
    assert [one.name for one in ann.list_indexes("search")] == []

    for kind, full_name, privilege in (
        ("table", name, Privilege.SELECT),
        ("schema", "main.asked", Privilege.USE_SCHEMA),
        ("catalog", "main", Privilege.USE_CATALOG),
    ):
        owner.grants.update(kind, full_name, changes=[PermissionsChange(principal=ANN, add=[privilege])])
    found = ann.query_index(name, ["id"], query_vector=[1.0, 0.0])
    assert found.result is not None
    assert found.result.data_array == [["a", 1.0]]
    assert ann.get_index(name).name == name
    assert [one.name for one in ann.list_indexes("search")] == [name]
    with pytest.raises(PermissionDenied):
        ann.upsert_data_vector_index(name, json.dumps([{"id": "b", "v": [0.0, 1.0]}]))
    with pytest.raises(PermissionDenied):
        ann.delete_index(name)
    assert owner.vector_search_indexes.get_index(name).name == name


def test_a_schema_that_goes_takes_its_indexes_along(server: WorkspaceServer) -> None:
    client = server.client()
    name = index_in(client, "short_lived")
    client.schemas.delete("main.short_lived", force=True)
    with pytest.raises(NotFound):
        client.vector_search_indexes.get_index(name)


def test_an_endpoint_shows_the_budget_policy_that_it_was_given(server: WorkspaceServer) -> None:
    endpoints = server.client().vector_search_endpoints
    endpoints.create_endpoint_and_wait("billed", EndpointType.STANDARD, budget_policy_id="first")
    assert endpoints.get_endpoint("billed").effective_budget_policy_id == "first"
    assert endpoints.update_endpoint_budget_policy("billed", "second").effective_budget_policy_id == "second"
    assert endpoints.get_endpoint("billed").effective_budget_policy_id == "second"
    with pytest.raises(NotFound):
        endpoints.update_endpoint_budget_policy("nowhere", "second")
