"""What staging and prod do differently when a stack file says nothing: one table, read by the stack schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Defaults of one environment."""

    name: str
    scale_to_zero: bool
    """Off in prod: Databricks documents scale to zero as unsuitable for production endpoints (latency, no capacity
    guarantee).
    """
    endpoint_timeout: str
    """How long an endpoint may take to be created or updated, in Pulumi's duration form."""
    newest_version_allowed: bool
    """Whether an empty model version may mean "the newest READY one"."""
    publish_poll_seconds: float
    """Between two looks at a table that is being published: Databricks takes minutes."""
    keeps_monitored_table: bool
    """Whether the table of unpacked requests outlives the stack: it holds labels that nothing else has."""
    alias_on_delete: Literal["keep", "remove"]
    """What `destroy` does with a managed alias: in prod, jobs outside the stack may read it."""
    needs_model_comment: bool
    """Whether a registered model that says nothing of itself is refused; a warning elsewhere."""
    loopback_only: bool
    """Whether the stack may only ever reach a workspace on this machine."""


ENVIRONMENTS: dict[str, Environment] = {
    environment.name: environment
    for environment in (
        Environment(
            name="local",
            scale_to_zero=True,
            endpoint_timeout="10m",
            newest_version_allowed=True,
            publish_poll_seconds=0.2,
            keeps_monitored_table=False,
            alias_on_delete="remove",
            needs_model_comment=False,
            loopback_only=True,
        ),
        Environment(
            name="staging",
            scale_to_zero=True,
            endpoint_timeout="30m",
            newest_version_allowed=True,
            publish_poll_seconds=30.0,
            keeps_monitored_table=False,
            alias_on_delete="remove",
            needs_model_comment=False,
            loopback_only=False,
        ),
        Environment(
            name="prod",
            scale_to_zero=False,
            endpoint_timeout="120m",
            newest_version_allowed=False,
            publish_poll_seconds=30.0,
            keeps_monitored_table=True,
            alias_on_delete="keep",
            needs_model_comment=True,
            loopback_only=False,
        ),
    )
}
