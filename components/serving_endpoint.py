"""`ServingEndpoint`: a custom-model endpoint with a standing traffic split, its inference table and who may use it.

Behaviour of the resource behind it: facts on `databricks:index/modelServing:ModelServing` (Databricks provider
source). What that resource would let through or drop silently is settled here: entities are named, the split is
explicit and adds up, `scale_to_zero_enabled` is always stated, the gateway block is never removed, and what the
provider never sends after the create (description, notifications, budget policy) is not offered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pulumi

from components import databricks
from components.dependencies import dependencies
from components.names import ThreePartName, check_endpoint_name, check_served_entity_name, check_version
from components.traffic import TrafficSplit

PermissionLevel = Literal["CAN_VIEW", "CAN_QUERY", "CAN_MANAGE"]


@dataclass(frozen=True, kw_only=True)
class ServedEntityArgs:
    """One version of a registered model behind the endpoint."""

    model: str
    """Registered model, `catalog.schema.model`."""
    version: str
    """Version number: digits. Aliases are resolved before (components/registry.py)."""
    traffic_percentage: int
    """Whole percent of the requests, 0 to 100."""
    scale_to_zero_enabled: bool
    """Stated always: the service refuses a custom model without it."""
    name: str | None = None
    """Name of the served entity; `<model>-<version>` when left out."""
    workload_size: Literal["Small", "Medium", "Large"] = "Small"
    """Provisioned concurrency: Small 4, Medium 8 to 16, Large 16 to 64."""
    workload_type: str = "CPU"
    """CPU, CPU_MEDIUM, CPU_LARGE or a GPU type of the cloud."""
    environment_vars: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """For the model's process; secrets only as `{{secrets/<scope>/<key>}}`: the service returns these values to
    readers.
    """

    @property
    def entity_name(self) -> str:
        """Name of the served entity. Raises ValueError where the model's or the given name cannot be one."""
        return check_served_entity_name(
            self.name or f"{ThreePartName.parse(self.model).name}-{check_version(self.version)}"
        )


@dataclass(frozen=True, kw_only=True)
class InferenceTableArgs:
    """Where requests and responses are written. It cannot be moved while it is on (components/inference_table.py)."""

    catalog: str
    schema: str
    prefix: str

    @property
    def table(self) -> str:
        """`<catalog>.<schema>.<prefix>_payload`, the name AI Gateway gives it."""
        return str(ThreePartName.parse(f"{self.catalog}.{self.schema}.{self.prefix}_payload"))


@dataclass(frozen=True, kw_only=True)
class EndpointPermission:
    """One entry of the endpoint's access control list; exactly one of the three principals."""

    level: PermissionLevel
    group: str | None = None
    user: str | None = None
    service_principal: str | None = None


@dataclass(frozen=True, kw_only=True)
class ServingEndpointArgs:
    """What a `ServingEndpoint` is made of."""

    name: str
    """Name of the endpoint: letters, digits, dash, underscore. A new name is a new endpoint."""
    served_entities: Sequence[ServedEntityArgs]
    """One to ten; their traffic totals 100."""
    inference_table: InferenceTableArgs | None = None
    """AI Gateway inference table; none when left out."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of the endpoint (cost attribution, ownership)."""
    permissions: Sequence[EndpointPermission] = ()
    """Who may see, query or manage it. Authoritative: others lose what they had. The deploying identity keeps
    CAN_MANAGE.
    """
    run_as: pulumi.Input[str] | None = None
    """Principal that gets EXECUTE on the served models; none is granted when left out."""
    timeout: str = "45m"
    """How long the endpoint may take to be created or updated, in Pulumi's duration form (`30m`)."""


class ServingEndpoint(pulumi.ComponentResource):
    """A serving endpoint of registered models.

    Raises:
        ValueError: a name, a version or the traffic split breaks a rule; nothing has been registered then.
    """

    endpoint_name: pulumi.Output[str]
    endpoint_url: pulumi.Output[str]
    """Where to send requests: `<host>/serving-endpoints/<name>/invocations`."""
    endpoint_id: pulumi.Output[str]
    """The opaque id, which permissions are keyed on."""
    payload_table: str | None
    """Three-part name of the inference table; whoever reads it depends on this component."""
    traffic: TrafficSplit
    served_entity_names: list[str]

    def __init__(self, name: str, args: ServingEndpointArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check_endpoint_name(args.name)
        self.traffic = TrafficSplit.of(
            (entity.entity_name, entity.traffic_percentage) for entity in args.served_entities
        )
        self.served_entity_names = [entity.entity_name for entity in args.served_entities]
        super().__init__("databricks-serving:index:ServingEndpoint", name, None, opts)
        self.grants = self._grant_execute(name, args)
        self.endpoint = databricks.ModelServing(
            name,
            name=args.name,
            config=_config(args, self.traffic),
            ai_gateway=_ai_gateway(args.inference_table),
            tags=[databricks.ModelServingTagArgs(key=key, value=value) for key, value in sorted(args.tags.items())],
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*dependencies(opts), *self.grants],
                # A new name is a new endpoint: it answers before the old one goes. The provider would delete first.
                delete_before_replace=False,
                custom_timeouts=pulumi.CustomTimeouts(create=args.timeout, update=args.timeout),
            ),
        )
        self.permissions = self._permissions(name, args)
        self.endpoint_name = self.endpoint.name
        self.endpoint_url = self.endpoint.endpoint_url
        self.endpoint_id = self.endpoint.serving_endpoint_id
        self.payload_table = args.inference_table.table if args.inference_table else None
        self.register_outputs(
            {
                "endpoint_name": self.endpoint_name,
                "endpoint_url": self.endpoint_url,
                "endpoint_id": self.endpoint_id,
                "payload_table": self.payload_table,
                "served_entity_names": self.served_entity_names,
            }
        )

    def _grant_execute(self, name: str, args: ServingEndpointArgs) -> list[databricks.Grant]:
        """EXECUTE for the identity that serves. `Grant` (one principal), since the model is not this stack's own."""
        if args.run_as is None:
            return []
        models = sorted({entity.model for entity in args.served_entities})
        return [
            databricks.Grant(
                f"{name}-execute-{ThreePartName.parse(model).name}",
                model=model,
                principal=args.run_as,
                privileges=["EXECUTE"],
                opts=pulumi.ResourceOptions(parent=self),
            )
            for model in models
        ]

    def _permissions(self, name: str, args: ServingEndpointArgs) -> databricks.Permissions | None:
        if not args.permissions:
            return None
        return databricks.Permissions(
            f"{name}-permissions",
            serving_endpoint_id=self.endpoint.serving_endpoint_id,
            access_controls=[
                databricks.PermissionsAccessControlArgs(
                    permission_level=entry.level,
                    group_name=entry.group,
                    user_name=entry.user,
                    service_principal_name=entry.service_principal,
                )
                for entry in args.permissions
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )


def _config(args: ServingEndpointArgs, traffic: TrafficSplit) -> databricks.ModelServingConfigArgs:
    return databricks.ModelServingConfigArgs(
        served_entities=[
            databricks.ModelServingConfigServedEntityArgs(
                name=entity.entity_name,
                entity_name=str(ThreePartName.parse(entity.model)),
                entity_version=check_version(entity.version),
                workload_size=entity.workload_size,
                workload_type=entity.workload_type,
                scale_to_zero_enabled=entity.scale_to_zero_enabled,
                environment_vars=dict(entity.environment_vars) or None,
            )
            for entity in args.served_entities
        ],
        traffic_config=databricks.ModelServingConfigTrafficConfigArgs(
            routes=[
                databricks.ModelServingConfigTrafficConfigRouteArgs(
                    served_model_name=route.served_entity_name, traffic_percentage=route.traffic_percentage
                )
                for route in traffic.routes
            ]
        ),
    )


def _ai_gateway(table: InferenceTableArgs | None) -> databricks.ModelServingAiGatewayArgs:
    """The gateway block. It is written without a table too: the official plugin panics when the block goes away."""
    config = (
        databricks.ModelServingAiGatewayInferenceTableConfigArgs(enabled=False)
        if table is None
        else databricks.ModelServingAiGatewayInferenceTableConfigArgs(
            enabled=True, catalog_name=table.catalog, schema_name=table.schema, table_name_prefix=table.prefix
        )
    )
    return databricks.ModelServingAiGatewayArgs(inference_table_config=config)
