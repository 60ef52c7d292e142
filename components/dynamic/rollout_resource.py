"""`TrafficRollout` as a program declares it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pulumi

from ..arguments import Arguments
from ..release.plan import Plan
from .explicit_provider import WorkspaceResource
from .provider import Props
from .rollout import TrafficRolloutProvider
from .smoke_suite import SmokeCase, expectation_text, payload_text

PROVIDER_VERSION = "1"


@dataclass(frozen=True, kw_only=True)
class TrafficRolloutArgs(Arguments):
    """What a `TrafficRollout` is made of."""

    endpoint_name: pulumi.Input[str]
    """The endpoint, whose `ModelServing` declares no `config`."""
    endpoint_id: pulumi.Input[str]
    """Its opaque id: an endpoint that was made anew is another one, and so is its rollout."""
    model: pulumi.Input[str]
    """Registered model, `catalog.schema.model`."""
    version: pulumi.Input[str]
    """Version number that is to serve."""
    entity_name: pulumi.Input[str]
    """Name of its served entity, where no entity with other settings has it."""
    queries: Sequence[SmokeCase]
    """What the new version has to answer before it gets traffic."""
    plan: Plan = field(default_factory=Plan)
    """Steps, bakes, gates, budget, rollback window."""
    scale_to_zero_enabled: bool
    """Stated always: the service refuses a custom model without it."""
    workload_size: Literal["Small", "Medium", "Large"] | None = None
    """Small when neither this nor a concurrency is given."""
    min_provisioned_concurrency: int | None = None
    """Requests at a time, a multiple of 4; takes the place of `workload_size`."""
    max_provisioned_concurrency: int | None = None
    """The same; together with the minimum."""
    workload_type: str = "CPU"
    """CPU, CPU_MEDIUM, CPU_LARGE or a GPU type that the region offers."""
    environment_vars: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """For the model's process; secrets only as `{{secrets/<scope>/<key>}}`."""
    instance_profile_arn: str | None = None
    """AWS only: the role that the model's process assumes."""
    timeout_seconds: float = 60.0
    """For one answer of a warm entity."""
    warm_up_seconds: float = 300.0
    """For the first answer of a new entity."""
    retries: int = 2
    """How often an answer of 429 or 503, or a broken connection, is asked again."""
    backoff_seconds: float = 5.0
    """Before the first of these; twice as long before each further one."""
    payload_table: pulumi.Input[str] | None = None
    """Inference table, `catalog.schema.table`; needed where a gate reads it."""
    warehouse_id: pulumi.Input[str] | None = None
    """SQL warehouse that reads it."""
    report_folder: str | None = None
    """Where transcripts go; the environment's RELEASE_REPORT_DIR when left out, nowhere without that."""
    provider_version: str = PROVIDER_VERSION
    """Version of the provider's behaviour; a new one asks the smoke queries again and moves nothing."""


class TrafficRollout(WorkspaceResource, module="serving", name="TrafficRollout"):
    """The config of an endpoint, changed by releases. Depend on it with whatever may only happen after one."""

    version: pulumi.Output[str]
    """What serves; after a release that failed still the version before."""
    serving: pulumi.Output[str]
    """Its served entity."""
    split: pulumi.Output[dict[str, Any]]
    """Served entity to percent, as last put or seen by refresh."""
    standby: pulumi.Output[dict[str, Any]]
    """Served entity at 0 % to the end of its rollback window, seconds since the epoch."""
    standby_versions: pulumi.Output[dict[str, str]]
    digest: pulumi.Output[str]
    """Of version, settings and suite: what a failed release is remembered by."""
    evidence: pulumi.Output[str]
    """sha256 of what was proven: endpoint, release and entity. For the alias that follows."""
    status: pulumi.Output[str]
    """`released`: a release that does not end so leaves the old outputs."""
    release: pulumi.Output[str]
    """Id of the last release; its transcript has that name."""
    released_at: pulumi.Output[str]
    """ISO 8601, UTC."""
    previous_version: pulumi.Output[str]
    history: pulumi.Output[list[str]]
    """What happened in the last release, in order."""
    queries_sent: pulumi.Output[int]
    latency_ms: pulumi.Output[dict[str, Any]]
    """Of the last smoke queries."""
    answered_by: pulumi.Output[dict[str, str]]

    def __init__(self, name: str, args: TrafficRolloutArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props: Props = {
            "endpoint_name": args.endpoint_name,
            "endpoint_id": args.endpoint_id,
            "model": args.model,
            "version": args.version,
            "entity_name": args.entity_name,
            "queries": [
                {
                    "name": case.name,
                    "payload": pulumi.Output.from_input(case.payload).apply(payload_text),
                    "expect": expectation_text(case.expect),
                    **({} if case.version is None else {"version": case.version}),
                }
                for case in args.queries
            ],
            "plan": args.plan.text(),
            "workload_size": args.workload_size,
            "min_provisioned_concurrency": args.min_provisioned_concurrency,
            "max_provisioned_concurrency": args.max_provisioned_concurrency,
            "workload_type": args.workload_type,
            "instance_profile_arn": args.instance_profile_arn,
            "scale_to_zero_enabled": args.scale_to_zero_enabled,
            "environment_vars": dict(args.environment_vars),
            "timeout_seconds": args.timeout_seconds,
            "warm_up_seconds": args.warm_up_seconds,
            "retries": args.retries,
            "backoff_seconds": args.backoff_seconds,
            "payload_table": args.payload_table,
            "warehouse_id": args.warehouse_id,
            "report_folder": args.report_folder,
            "provider_version": args.provider_version,
            **dict.fromkeys(_OUTPUTS),
        }
        super().__init__(TrafficRolloutProvider(), name, props, opts)


_OUTPUTS = (
    "serving",
    "split",
    "standby",
    "standby_versions",
    "good",
    "digest",
    "evidence",
    "status",
    "release",
    "released_at",
    "previous_version",
    "history",
    "queries_sent",
    "latency_ms",
    "answered_by",
)
