"""Endpoints seen by callers with and without rights; what their creator needs in Unity Catalog and of secrets."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound, PermissionDenied
from databricks.sdk.service.catalog import Privilege
from databricks.sdk.service.iam import PermissionLevel
from databricks.sdk.service.serving import (
    AiGatewayConfig,
    AiGatewayInferenceTableConfig,
    EndpointCoreConfigInput,
    ServedEntityInput,
)
from databricks.sdk.service.workspace import AclPermission

from tests.support.feature_serving import save_model
from tests.support.models import register
from tests.support.principals import Person, machine, signed_in
from tests.support.rights import allow, grant, let_in, revoke
from tests.support.warehouse import StatementFailedError, Warehouse


@pytest.fixture(scope="module")
def ada(client: WorkspaceClient) -> Iterator[Person]:
    with signed_in(client) as person:
        yield person


@pytest.fixture(scope="module")
def robot(client: WorkspaceClient) -> Iterator[Person]:
    with machine(client) as person:
        yield person


@pytest.fixture(scope="module")
def model(client: WorkspaceClient, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A registered model whose prediction is the environment variable API_KEY; version 1 is READY."""
    saved = save_model(
        tmp_path_factory.mktemp("rights") / "saved", "import os; return [os.environ.get('API_KEY')]", "pass"
    )
    return register(client, f"rights_{uuid.uuid4().hex[:6]}", saved)


@pytest.fixture(scope="module")
def endpoint(client: WorkspaceClient, model: str) -> Iterator[str]:
    """An endpoint of the owner's that serves."""
    name = f"rights-{uuid.uuid4().hex[:8]}"
    scope = f"scope-{name}"
    client.secrets.create_scope(scope)
    client.secrets.put_secret(scope, "key", string_value="the key")
    client.serving_endpoints.create_and_wait(name, config=serving(model, f"{{{{secrets/{scope}/key}}}}"))
    yield name
    client.serving_endpoints.delete(name)


def serving(model: str, api_key: str = "none") -> EndpointCoreConfigInput:
    served = ServedEntityInput(
        entity_name=model,
        entity_version="1",
        workload_size="Small",
        scale_to_zero_enabled=True,
        environment_vars={"API_KEY": api_key},
    )
    return EndpointCoreConfigInput(name="named-by-the-request", served_entities=[served])


def test_an_endpoint_is_seen_queried_and_managed_by_level(
    client: WorkspaceClient, endpoint: str, robot: Person
) -> None:
    endpoint_id = str(client.serving_endpoints.get(endpoint).id)
    records = [{"a": 1.0}]
    theirs = robot.client.serving_endpoints
    steps: list[tuple[PermissionLevel, list[Callable[[], object]]]] = [
        (PermissionLevel.CAN_VIEW, [lambda: theirs.get(endpoint), lambda: theirs.export_metrics(endpoint)]),
        (PermissionLevel.CAN_QUERY, [lambda: theirs.query(endpoint, dataframe_records=records)]),
        (
            PermissionLevel.CAN_MANAGE,
            [
                lambda: theirs.patch(endpoint, delete_tags=["none"]),
                lambda: robot.client.permissions.get("serving-endpoints", endpoint_id),
            ],
        ),
    ]
    assert endpoint not in {one.name for one in theirs.list()}
    for level, calls in steps:
        verb = level.value.removeprefix("CAN_").capitalize()
        for call in calls:
            with pytest.raises(PermissionDenied, match=f"User does not have permission '{verb}' on Endpoint"):
                call()
        allow(client, "serving-endpoints", endpoint_id, robot, level)
        for call in calls:
            call()
        shown = theirs.get(endpoint).permission_level
        assert shown is not None
        assert shown.value == level.value
    assert endpoint in {one.name for one in robot.client.serving_endpoints.list()}


def test_the_model_process_has_the_secret_and_nobody_else_sees_it(client: WorkspaceClient, endpoint: str) -> None:
    answer = client.serving_endpoints.query(endpoint, dataframe_records=[{"a": 1.0}])
    assert answer.predictions == ["the key"]
    assert "the key" not in str(client.serving_endpoints.get(endpoint).as_dict())


def test_the_direct_and_the_openai_paths_ask_for_the_same_right(endpoint: str, ada: Person) -> None:
    for path, body in (
        (f"/serving-endpoints/{endpoint}/served-models/x/invocations", {"dataframe_records": []}),
        ("/serving-endpoints/chat/completions", {"model": endpoint, "messages": []}),
    ):
        with pytest.raises(PermissionDenied, match="'Query' on Endpoint"):
            ada.client.api_client.do("POST", path, body=body)


def test_who_makes_an_endpoint_needs_execute_on_its_model_and_read_on_its_secrets(
    client: WorkspaceClient, model: str, ada: Person
) -> None:
    name, scope = f"mine-{uuid.uuid4().hex[:8]}", f"kept-{uuid.uuid4().hex[:8]}"
    client.secrets.create_scope(scope)
    client.secrets.put_secret(scope, "key", string_value="x")
    config = serving(model, f"{{{{secrets/{scope}/key}}}}")

    def create() -> object:
        return ada.client.serving_endpoints.create(name, config=config)

    with pytest.raises(PermissionDenied, match="does not have USE CATALOG on Catalog 'main'"):
        create()
    let_in(client, model, ada)
    with pytest.raises(PermissionDenied, match=f"User does not have EXECUTE on Routine or Model '{model}'"):
        create()
    grant(client, "function", model, ada, Privilege.EXECUTE)
    with pytest.raises(PermissionDenied, match=f"{ada.name} does not have READ permission on scope {scope}"):
        create()
    client.secrets.put_acl(scope, ada.name, AclPermission.READ)
    ada.client.serving_endpoints.create_and_wait(name, config=config)
    # The rights that count are the creator's, also when somebody else changes the endpoint.
    revoke(client, "function", model, ada, Privilege.EXECUTE)
    with pytest.raises(PermissionDenied, match="EXECUTE on Routine or Model"):
        client.serving_endpoints.update_config(name, served_entities=config.served_entities)
    ada.client.serving_endpoints.delete(name)


def test_an_inference_table_needs_create_table_in_its_schema(client: WorkspaceClient, model: str, ada: Person) -> None:
    let_in(client, model, ada)
    grant(client, "function", model, ada, Privilege.EXECUTE)
    table = AiGatewayInferenceTableConfig(enabled=True, catalog_name="main", schema_name="ml")
    with pytest.raises(PermissionDenied, match=r"does not have CREATE TABLE on Schema 'main\.ml'"):
        ada.client.serving_endpoints.create(
            f"t-{uuid.uuid4().hex[:8]}",
            config=serving(model),
            ai_gateway=AiGatewayConfig(inference_table_config=table),
        )


def test_an_endpoint_that_is_not_there_is_not_found_rather_than_refused(ada: Person) -> None:
    with pytest.raises(NotFound):
        ada.client.serving_endpoints.get("no-such-endpoint")


def test_admins_do_all_with_objects_and_nothing_with_data_that_is_not_theirs(
    client: WorkspaceClient, endpoint: str
) -> None:
    (admins,) = client.groups.list(filter='displayName eq "admins"')
    with signed_in(client) as admin:
        body = {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "add", "value": {"members": [{"value": admin.id}]}}],
        }
        client.api_client.do("PATCH", f"/api/2.0/preview/scim/v2/Groups/{admins.id}", body=body)
        assert admin.client.serving_endpoints.query(endpoint, dataframe_records=[{"a": 1.0}]).predictions
        owner = Warehouse.in_new_schema(client)
        owner.execute("CREATE TABLE t (a INT)")
        with pytest.raises(StatementFailedError, match="USE CATALOG"):
            Warehouse(admin.client, owner.catalog, owner.schema).rows("SELECT * FROM t")
