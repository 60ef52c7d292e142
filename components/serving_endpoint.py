"""`ServingEndpoint`: an endpoint with a standing traffic split or releases, its inference table and who may use it.

Behaviour of the resource behind it: facts on `databricks:index/modelServing:ModelServing` (Databricks provider
source). What that resource would let through or drop silently is settled here: entities are named, the split is
explicit and adds up, `scale_to_zero_enabled` is always stated, the gateway block is never removed. What the provider
never sends after the create goes through `EndpointSettings`: notifications are changed, a change of description or
budget policy is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pulumi

from . import databricks
from .ai_gateway import AiGatewayArgs, InferenceTableArgs
from .arguments import Arguments
from .checks import check_emails, check_timeout
from .dynamic import EndpointSettings, EndpointSettingsArgs
from .dynamic.rollout_resource import TrafficRollout
from .names import ThreePartName, check_endpoint_name
from .options import dependencies, main_options
from .permissions import access_controls, check_entries
from .rollout import RolloutArgs, make_rollout, released_entity
from .served_entity import AnyServedEntity, ExternalModelArgs, ServedEntityArgs, check_together
from .traffic import TrafficSplit

__all__ = [
    "AiGatewayArgs",
    "EndpointPermission",
    "InferenceTableArgs",
    "PermissionLevel",
    "RolloutArgs",
    "ServedEntityArgs",
    "ServingEndpoint",
    "ServingEndpointArgs",
]

PermissionLevel = Literal["CAN_VIEW", "CAN_QUERY", "CAN_MANAGE"]


@dataclass(frozen=True, kw_only=True)
class EndpointPermission(Arguments):
    """One entry of the endpoint's access control list; exactly one of the three principals."""

    level: PermissionLevel
    """CAN_VIEW, CAN_QUERY or CAN_MANAGE."""
    group: pulumi.Input[str] | None = None
    """Name of a group."""
    user: pulumi.Input[str] | None = None
    """User name."""
    service_principal: pulumi.Input[str] | None = None
    """Application id."""


@dataclass(frozen=True, kw_only=True)
class ServingEndpointArgs(Arguments):
    """What a `ServingEndpoint` is made of."""

    name: str
    """Name of the endpoint: letters, digits, dash, underscore. A new name is a new endpoint."""
    served_entities: Sequence[AnyServedEntity]
    """One to ten; their traffic totals 100."""
    rollout: RolloutArgs | None = None
    """How a new version of the only entity is released; without it, what is declared runs at once."""
    inference_table: InferenceTableArgs | None = None
    """AI Gateway inference table; none when left out."""
    gateway: AiGatewayArgs = field(default_factory=AiGatewayArgs)
    """What the gateway does besides: usage tracking, rate limits, guardrails, fallback."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of the endpoint (cost attribution, ownership)."""
    permissions: Sequence[EndpointPermission] = ()
    """Who may see, query or manage it. Authoritative: others lose what they had. The deploying identity keeps
    CAN_MANAGE.
    """
    run_as: pulumi.Input[str] | None = None
    """Principal that gets EXECUTE on the served models; none is granted when left out. Where a `ModelRegistration` owns
    the grants of a model, name the principal there and not here: its list is the whole one, and would take this away.
    """
    functions: Sequence[str] = ()
    """Unity Catalog functions that on-demand features of the models call; `run_as` gets EXECUTE on them."""
    timeout: str = "45m"
    """How long the endpoint may take to be created or updated, in Pulumi's duration form (`30m`)."""
    route_optimized: bool = False
    """Whether requests go to the endpoint by a shorter way, at an address of its own. It cannot be changed: another
    value needs a new name as well, and True under the name of an endpoint without it is refused at preview.
    """
    description: str | None = None
    """For people. Databricks has no call that changes it, so a change is refused at preview."""
    budget_policy_id: str | None = None
    """Serverless budget policy that the endpoint is accounted to. A change is refused at preview, for the same
    reason.
    """
    notify_on_success: Sequence[str] = ()
    """E-mail addresses that hear of each successful update."""
    notify_on_failure: Sequence[str] = ()
    """E-mail addresses that hear of each failed update."""


class ServingEndpoint(pulumi.ComponentResource):
    """A serving endpoint of registered, external or foundation models.

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
    rollout: TrafficRollout | None
    """With releases: what owns the config. Depend on it with what may only happen after one."""

    def __init__(self, name: str, args: ServingEndpointArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check_endpoint_name(args.name)
        self.traffic = TrafficSplit.of(
            (entity.entity_name, entity.traffic_percentage) for entity in args.served_entities
        )
        self.served_entity_names = [entity.entity_name for entity in args.served_entities]
        check_together(list(args.served_entities))
        args.gateway.check_for({entity.kind for entity in args.served_entities})
        check_entries(f"endpoint {args.name}", args.permissions)
        check_timeout(f"endpoint {args.name}: timeout", args.timeout)
        check_emails(f"endpoint {args.name}: a notified address", [*args.notify_on_success, *args.notify_on_failure])
        _check_ignored(args, opts)
        released = None if args.rollout is None else released_entity(args.served_entities)
        super().__init__("databricks-serving:index:ServingEndpoint", name, None, opts)
        self.grants = self._grant_execute(name, args)
        self.endpoint = databricks.ModelServing(
            name,
            name=args.name,
            # `config` is optional and computed: undeclared, the plugin neither shows nor sends a difference in it.
            config=_config(args, self.traffic) if released is None else None,
            ai_gateway=args.gateway.inputs(args.inference_table),
            route_optimized=args.route_optimized or None,
            description=args.description,
            budget_policy_id=args.budget_policy_id,
            tags=[databricks.ModelServingTagArgs(key=key, value=value) for key, value in sorted(args.tags.items())],
            opts=pulumi.ResourceOptions.merge(
                main_options(self, opts, timeout=args.timeout),
                # A new name is a new endpoint: it answers before the old one goes. The provider would delete first.
                pulumi.ResourceOptions(depends_on=self.grants, delete_before_replace=False),
            ),
        )
        self.settings = self._settings(name, args)
        self.permissions = permissions_of(name, self.endpoint.serving_endpoint_id, args.permissions, self)
        self.endpoint_name = self.endpoint.name
        self.endpoint_url = self.endpoint.endpoint_url
        self.endpoint_id = self.endpoint.serving_endpoint_id
        self.payload_table = args.inference_table.table if args.inference_table else None
        self.rollout = None
        if args.rollout is not None and released is not None:
            self.rollout = make_rollout(
                f"{name}-rollout",
                args.rollout,
                released,
                endpoint_name=self.endpoint_name,
                endpoint_id=self.endpoint_id,
                payload_table=self.payload_table,
                opts=pulumi.ResourceOptions(parent=self, depends_on=[*dependencies(opts), *self.grants]),
            )
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
        models = [entity.model for entity in args.served_entities if not isinstance(entity, ExternalModelArgs)]
        objects = [
            *((f"{name}-execute-{label}", "model", model) for label, model in _labelled(models).items()),
            *(
                (f"{name}-execute-function-{label}", "function", one)
                for label, one in _labelled(args.functions).items()
            ),
        ]
        return [
            databricks.Grant(
                resource,
                model=full_name if kind == "model" else None,
                function=full_name if kind == "function" else None,
                principal=args.run_as,
                privileges=["EXECUTE"],
                opts=pulumi.ResourceOptions(parent=self),
            )
            for resource, kind, full_name in sorted(objects)
        ]

    def _settings(self, name: str, args: ServingEndpointArgs) -> EndpointSettings | None:
        stated = (args.description, args.budget_policy_id, args.notify_on_success, args.notify_on_failure)
        if not any(stated) and not args.route_optimized:
            return None
        return EndpointSettings(
            f"{name}-settings",
            EndpointSettingsArgs(
                endpoint_name=self.endpoint.name,
                on_update_success=args.notify_on_success,
                on_update_failure=args.notify_on_failure,
                description=args.description or "",
                budget_policy_id=args.budget_policy_id or "",
                route_optimized=args.route_optimized,
                declared_name=args.name,
            ),
            pulumi.ResourceOptions(parent=self),
        )


def _labelled(full_names: Iterable[str]) -> dict[str, str]:
    """Each name once, by its last part; a further one of the same last part by all of it."""
    labels: dict[str, str] = {}
    for full_name in dict.fromkeys(full_names):
        last = ThreePartName.parse(full_name).name
        labels[last if last not in labels else full_name.replace(".", "-")] = full_name
    return labels


def _check_ignored(args: ServingEndpointArgs, opts: pulumi.ResourceOptions | None) -> None:
    """The provider sends the whole config or none: with a part of it ignored it would send a split of two times."""
    ignored = [path for path in (opts.ignore_changes if opts else None) or [] if path.split(".")[0] == "config"]
    if ignored:
        raise ValueError(
            f"endpoint {args.name} ignores changes of {', '.join(ignored)}: a refresh or a replacement would then send "
            "a config that nobody declared; remove ignore_changes, and leave entities and traffic to releases (rollout)"
        )


def permissions_of(
    name: str, endpoint_id: pulumi.Output[str], entries: Sequence[EndpointPermission], parent: pulumi.Resource
) -> databricks.Permissions | None:
    """The access control list of an endpoint, keyed on its opaque id; None where no entry is given."""
    if not entries:
        return None
    return databricks.Permissions(
        f"{name}-permissions",
        serving_endpoint_id=endpoint_id,
        access_controls=access_controls(entries),
        opts=pulumi.ResourceOptions(parent=parent),
    )


def _config(args: ServingEndpointArgs, traffic: TrafficSplit) -> databricks.ModelServingConfigArgs:
    return databricks.ModelServingConfigArgs(
        served_entities=[entity.inputs() for entity in args.served_entities],
        traffic_config=databricks.ModelServingConfigTrafficConfigArgs(
            routes=[
                databricks.ModelServingConfigTrafficConfigRouteArgs(
                    served_model_name=route.served_entity_name, traffic_percentage=route.traffic_percentage
                )
                for route in traffic.routes
            ]
        ),
    )
