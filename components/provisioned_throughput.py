"""`ProvisionedThroughputEndpoint`: a foundation model that is sold in model units, on an endpoint of its own.

It is another resource than `ServingEndpoint`'s, with other paths (`POST serving-endpoints/pt`). Older models take their
throughput in tokens per second: `FoundationModelArgs` on a `ServingEndpoint`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from . import databricks
from .ai_gateway import AiGatewayArgs, InferenceTableArgs
from .arguments import Arguments
from .checks import check_emails, check_timeout
from .dynamic import EndpointSettings, EndpointSettingsArgs
from .names import ThreePartName, check_endpoint_name, check_served_entity_name, check_version
from .options import main_options
from .permissions import check_entries
from .serving_endpoint import EndpointPermission, permissions_of
from .traffic import TrafficSplit


@dataclass(frozen=True, kw_only=True)
class ModelUnitsArgs(Arguments):
    """A version of a foundation model and the model units that are kept for it."""

    model: str
    """Model in Unity Catalog, `system.ai.<model>`."""
    version: str
    """Version number: digits."""
    provisioned_model_units: int
    """Model units; how many a model takes at least, its documentation says."""
    traffic_percentage: int
    """Whole percent of the requests, 0 to 100."""
    burst_scaling_enabled: bool = False
    """Whether it may take more for a while."""
    name: str | None = None
    """Name of the served entity; `<model>-<version>` when left out."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.provisioned_model_units < 1:
            raise ValueError(
                f"served entity of {self.model}: provisioned_model_units is {self.provisioned_model_units}; use 1 or "
                f"more"
            )

    @property
    def entity_name(self) -> str:
        """Name of the served entity. Raises ValueError where it cannot be one."""
        return check_served_entity_name(
            self.name or f"{ThreePartName.parse(self.model).name}-{check_version(self.version)}"
        )


@dataclass(frozen=True, kw_only=True)
class ProvisionedThroughputEndpointArgs(Arguments):
    """What a `ProvisionedThroughputEndpoint` is made of."""

    name: str
    """Name of the endpoint: letters, digits, dash, underscore. A new name is a new endpoint."""
    served_entities: Sequence[ModelUnitsArgs]
    """One to ten; their traffic totals 100."""
    inference_table: InferenceTableArgs | None = None
    """AI Gateway inference table; none when left out."""
    usage_tracking: bool = False
    """Whether the usage tables get a row for each request."""
    gateway: AiGatewayArgs = field(default_factory=AiGatewayArgs)
    """What the gateway does besides: rate limits by calls and tokens, guardrails; no fallback, which is for external
    models.
    """
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of the endpoint (cost attribution, ownership)."""
    permissions: Sequence[EndpointPermission] = ()
    """Who may see, query or manage it. Authoritative: others lose what they had."""
    budget_policy_id: str | None = None
    """Serverless budget policy that the endpoint is accounted to. Databricks has no call that changes it, so a change
    is refused at preview.
    """
    notify_on_success: Sequence[str] = ()
    """E-mail addresses that hear of each successful update."""
    notify_on_failure: Sequence[str] = ()
    """E-mail addresses that hear of each failed update."""
    timeout: str = "30m"
    """How long the endpoint may take to be created or updated, in Pulumi's duration form."""


class ProvisionedThroughputEndpoint(pulumi.ComponentResource):
    """A serving endpoint with model units of its own.

    Raises:
        ValueError: a name, a version or the traffic split breaks a rule; nothing has been registered then.
    """

    endpoint_name: pulumi.Output[str]
    endpoint_id: pulumi.Output[str]
    """The opaque id, which permissions are keyed on."""
    payload_table: str | None
    """Three-part name of the inference table."""
    traffic: TrafficSplit

    def __init__(
        self, name: str, args: ProvisionedThroughputEndpointArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        check_endpoint_name(args.name)
        self.traffic = TrafficSplit.of((one.entity_name, one.traffic_percentage) for one in args.served_entities)
        check_entries(f"endpoint {args.name}", args.permissions)
        check_timeout(f"endpoint {args.name}: timeout", args.timeout)
        check_emails(f"endpoint {args.name}: a notified address", [*args.notify_on_success, *args.notify_on_failure])
        args.gateway.check_for({"foundation model"})
        super().__init__("databricks-serving:index:ProvisionedThroughputEndpoint", name, None, opts)
        self.endpoint = databricks.ModelServingProvisionedThroughput(
            name,
            name=args.name,
            config=_config(args, self.traffic),
            ai_gateway=_ai_gateway(args),
            budget_policy_id=args.budget_policy_id,
            tags=[
                databricks.ModelServingProvisionedThroughputTagArgs(key=key, value=value)
                for key, value in sorted(args.tags.items())
            ],
            opts=pulumi.ResourceOptions.merge(
                main_options(self, opts, timeout=args.timeout),
                # A new name is a new endpoint: it answers before the old one goes.
                pulumi.ResourceOptions(delete_before_replace=False),
            ),
        )
        self.settings = self._settings(name, args)
        self.permissions = permissions_of(name, self.endpoint.serving_endpoint_id, args.permissions, self)
        self.endpoint_name = self.endpoint.name
        self.endpoint_id = self.endpoint.serving_endpoint_id
        self.payload_table = args.inference_table.table if args.inference_table else None
        self.register_outputs(
            {
                "endpoint_name": self.endpoint_name,
                "endpoint_id": self.endpoint_id,
                "payload_table": self.payload_table,
            }
        )

    def _settings(self, name: str, args: ProvisionedThroughputEndpointArgs) -> EndpointSettings | None:
        """What the plugin sends when the endpoint is made and never again, as for every endpoint."""
        if not any((args.budget_policy_id, args.notify_on_success, args.notify_on_failure)):
            return None
        return EndpointSettings(
            f"{name}-settings",
            EndpointSettingsArgs(
                endpoint_name=self.endpoint.name,
                on_update_success=args.notify_on_success,
                on_update_failure=args.notify_on_failure,
                budget_policy_id=args.budget_policy_id or "",
            ),
            pulumi.ResourceOptions(parent=self),
        )


def _config(
    args: ProvisionedThroughputEndpointArgs, traffic: TrafficSplit
) -> databricks.ModelServingProvisionedThroughputConfigArgs:
    return databricks.ModelServingProvisionedThroughputConfigArgs(
        served_entities=[
            databricks.ModelServingProvisionedThroughputConfigServedEntityArgs(
                name=entity.entity_name,
                entity_name=str(ThreePartName.parse(entity.model)),
                entity_version=check_version(entity.version),
                provisioned_model_units=entity.provisioned_model_units,
                burst_scaling_enabled=entity.burst_scaling_enabled,
            )
            for entity in args.served_entities
        ],
        traffic_config=databricks.ModelServingProvisionedThroughputConfigTrafficConfigArgs(
            routes=[
                databricks.ModelServingProvisionedThroughputConfigTrafficConfigRouteArgs(
                    served_model_name=route.served_entity_name, traffic_percentage=route.traffic_percentage
                )
                for route in traffic.routes
            ]
        ),
    )


def _ai_gateway(
    args: ProvisionedThroughputEndpointArgs,
) -> databricks.ModelServingProvisionedThroughputAiGatewayArgs:
    table = args.inference_table
    config = databricks.ModelServingProvisionedThroughputAiGatewayInferenceTableConfigArgs
    return databricks.ModelServingProvisionedThroughputAiGatewayArgs(
        inference_table_config=config(enabled=False)
        if table is None
        else config(enabled=True, catalog_name=table.catalog, schema_name=table.schema, table_name_prefix=table.prefix),
        usage_tracking_config=databricks.ModelServingProvisionedThroughputAiGatewayUsageTrackingConfigArgs(enabled=True)
        if args.usage_tracking or args.gateway.usage_tracking
        else None,
        rate_limits=[
            databricks.ModelServingProvisionedThroughputAiGatewayRateLimitArgs(
                renewal_period="minute",
                calls=limit.calls,
                tokens=limit.tokens,
                key=limit.key,
                principal=limit.principal,
            )
            for limit in args.gateway.rate_limits
        ]
        or None,
        guardrails=_guardrails(args.gateway),
    )


def _guardrails(gateway: AiGatewayArgs) -> databricks.ModelServingProvisionedThroughputAiGatewayGuardrailsArgs | None:
    given, answered = gateway.input_guardrails, gateway.output_guardrails
    if given is None and answered is None:
        return None
    return databricks.ModelServingProvisionedThroughputAiGatewayGuardrailsArgs(
        input=None
        if given is None
        else databricks.ModelServingProvisionedThroughputAiGatewayGuardrailsInputArgs(
            pii=databricks.ModelServingProvisionedThroughputAiGatewayGuardrailsInputPiiArgs(behavior=given.pii),
            safety=given.safety,
        ),
        output=None
        if answered is None
        else databricks.ModelServingProvisionedThroughputAiGatewayGuardrailsOutputArgs(
            pii=databricks.ModelServingProvisionedThroughputAiGatewayGuardrailsOutputPiiArgs(behavior=answered.pii),
            safety=answered.safety,
        ),
    )
