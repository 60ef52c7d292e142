"""Wires the services of a workspace together (docs/architecture.md has the table)."""

from __future__ import annotations

from starlette.applications import Starlette

from workspace.app import build_app
from workspace.files import Files
from workspace.http import Caller, Service
from workspace.identity import Identity
from workspace.mlflow_api import Mlflow
from workspace.state import State

OWNER = Caller(user_name="owner@embedded.workspace", id="1000000001", groups=("admins", "users"))


def assemble(state: State) -> Starlette:
    """The whole workspace over an opened state folder."""
    files = Files(state)
    mlflow = Mlflow(state, lambda catalog, schema: None, files, OWNER.user_name)
    services: list[Service] = [Identity(state), files, mlflow]
    return build_app(state, services, OWNER)
