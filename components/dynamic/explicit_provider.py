"""Dynamic resources below an explicit provider belong to that provider's workspace, and say so in an input.

`pulumi_databricks.Provider` is handed down to the plugin's resources by the engine. A dynamic resource has a provider
of its own, which knows the stack's `databricks:*` settings and the environment only: without this it would look, and
write, in another workspace than everything around it. Host and profile are told; credentials never are, because inputs
are kept in state: they are found where an operation runs (`workspace_settings.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pulumi
from pulumi.dynamic import Resource, ResourceProvider

PACKAGE = "databricks"
PROPERTY = "workspace"
_TOLD = {"host": "host", "profile": "profile", "config_file": "configFile"}


class WorkspaceResource(Resource):
    """A dynamic resource of a workspace: that of the explicit provider, of its own or of what it is below."""

    def __init__(
        self, provider: ResourceProvider, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        explicit = next(_explicit(opts), None)
        # No input where there is none: states of before stay as they are.
        told = {} if explicit is None else {PROPERTY: _told(explicit)}
        super().__init__(provider, name, {**props, **told}, opts)


def _explicit(opts: pulumi.ResourceOptions | None) -> Iterator[pulumi.ProviderResource]:
    """The nearest first: of the resource itself, then of what it is below."""
    if opts is None:
        return
    given = opts.providers or []
    listed = list(given) if isinstance(given, Sequence) else list(given.values())
    yield from (one for one in (opts.provider, *listed) if one is not None and one.package == PACKAGE)
    if (
        opts.parent is not None
        and (above := opts.parent.get_provider(f"{PACKAGE}:index/provider:Provider")) is not None
    ):
        yield above


def _told(provider: pulumi.ProviderResource) -> dict[str, pulumi.Input[str | None]]:
    """What names the workspace; nothing that opens it. Each by itself: what a new provider leaves out is not known at
    preview, what it states is.
    """
    return {key: getattr(provider, attribute, None) for attribute, key in _TOLD.items()}
