"""Permissions over the workspace's real parts: on real experiments."""

from __future__ import annotations

import uuid

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.iam import AccessControlRequest, PermissionLevel


def test_permissions_are_set_on_an_experiment_while_it_exists(client: WorkspaceClient) -> None:
    experiment = client.experiments.create_experiment(f"/Shared/{uuid.uuid4()}").experiment_id
    assert experiment is not None
    readers = AccessControlRequest(group_name="callers", permission_level=PermissionLevel.CAN_READ)
    client.permissions.set("experiments", experiment, access_control_list=[readers])
    assert client.permissions.get("experiments", experiment).object_type == "mlflowExperiment"
    client.experiments.delete_experiment(experiment)
    with pytest.raises(NotFound):
        client.permissions.get("experiments", experiment)
    with pytest.raises(NotFound):
        client.permissions.get("experiments", "no such id")
