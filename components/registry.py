"""Aliases become version numbers here, at preview, where the user can see them: Databricks takes only numbers on an
endpoint.

Reads the workspace and never writes. "Not there" is told apart from "could not be read": only the first is an answer.
Source: Unity Catalog model versions API (`GET models/{full_name}/versions`, `GET models/{full_name}/aliases/{alias}`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pulumi

from .config import NEWEST, OBSERVED, EndpointConfig, ModelConfig
from .dynamic.alias_gates import missing_tags
from .dynamic.errors import ProviderError
from .dynamic.registry_calls import version_facts
from .served_entity import ServedEntityArgs

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient


class ModelVersionError(pulumi.RunError):
    """A version that the stack file asks for cannot be served: which, why, what to do. Shown without a traceback."""


class NoVersionYetError(ModelVersionError):
    """There is no version to choose from: the model is not registered, or nothing of it may be served."""


def resolve_aliases(model: ModelConfig, client: WorkspaceClient) -> dict[str, str]:
    """The version number behind every alias of the stack file.

    Raises:
        NoVersionYetError: the model does not exist, or an empty version finds none that is READY and has the tags that
            its alias requires.
        ModelVersionError: a version or an observed alias does not exist, a version is not READY, or the workspace
            refused to answer (nothing is concluded from that).
    """
    with _reading(model.name, client):
        ready = _ready_versions(model.name, client)
        return {alias: _version(model, alias, stated, ready, client) for alias, stated in model.aliases.items()}


def served_entities(
    endpoint: EndpointConfig, model: ModelConfig, versions: Mapping[str, str], *, scale_to_zero: bool
) -> list[ServedEntityArgs]:
    """The endpoint's entities with their version numbers filled in; two aliases on one version become one entity, which
    preview says: the service refuses two entities of one name.

    Args:
        versions: what `resolve_aliases` found.
        scale_to_zero: for entities that say nothing themselves.

    Raises:
        ModelVersionError: two entities come to the same name with different settings.
    """
    entities: dict[str, ServedEntityArgs] = {}
    for entry in endpoint.entities:
        entity = ServedEntityArgs(
            model=model.name,
            version=entry.version_in(versions),
            traffic_percentage=entry.traffic,
            name=entry.name,
            scale_to_zero_enabled=scale_to_zero if entry.scale_to_zero is None else entry.scale_to_zero,
            **entry.sizing,
        )
        known = entities.setdefault(entity.entity_name, entity)
        if known is entity:
            continue
        together = known.traffic_percentage + entity.traffic_percentage
        if replace(known, traffic_percentage=0) != replace(entity, traffic_percentage=0):
            raise ModelVersionError(
                f"endpoint.entities: two entries are both {entity.entity_name} (version {entity.version}) "
                "with different settings; give one of them a name of its own, or make them equal to become one"
            )
        entities[entity.entity_name] = replace(known, traffic_percentage=together)
        if pulumi.runtime.is_dry_run():
            same = [one.alias for one in endpoint.entities if one.alias and versions[one.alias] == entity.version]
            pulumi.log.info(
                f"endpoint.entities: {' and '.join(same)} are the same version {entity.version} of {model.name}: "
                f"{entity.entity_name} is served once, with {together} % of the traffic"
            )
    return list(entities.values())


def check_versions_exist(
    model_name: str, entities: Sequence[ServedEntityArgs], versions: Mapping[str, str], client: WorkspaceClient
) -> None:
    """Raises ModelVersionError for an entity whose version is not there or not READY.

    Args:
        versions: what `resolve_aliases` found, and so found READY: the workspace is asked about other versions only.
    """
    others = [entity for entity in entities if entity.version not in versions.values()]
    if not others:
        return
    with _reading(model_name, client):
        ready = _ready_versions(model_name, client)
    for entity in others:
        _require_ready(model_name, entity.version, ready, f"served entity {entity.entity_name}")


def check_documented(model_name: str, client: WorkspaceClient, *, required: bool) -> None:
    """The registered model says what it is: its comment is what people read who find it in the catalog.

    Raises:
        ModelVersionError: it has no comment, and one is required; else that is a warning.
    """
    with _reading(model_name, client):
        comment = client.registered_models.get(model_name).comment
    if (comment or "").strip():
        return
    message = (
        f"registered model {model_name} has no comment: say what it predicts, of which data, and who answers for it: "
        f"`databricks registered-models update {model_name} --comment '...'`, or in Catalog Explorer"
    )
    if required:
        raise ModelVersionError(message)
    pulumi.log.warn(message)


@contextmanager
def _reading(model_name: str, client: WorkspaceClient) -> Iterator[None]:
    """An answer that is an error is not "there is no such version": it stops the preview with the service's words."""
    import requests
    from databricks.sdk.errors.base import DatabricksError

    try:
        yield
    except ProviderError as error:
        raise ModelVersionError(str(error)) from None
    # The SDK gives up with TimeoutError when its own retries have used up their time.
    except (DatabricksError, requests.RequestException, TimeoutError) as error:
        reason = str(error).partition(" Config: ")[0]
        raise ModelVersionError(
            f"the versions of {model_name} could not be read from {client.config.host}: "
            f"{type(error).__name__}: {reason}. "
            "Check DATABRICKS_TOKEN (or the profile) and that its identity may use the catalog and schema"
        ) from None


def _ready_versions(model_name: str, client: WorkspaceClient) -> dict[str, bool]:
    """Version number to whether it is READY, oldest first."""
    from databricks.sdk.errors import NotFound
    from databricks.sdk.service.catalog import ModelVersionInfoStatus

    try:
        found = sorted(client.model_versions.list(model_name), key=lambda info: info.version or 0)
    except NotFound:
        raise NoVersionYetError(
            f"registered model {model_name} does not exist in {client.config.host}: train and register it first, "
            "or correct model.name in the stack file"
        ) from None
    return {str(info.version): info.status == ModelVersionInfoStatus.READY for info in found}


def _version(model: ModelConfig, alias: str, stated: str, ready: dict[str, bool], client: WorkspaceClient) -> str:
    if stated == NEWEST:
        return _newest(model, alias, [version for version, is_ready in ready.items() if is_ready], client)
    if stated == OBSERVED:
        stated = _observed(model.name, alias, client)
    _require_ready(model.name, stated, ready, f"model.aliases.{alias}")
    return stated


def _newest(model: ModelConfig, alias: str, ready: Sequence[str], client: WorkspaceClient) -> str:
    """The newest of the READY versions that has what a move of the alias requires: another could not get it anyway."""
    if not ready:
        raise NoVersionYetError(
            f"model.aliases.{alias}: {model.name} has no READY version yet: register one, or name a version number"
        )
    requires = model.settings_of(alias).requires
    passed_over: list[str] = []
    for version in reversed(ready):
        lacking = missing_tags(version_facts(client, model.name, version).tags, requires) if requires else {}
        if lacking:
            passed_over.append(f"version {version} ({', '.join(lacking.values())})")
            continue
        if passed_over:
            pulumi.log.warn(
                f"model.aliases.{alias}: version {version} of {model.name} is taken; newer, without what "
                f"model.promotion.{alias}.requires asks for: {', '.join(passed_over)}"
            )
        return version
    raise NoVersionYetError(
        f"model.aliases.{alias}: no READY version of {model.name} has the tags that model.promotion.{alias}.requires "
        f"asks for: {', '.join(passed_over)}. Let a version pass what sets them, or name a version number"
    )


def _observed(model_name: str, alias: str, client: WorkspaceClient) -> str:
    from databricks.sdk.errors import NotFound

    try:
        return str(client.model_versions.get_by_alias(model_name, alias).version)
    except NotFound:
        aliases = client.registered_models.get(model_name, include_aliases=True).aliases or []
        known = (
            ", ".join(sorted(f"{known.alias_name} -> {known.version_num}" for known in aliases)) or "no alias at all"
        )
        raise ModelVersionError(
            f"model.aliases.{alias} is observed, but {model_name} has no alias {alias!r} (it has {known}): "
            "set it first, or give it a version number in the stack file so that the stack manages it"
        ) from None


def _require_ready(model_name: str, version: str, ready: dict[str, bool], what: str) -> None:
    if version not in ready:
        known = ", ".join(ready) or "none"
        raise ModelVersionError(
            f"{what}: {model_name} has no version {version} (versions: {known}); name one that exists"
        )
    if not ready[version]:
        raise ModelVersionError(
            f"{what}: version {version} of {model_name} is not READY: its registration is unfinished or failed; "
            "finish it or name another version"
        )
