"""The model and the endpoint of a stack file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field, field_validator

from ..ai_gateway import RateLimitArgs
from ..names import (
    ThreePartName,
    check_alias,
    check_endpoint_name,
    check_served_entity_name,
    check_version,
)
from ..served_entity import ServedEntityArgs, WorkloadSize, WorkloadType, check_variables
from ..traffic import TrafficSplit
from .fields import (
    NEWEST,
    OBSERVED,
    Catalog,
    Email,
    Filled,
    Privileged,
    Schema,
    Section,
    Version,
)
from .promotion import AliasPromotionConfig, PromotedFromConfig, check_ladder
from .rollout import RolloutConfig
from .rules import rule


class ModelConfig(Section):
    """The registered model that the endpoint serves, and its aliases."""

    name: str = Field(description="Registered model, `catalog.schema.model`.")
    aliases: dict[str, Version] = Field(
        min_length=1,
        description=(
            "Alias to version. A number makes the alias managed: the stack moves it, last. An empty text means the "
            "newest READY version with the tags that its promotion requires (not in prod). "
            '"observed" leaves the alias to others: it is read at preview and never written.'
        ),
    )
    ladder: list[str] = Field(
        default_factory=list,
        description=(
            "Aliases in the order in which a version climbs them, lowest first, for example challenger, champion, "
            "production. The last one names the version with the most traffic."
        ),
    )
    promotion: dict[str, AliasPromotionConfig] = Field(
        default_factory=dict, description="Managed alias to the conditions of its moves."
    )
    feature_lookup: bool | None = Field(
        default=None,
        description=(
            "Whether a version has to look its features up; true where the stack publishes feature tables, when left "
            "out. false is for models that get their features in another way."
        ),
    )
    functions: list[Filled] = Field(
        default_factory=list,
        description=(
            "Functions, by three-part name, that the model's on-demand features call; the serving principal gets "
            "EXECUTE on them."
        ),
    )
    consumers: dict[str, str] = Field(
        default_factory=dict,
        description=(
            "Who uses the model, by which alias: for example `{realtime: production, batch: champion}`. Exported with "
            "the version, so that two consumers on different versions are seen."
        ),
    )
    promoted_from: PromotedFromConfig | None = Field(
        default=None, description="Aliases move only to copies of this version, on the same proof."
    )

    @field_validator("name")
    @classmethod
    def _three_parts(cls, value: str) -> str:
        return str(ThreePartName.parse(value))

    @field_validator("functions")
    @classmethod
    def _functions(cls, value: list[str]) -> list[str]:
        return [str(ThreePartName.parse(name, what="function")) for name in value]

    @field_validator("aliases")
    @classmethod
    def _aliases(cls, value: dict[str, str]) -> dict[str, str]:
        for alias, version in value.items():
            check_alias(alias)
            if version not in (NEWEST, OBSERVED):
                check_version(version)
        return value

    @field_validator("ladder")
    @classmethod
    def _rungs(cls, value: list[str]) -> list[str]:
        return check_ladder(value)

    @rule()
    def _promotes_its_own(self) -> Iterator[str]:
        managed = [alias for alias, stated in self.aliases.items() if stated != OBSERVED]
        if others := [alias for alias in self.promotion if alias not in managed]:
            yield (
                f"promotion has conditions for {', '.join(others)}, which this stack does not manage "
                f"(it manages {', '.join(managed) or 'none'}); correct the name, or give the alias a version"
            )
        if strangers := {who: alias for who, alias in self.consumers.items() if alias not in self.aliases}:
            named = ", ".join(f"{who}: {alias}" for who, alias in strangers.items())
            yield (
                f"consumers has {named}, and aliases has {', '.join(self.aliases)}; add the alias, or correct its name"
            )
        if self.promoted_from is not None and self.promoted_from.model == self.name:
            yield f"promotedFrom.model is {self.name} itself; name the model that the version is copied from"

    def settings_of(self, alias: str) -> AliasPromotionConfig:
        """The conditions of an alias's moves; the defaults where the file has none."""
        return self.promotion.get(alias, AliasPromotionConfig())


class ServedEntityConfig(Section):
    """One served entity: a version of the model and its share of the traffic."""

    alias: str | None = Field(default=None, description="Take the version of this alias of `model.aliases`.")
    version: Version | None = Field(default=None, description="Or this version of the model.")
    traffic: int = Field(description="Whole percent of the requests; all entities together total 100.")
    dark: bool = Field(
        default=False, description="Meant to get no traffic and to be asked directly only: traffic 0 is refused else."
    )
    name: str | None = Field(default=None, description="Name of the served entity; `<model>-<version>` when left out.")
    workload_size: WorkloadSize | None = Field(
        default=None, description="Provisioned concurrency: Small 4 (the default), Medium 8 to 16, Large 16 to 64."
    )
    min_provisioned_concurrency: int | None = Field(
        default=None, description="Requests at a time, a multiple of 4; with the maximum, in place of workloadSize."
    )
    max_provisioned_concurrency: int | None = Field(default=None, description="Requests at a time, a multiple of 4.")
    workload_type: WorkloadType = "CPU"
    environment_vars: dict[str, str] = Field(
        default_factory=dict,
        description="For the model's process. Secrets as {{secrets/<scope>/<key>}}: readers of the endpoint see these.",
    )
    scale_to_zero: bool | None = Field(default=None, description="For this entity; else as the endpoint says.")

    @field_validator("version")
    @classmethod
    def _digits(cls, value: str | None) -> str | None:
        return value if value is None else check_version(value)

    @field_validator("name")
    @classmethod
    def _name(cls, value: str | None) -> str | None:
        return value if value is None else check_served_entity_name(value)

    @property
    def label(self) -> str:
        """What messages call it. A name that is none is told of elsewhere, and keeps no sum from being checked."""
        return getattr(self, "name", None) or self.alias or f"version {self.version}"

    def version_in(self, versions: Mapping[str, str]) -> str:
        """The version number, with aliases looked up in `versions`."""
        return self.version if self.version is not None else versions[str(self.alias)]

    @rule()
    def _as_the_service_takes_it(self) -> None:
        # Rules of sizes are the entity's own; the version is not known yet.
        ServedEntityArgs(
            model="(model)",
            version=self.version or f"({self.alias})",
            traffic_percentage=self.traffic,
            scale_to_zero_enabled=self.scale_to_zero is not False,
            **{**self.sizing, "environment_vars": {}},
        )

    @rule()
    def _variables(self) -> None:
        check_variables(f"served entity of version {self.version or f'({self.alias})'}", self.environment_vars)

    @rule("traffic")
    def _dark_on_purpose(self) -> Iterator[str]:
        if self.traffic == 0 and not self.dark:
            yield (
                f"is 0 for {self.label}, which would cost as much as any other entity and answer nobody; give it a "
                "share, remove it, or set `dark: true` where it is to be asked directly only"
            )
        if self.traffic != 0 and self.dark:
            yield f"is {self.traffic} for {self.label}, which is dark; give it 0, or remove `dark`"

    @property
    def sizing(self) -> dict[str, Any]:
        """Size, type and variables, by the names of `ServedEntityArgs`."""
        return {
            "workload_size": self.workload_size,
            "min_provisioned_concurrency": self.min_provisioned_concurrency,
            "max_provisioned_concurrency": self.max_provisioned_concurrency,
            "workload_type": self.workload_type,
            "environment_vars": self.environment_vars,
        }

    @rule()
    def _one_source(self) -> None:
        if (self.alias is None) == (self.version is None):
            raise ValueError("names its version twice or not at all; set exactly one of `alias` and `version`")


class InferenceTableConfig(Section):
    """The AI Gateway inference table, `<catalog>.<schema>.<prefix>_payload`. It cannot be moved while it is on."""

    prefix: str = Field(description="Table name prefix: letters, digits and underscores.")
    catalog: Catalog | None = Field(default=None, description="Catalog; the stack's own when left out.")
    schema_name: Schema | None = Field(
        default=None, alias="schema", description="Schema; the stack's own when left out."
    )

    @field_validator("prefix")
    @classmethod
    def _plain(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9_]+", value):
            raise ValueError(f"{value!r} cannot begin a table name; use letters, digits and underscores only")
        return value


class RateLimitConfig(Section):
    """At most so many calls a minute; more is answered with 429."""

    calls: int = Field(ge=1, description="Requests a minute.")
    key: Literal["endpoint", "user", "service_principal", "user_group"] = "endpoint"
    principal: Filled | None = Field(default=None, description="Application id or group, with those two keys only.")

    @rule()
    def _as_the_gateway_takes_it(self) -> None:
        RateLimitArgs(calls=self.calls, key=self.key, principal=self.principal)


class NotificationsConfig(Section):
    """Who hears of updates of the endpoint, by e-mail."""

    on_success: list[Email] = Field(default_factory=list)
    on_failure: list[Email] = Field(default_factory=list)


class PermissionConfig(Section):
    """Who may do what with the endpoint."""

    level: Privileged
    group: Filled | None = None
    user: Filled | None = None
    service_principal: Filled | None = Field(default=None, description="Application id of the service principal.")

    @property
    def principal(self) -> str:
        """Whom it is for; names are told apart by kind, and not by case."""
        kinds = {"group": self.group, "user": self.user, "service principal": self.service_principal}
        return next((f"{kind} {value.lower()}" for kind, value in kinds.items() if value is not None), "nobody")

    @rule()
    def _one_principal(self) -> None:
        if sum(value is not None for value in (self.group, self.user, self.service_principal)) != 1:
            raise ValueError("names no principal or several; set exactly one of `group`, `user` and `servicePrincipal`")


class EndpointConfig(Section):
    """The serving endpoint."""

    name: str = Field(description="Name of the endpoint: letters, digits, dash and underscore.")
    entities: list[ServedEntityConfig] = Field(min_length=1, max_length=10)
    rollout: RolloutConfig | None = Field(
        default=None, description="Release new versions by steps; a standing split when left out."
    )
    scale_to_zero: bool | None = Field(default=None, description="As the environment does when left out: off in prod.")
    inference_table: InferenceTableConfig | None = None
    usage_tracking: bool = Field(default=False, description="A row for each request in system.serving.endpoint_usage.")
    limits: list[RateLimitConfig] = Field(default_factory=list, description="AI Gateway rate limits.")
    tags: dict[str, str] = Field(default_factory=dict)
    permissions: list[PermissionConfig] = Field(default_factory=list)
    notifications: NotificationsConfig = NotificationsConfig()
    description: str | None = Field(default=None, description="Cannot be changed once the endpoint is there.")
    budget_policy_id: Filled | None = Field(
        default=None, description="Serverless budget policy. Cannot be changed once the endpoint is there."
    )
    dbu_per_hour: dict[WorkloadType, float] = Field(
        default_factory=dict,
        description="DBU an hour of a replica, by workload type: where no rate is known, or in place of its own.",
    )
    route_optimized: bool = Field(
        default=False,
        description="A shorter way to the endpoint. It cannot be changed: another value needs a new name as well.",
    )

    @rule("limits")
    def _one_limit_each(self) -> Iterator[str]:
        counts = Counter((limit.key, limit.principal) for limit in self.limits)
        if twice := [" ".join(filter(None, key)) for key, count in counts.items() if count > 1]:
            yield f"has more than one limit for {', '.join(twice)}; give each key and principal one"

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        return check_endpoint_name(value)

    @rule("permissions")
    def _once(self) -> Iterator[str]:
        counts = Counter(entry.principal for entry in self.permissions)
        if twice := [principal for principal, count in counts.items() if count > 1]:
            yield f"names {', '.join(twice)} more than once; give each principal its highest level, once"
        if "group admins" in counts:
            yield "names group admins, which can manage every endpoint and cannot be listed; remove it"

    @rule("entities")
    def _adds_up(self) -> None:
        TrafficSplit.of((entity.label, entity.traffic) for entity in self.entities)

    @rule()
    def _releases_one(self) -> Iterator[str]:
        if self.rollout is None:
            return
        if len(self.entities) != 1:
            yield (
                f"names {len(self.entities)} entities and a rollout, which releases one: leave the version that is to "
                "serve in the end, with traffic 100; or remove rollout for a standing split"
            )
        if self.rollout.plan.lag_seconds and self.inference_table is None:
            yield "has a gate on the inference table, and none is there; set inferenceTable.prefix"
