"""Whatever a caller sends to identity, secrets, permissions and Unity Catalog: no answer is a 5xx, and all are JSON."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.support.server import WorkspaceServer

UC = "/api/2.1/unity-catalog"
SCIM = "/api/2.0/preview/scim/v2"
ODD: tuple[Any, ...] = (None, 5, "ä", [], [5], {}, {"value": 5}, True)
FIELDS: dict[str, tuple[str, ...]] = {
    f"POST {SCIM}/Users": ("userName", "emails", "active", "entitlements"),
    f"POST {SCIM}/Groups": ("displayName", "members"),
    f"POST {SCIM}/ServicePrincipals": ("applicationId", "displayName", "roles"),
    f"PATCH {SCIM}/Groups/1000000002": ("Operations",),
    "POST /api/2.0/token/create": ("lifetime_seconds", "comment"),
    "POST /api/2.0/token/delete": ("token_id",),
    "PATCH /api/2.0/token/x": ("token",),
    "POST /api/2.0/token-management/on-behalf-of/tokens": ("application_id", "lifetime_seconds"),
    "POST /_workspace/tokens": ("user_name",),
    "POST /api/2.0/secrets/scopes/create": ("scope", "initial_manage_principal", "scope_backend_type"),
    "POST /api/2.0/secrets/put": ("scope", "key", "string_value", "bytes_value"),
    "POST /api/2.0/secrets/acls/put": ("scope", "principal", "permission"),
    "PATCH /api/2.0/permissions/sql/warehouses/local": ("access_control_list",),
    f"POST {UC}/catalogs": ("name", "comment", "properties"),
    f"POST {UC}/schemas": ("name", "catalog_name"),
    f"POST {UC}/volumes": ("name", "catalog_name", "schema_name", "volume_type"),
    f"POST {UC}/constraints": ("full_name_arg", "constraint"),
    f"POST {UC}/entity-tag-assignments": ("entity_type", "entity_name", "tag_key", "tag_value"),
    f"PATCH {UC}/permissions/catalog/odd": ("changes",),
    f"PATCH {UC}/catalogs/odd": ("owner",),
    "POST /api/2.0/serving-endpoints": ("name", "config", "ai_gateway"),
}


@pytest.fixture(scope="module", autouse=True)
def catalog(server: WorkspaceServer) -> None:
    """A catalog whose owner and grants may become odd."""
    server.client().catalogs.create("odd")


@pytest.mark.parametrize("route", FIELDS)
def test_odd_bodies_are_refused_in_the_service_s_shape(server: WorkspaceServer, route: str) -> None:
    method, _, path = route.partition(" ")
    usual = dict.fromkeys(FIELDS[route], "x")
    with httpx.Client(base_url=server.host, headers={"Authorization": f"Bearer {server.token}"}) as client:
        for name in FIELDS[route]:
            for value in ODD:
                answer = client.request(method, path, json={**usual, name: value})
                assert answer.status_code < 500, (name, value, answer.text)
                json.loads(answer.text)


@pytest.mark.parametrize("constraint", ["primary_key_constraint", "foreign_key_constraint"])
def test_odd_constraints_and_grants_are_refused(server: WorkspaceServer, constraint: str) -> None:
    with httpx.Client(base_url=server.host, headers={"Authorization": f"Bearer {server.token}"}) as client:
        for value in ODD:
            for key in (
                {"name": "k", "child_columns": value},
                {"name": "k", "child_columns": ["a"], "parent_table": value},
            ):
                body = {"full_name_arg": "odd.default.none", "constraint": {constraint: key}}
                assert client.post(f"{UC}/constraints", json=body).status_code < 500
            changes = [{"principal": "p", "add": value}]
            assert client.patch(f"{UC}/permissions/catalog/odd", json={"changes": changes}).status_code < 500


@pytest.mark.parametrize("authorization", ["Bearer ä.ö.ü", "Bearer a.b.c", "Bearer " + "x" * 5000, "Basic %%%"])
def test_odd_credentials_are_401(server: WorkspaceServer, authorization: str) -> None:
    headers = {b"Authorization": authorization.encode("latin-1")}
    assert httpx.get(f"{server.host}{SCIM}/Me", headers=headers).status_code == 401
    form = {"grant_type": "client_credentials"}
    assert httpx.post(f"{server.host}/oidc/v1/token", data=form, headers=headers).status_code == 401
