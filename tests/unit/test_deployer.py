"""Preview says whom an endpoint will run as, where that is not who gets the rights; nobody can change it afterwards."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pulumi
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound, PermissionDenied
from databricks.sdk.service.iam import User
from databricks.sdk.service.serving import ServingEndpointDetailed

from components.deployer import check_deployer

PRINCIPAL = "0f8d2c1e-0000-4000-8000-000000000001"


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    return said


def workspace(caller: str, creator: str | Exception | None = None) -> WorkspaceClient:
    """An endpoint with that creator; None where there is no endpoint yet."""

    def get(name: str) -> ServingEndpointDetailed:
        if isinstance(creator, Exception):
            raise creator
        if creator is None:
            raise NotFound(f"{name} does not exist")
        return ServingEndpointDetailed(name=name, creator=creator)

    client: Any = SimpleNamespace(
        current_user=SimpleNamespace(me=lambda: User(user_name=caller)), serving_endpoints=SimpleNamespace(get=get)
    )
    return cast("WorkspaceClient", client)


@pytest.mark.parametrize(
    ("caller", "creator", "says"),
    [
        ("ann@example.com", None, "is going to run as ann@example.com, a person, who may leave"),
        ("another-principal", None, "is going to run as another-principal: its creator"),
        # Who deploys a change does not matter: the endpoint stays its creator's.
        (PRINCIPAL, "ann@example.com", "endpoint fares runs as ann@example.com, a person"),
    ],
)
def test_anybody_but_the_serving_principal_is_named(
    caller: str, creator: str | None, says: str, warned: list[str]
) -> None:
    check_deployer("fares", PRINCIPAL, workspace(caller, creator))
    (said,) = warned
    assert says in said
    assert f"servingPrincipal {PRINCIPAL}: deploy as the serving principal (DATABRICKS_CLIENT_ID" in said


@pytest.mark.parametrize(("caller", "creator"), [(PRINCIPAL, None), ("ann@example.com", PRINCIPAL)])
def test_nothing_is_said_where_the_endpoint_is_the_principals(
    caller: str, creator: str | None, warned: list[str]
) -> None:
    check_deployer("fares", PRINCIPAL, workspace(caller, creator))
    assert warned == []


def test_a_workspace_that_does_not_say_is_no_reason_to_refuse(warned: list[str]) -> None:
    check_deployer("fares", PRINCIPAL, workspace("ann@example.com", PermissionDenied("no")))
    assert "whom endpoint fares runs as was not looked at: reading endpoint fares: permission denied" in warned[0]
