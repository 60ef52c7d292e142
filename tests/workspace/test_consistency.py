"""Eventual consistency as an option: what lags behind a write, for how long, and what never does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import InvalidParameterValue, NotFound
from databricks.sdk.service.serving import EndpointTag
from mlflow import MlflowClient

from tests.support.models import new_model, ready_version
from tests.support.server import WorkspaceServer

SECONDS = 60


@pytest.fixture(scope="module")
def lagging_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceServer]:
    """A server of this module's own: settings and the clock are everybody's."""
    running = WorkspaceServer(tmp_path_factory.mktemp("lagging"))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def client(lagging_server: WorkspaceServer) -> Iterator[WorkspaceClient]:
    made = lagging_server.client()
    yield made
    set_lag(made, registry_alias=0, serving_endpoint=0)


def set_lag(client: WorkspaceClient, **seconds: float) -> None:
    body = {f"{name}_staleness_seconds": value for name, value in seconds.items()}
    client.api_client.do("PUT", "/_workspace/settings", body=body)


def advance(client: WorkspaceClient, seconds: float) -> None:
    client.api_client.do("PUT", "/_workspace/clock", body={"advance_seconds": seconds})


def endpoint_tags(client: WorkspaceClient, name: str) -> dict[str, str | None]:
    return {tag.key: tag.value for tag in client.serving_endpoints.get(name).tags or []}


def model_with_alias(client: WorkspaceClient, name: str) -> str:
    """A model with two versions, `champion` on the first."""
    full_name = new_model(client, name)
    ready_version(client, full_name)
    ready_version(client, full_name)
    client.registered_models.set_alias(full_name, "champion", 1)
    return full_name


def test_an_alias_is_read_as_it_was_until_the_time_is_over(client: WorkspaceClient) -> None:
    name = model_with_alias(client, "lagging_alias")
    set_lag(client, registry_alias=SECONDS)
    client.registered_models.set_alias(name, "champion", 2)
    assert client.model_versions.get_by_alias(name, "champion").version == 1
    advance(client, SECONDS - 5)
    assert client.model_versions.get_by_alias(name, "champion").version == 1
    advance(client, 5)
    assert client.model_versions.get_by_alias(name, "champion").version == 2


def test_a_new_alias_is_missing_and_a_deleted_one_is_there_for_a_while(client: WorkspaceClient) -> None:
    name = model_with_alias(client, "come_and_gone")
    set_lag(client, registry_alias=SECONDS)
    client.registered_models.set_alias(name, "challenger", 2)
    client.registered_models.delete_alias(name, "champion")
    with pytest.raises(NotFound):
        client.model_versions.get_by_alias(name, "challenger")
    assert client.model_versions.get_by_alias(name, "champion").version == 1
    advance(client, SECONDS)
    assert client.model_versions.get_by_alias(name, "challenger").version == 2
    with pytest.raises(NotFound):
        client.model_versions.get_by_alias(name, "champion")


def test_mlflow_sees_the_lag_of_its_own_writes(
    lagging_server: WorkspaceServer, client: WorkspaceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", lagging_server.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", lagging_server.token)
    name = model_with_alias(client, "mlflow_lag")
    registry = MlflowClient("databricks", "databricks-uc")
    set_lag(client, registry_alias=SECONDS)
    registry.set_registered_model_alias(name, "Champion", "2")
    assert str(registry.get_model_version_by_alias(name, "Champion").version) == "1"
    advance(client, SECONDS)
    assert str(registry.get_model_version_by_alias(name, "Champion").version) == "2"


def test_each_write_shows_the_state_right_before_itself(client: WorkspaceClient) -> None:
    name = model_with_alias(client, "twice")
    set_lag(client, registry_alias=SECONDS)
    client.registered_models.set_alias(name, "champion", 2)
    client.registered_models.delete_alias(name, "champion")
    assert client.model_versions.get_by_alias(name, "champion").version == 2


def test_an_endpoint_is_missing_after_its_creation_and_there_after_its_deletion(client: WorkspaceClient) -> None:
    set_lag(client, serving_endpoint=SECONDS)
    client.serving_endpoints.create("lagging")
    with pytest.raises(NotFound):
        client.serving_endpoints.get("lagging")
    assert "lagging" not in [endpoint.name for endpoint in client.serving_endpoints.list()]
    advance(client, SECONDS)
    assert "lagging" in [endpoint.name for endpoint in client.serving_endpoints.list()]
    client.serving_endpoints.delete("lagging")
    assert client.serving_endpoints.get("lagging").name == "lagging"
    advance(client, SECONDS)
    with pytest.raises(NotFound):
        client.serving_endpoints.get("lagging")


def test_other_resources_and_other_classes_do_not_lag(client: WorkspaceClient) -> None:
    client.serving_endpoints.create("still")
    client.serving_endpoints.create("moving")
    name = model_with_alias(client, "prompt")
    set_lag(client, serving_endpoint=SECONDS)
    client.serving_endpoints.patch("moving", add_tags=[EndpointTag("a", "1")])
    set_lag(client, serving_endpoint=SECONDS)
    client.serving_endpoints.patch("still", add_tags=[EndpointTag("b", "2")])
    advance(client, SECONDS)
    client.serving_endpoints.patch("moving", add_tags=[EndpointTag("c", "3")])
    assert endpoint_tags(client, "still") == {"b": "2"}
    assert endpoint_tags(client, "moving") == {"a": "1"}
    client.registered_models.set_alias(name, "champion", 2)
    assert client.model_versions.get_by_alias(name, "champion").version == 2


def test_a_write_that_was_refused_leaves_reads_alone(client: WorkspaceClient) -> None:
    name = model_with_alias(client, "refused")
    set_lag(client, registry_alias=SECONDS)
    with pytest.raises((InvalidParameterValue, NotFound)):
        client.registered_models.set_alias(name, "champion", 99)
    set_lag(client, registry_alias=0)
    client.registered_models.set_alias(name, "champion", 2)
    set_lag(client, registry_alias=SECONDS)
    assert client.model_versions.get_by_alias(name, "champion").version == 2
