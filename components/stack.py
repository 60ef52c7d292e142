"""Reads the running stack's file and guards the workspace it may reach.

A stack file pins `databricks:host`, so that credentials of another workspace cannot be met by accident. The local
stack takes the host from the environment instead (the embedded workspace's port is the machine's business) and
accepts loopback only.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, overload
from urllib.parse import urlsplit

import pulumi
from pulumi.runtime import is_config_secret

from .config import PlaceConfig, ServingConfig, StackConfig
from .config.errors import Config, StackConfigError, parse_stack_config
from .dynamic.client import SETTINGS, WorkspaceConnectionError, workspace_client
from .dynamic.errors import WorkspaceError, asking
from .environments import ENVIRONMENTS

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

CONFIG_KEY = "serving"
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@overload
def load_stack_config() -> StackConfig: ...


@overload
def load_stack_config(schema: type[Config]) -> Config: ...


def load_stack_config(schema: type[PlaceConfig] = StackConfig) -> PlaceConfig:
    """The configuration of the stack that is running.

    Args:
        schema: of the project's stack files, where it is another one than the taxi stack's.

    Raises:
        pulumi.RunError: the stack file breaks the schema, or the host is not one that this environment may reach.
            The engine
            shows the message without a traceback.
    """
    project, stack = pulumi.get_project(), pulumi.get_stack()
    where = f"{project}:{CONFIG_KEY} in Pulumi.{stack}.yaml"
    if is_config_secret(pulumi.Config().full_key(CONFIG_KEY)):
        raise pulumi.RunError(
            f"{where} holds a secret, and everything in it goes to state and outputs in plain text: "
            "take it out; credentials belong to databricks:token or the environment"
        )
    values: Any = pulumi.Config().get_object(CONFIG_KEY)
    if not isinstance(values, dict):
        raise pulumi.RunError(
            f"{where} is {'missing' if values is None else 'no object'}: copy it from Pulumi.staging.yaml"
        )
    if "environment" not in values and stack not in ENVIRONMENTS:
        raise pulumi.RunError(
            f"stack {stack!r} names no known environment: add `environment` to {where}, "
            f"one of {', '.join(ENVIRONMENTS)}"
        )
    try:
        config = parse_stack_config({"environment": stack, **values}, schema, where=where)
    except StackConfigError as error:
        raise pulumi.RunError(str(error)) from None
    _guard_host(config, stack)
    return config


def workspace_host() -> str | None:
    """The workspace that the stack's providers talk to: the stack file first, then the environment, as the provider
    does.
    """
    return pulumi.Config("databricks").get("host") or os.environ.get("DATABRICKS_HOST")


def connect() -> WorkspaceClient:
    """A client for what preview has to read.

    Raises:
        pulumi.RunError: the workspace cannot be reached within ten seconds, or there are no credentials for it.
    """
    config = pulumi.Config("databricks")
    try:
        return workspace_client({config.full_key(name): config.get(name) for name in SETTINGS})
    except WorkspaceConnectionError as error:
        raise pulumi.RunError(str(error)) from None


def schema_id_of(config: ServingConfig, client: WorkspaceClient) -> str:
    """The UUID of the stack's schema, which the newer monitoring API knows schemas by.

    Raises:
        pulumi.RunError: the schema is not there, or the workspace did not say.
    """
    name = f"{config.catalog}.{config.schema_name}"
    try:
        with asking(f"reading schema {name}"):
            found = client.schemas.get(name)
    except WorkspaceError as error:
        raise pulumi.RunError(str(error)) from None
    if found.schema_id is None:
        raise pulumi.RunError(f"reading schema {name}: the answer names no schema_id; use monitor.api quality_monitors")
    return found.schema_id


def _guard_host(config: PlaceConfig, stack: str) -> None:
    pinned = pulumi.Config("databricks").get("host")
    if config.defaults.loopback_only:
        host = workspace_host()
        if host is None:
            raise pulumi.RunError(
                'DATABRICKS_HOST is not set: `eval "$(make -s env)"` starts the embedded workspace and sets it'
            )
        if urlsplit(host if "://" in host else f"//{host}").hostname not in LOOPBACK:
            raise pulumi.RunError(
                f"environment {config.environment} reaches this machine only, but the host is {host}: "
                "unset DATABRICKS_HOST, or use a stack of another environment"
            )
    elif pinned is None:
        raise pulumi.RunError(
            f"Pulumi.{stack}.yaml pins no workspace: "
            f"`pulumi config set databricks:host https://<workspace> -s {stack}`. "
            "Without it the credentials at hand would decide which workspace is changed"
        )
