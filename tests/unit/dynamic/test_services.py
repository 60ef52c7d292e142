"""The lazily made services are the SDK's own, and the rest of the SDK is there for whoever asks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config

from components.dynamic.services import SERVICES, WorkspaceServices
from tests.support.rest_stub import TOKEN, RestStub

PROJECT = Path(__file__).parents[3]

# In a process of its own: in this one the SDK is imported whole.
LOADED = """
import sys
from components.dynamic.client import workspace_client

client = workspace_client({"databricks:host": sys.argv[1], "databricks:token": sys.argv[2]})
assert client.serving_endpoints is client.serving_endpoints
assert "databricks.sdk.service.serving" in sys.modules
assert not {"databricks.sdk.service.catalog", "databricks.sdk.service.compute"} & set(sys.modules)
from databricks.sdk.errors import NotFound
assert "databricks.sdk.service.compute" not in sys.modules
from databricks.sdk import AccountClient, WorkspaceClient
assert "databricks.sdk.service.compute" in sys.modules
import databricks.sdk
assert databricks.sdk.errors.NotFound is NotFound
"""


def test_a_service_is_loaded_when_it_is_asked_and_the_whole_sdk_for_whoever_wants_it(stub: RestStub) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, stub.host, TOKEN], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_each_service_is_what_the_sdks_own_client_makes(stub: RestStub) -> None:
    config = Config(host=stub.host, token=TOKEN, auth_type="pat")
    whole, client = WorkspaceClient(config=config), WorkspaceServices.client(config)
    for name in (*SERVICES, "clusters", "api_client", "config"):
        assert type(getattr(client, name)) is type(getattr(whole, name)), name
    assert client.current_user.me() == whole.current_user.me()
    with pytest.raises(AttributeError, match="no attribute 'no_such_service'"):
        getattr(client, "no_such_service")  # noqa: B009
