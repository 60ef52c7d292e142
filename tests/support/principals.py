"""Other callers than the workspace's owner: a user with a personal access token, a service principal with OAuth."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config


@dataclass(frozen=True)
class Person:
    """A principal of the workspace, and a client with its credentials."""

    id: str
    name: str
    """User name, or application id."""
    client: WorkspaceClient


@contextmanager
def signed_in(owner: WorkspaceClient, name: str | None = None) -> Iterator[Person]:
    """A new user with a token; gone at the end, tokens included."""
    user = owner.users.create(user_name=name or f"user-{uuid.uuid4().hex[:8]}@example.com")
    assert user.id is not None
    assert user.user_name is not None
    signed = owner.api_client.do("POST", "/_workspace/tokens", body={"user_name": user.user_name})
    assert isinstance(signed, dict)
    yield Person(user.id, user.user_name, with_token(owner, signed["token_value"]))
    owner.users.delete(user.id)


@contextmanager
def machine(owner: WorkspaceClient) -> Iterator[Person]:
    """A new service principal that signs in with an OAuth secret; gone at the end."""
    principal = owner.service_principals.create(display_name=f"robot-{uuid.uuid4().hex[:8]}")
    assert principal.id is not None
    assert principal.application_id is not None
    secret = owner.service_principal_secrets_proxy.create(principal.id).secret
    config = Config(
        host=owner.config.host,
        client_id=principal.application_id,
        client_secret=secret,
        auth_type="oauth-m2m",
        retry_timeout_seconds=5,
    )
    yield Person(principal.id, principal.application_id, WorkspaceClient(config=config))
    owner.service_principals.delete(principal.id)


def with_token(owner: WorkspaceClient, token: str) -> WorkspaceClient:
    return WorkspaceClient(config=Config(host=owner.config.host, token=token, auth_type="pat", retry_timeout_seconds=5))
