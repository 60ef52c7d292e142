"""The model and the endpoint of a stack file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from ..ai_gateway import RateLimitArgs
from ..names import (
    ThreePartName,
    check_alias,
    check_endpoint_name,
    check_served_entity_name,
    check_version,
)
from ..served_entity import ServedEntityArgs, WorkloadSize, WorkloadType
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


class ModelConfig(Section):
    """The registered model that the endpoint serves, and its aliases."""

    name: str = Field(description="Registered model, `catalog.schema.model`.")
    aliases: dict[str, Version] = Field(
        min_length=1,
        description=(
            "Alias to version. A number makes the alias managed: the stack moves it, last. An empty text means the "
            'newest READY version (not in prod). "observed" leaves the alias to others: it is read at preview and '
            "never written."
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

    @model_validator(mode="after")
    def _promotes_its_own(self) -> ModelConfig:
        managed = [alias for alias, stated in self.aliases.items() if stated != OBSERVED]
        if others := [alias for alias in self.promotion if alias not in managed]:
            raise ValueError(
                f"promotion has conditions for {', '.join(others)}, which this stack does not manage "
                f"(it manages {', '.join(managed) or 'none'}); correct the name, or give the alias a version"
            )
        if strangers := {who: alias for who, alias in self.consumers.items() if alias not in self.aliases}:
            named = ", ".join(f"{who}: {alias}" for who, alias in strangers.items())
            raise ValueError(
                f"consumers has {named}, and aliases has {', '.join(self.aliases)}; add the alias, or correct its name"
            )
        if self.promoted_from is not None and self.promoted_from.model == self.name:
            raise ValueError(
                f"promotedFrom.model is {self.name} itself; name the model that the version is copied from"
            )
        return self

    def settings_of(self, alias: str) -> AliasPromotionConfig:
        """The conditions of an alias's moves; the defaults where the file has none."""
        return self.promotion.get(alias, AliasPromotionConfig())


class ServedEntityConfig(Section):
    """One served entity: a version of the model and its share of the traffic."""

    alias: str | None = Field(default=None, description="Take the version of this alias of `model.aliases`.")
    version: Version | None = Field(default=None, description="Or this version of the model.")
    traffic: int = Field(description="Whole percent of the requests; all entities together total 100.")
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

    def version_in(self, versions: Mapping[str, str]) -> str:
        """The version number, with aliases looked up in `versions`."""
        return self.version if self.version is not None else versions[str(self.alias)]

    @model_validator(mode="after")
    def _as_the_service_takes_it(self) -> ServedEntityConfig:
        # Rules of sizes and variables are the entity's own; the version is not known yet.
        ServedEntityArgs(
            model="(model)",
            version=self.version or f"({self.alias})",
            traffic_percentage=self.traffic,
            scale_to_zero_enabled=self.scale_to_zero is not False,
            **self.sizing,
        )
        return self

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

    @model_validator(mode="after")
    def _one_source(self) -> ServedEntityConfig:
        if (self.alias is None) == (self.version is None):
            raise ValueError("names its version twice or not at all; set exactly one of `alias` and `version`")
        return self


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

    @model_validator(mode="after")
    def _as_the_gateway_takes_it(self) -> RateLimitConfig:
        RateLimitArgs(calls=self.calls, key=self.key, principal=self.principal)
        return self


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
        return next(f"{kind} {value.lower()}" for kind, value in kinds.items() if value is not None)

    @model_validator(mode="after")
    def _one_principal(self) -> PermissionConfig:
        if sum(value is not None for value in (self.group, self.user, self.service_principal)) != 1:
            raise ValueError("names no principal or several; set exactly one of `group`, `user` and `servicePrincipal`")
        return self


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
        description="DBU an hour of one replica, for workload types that the rate table does not have (GPU).",
    )
    route_optimized: bool = Field(
        default=False, description="A shorter way to the endpoint; another value is a new endpoint."
    )

    @field_validator("limits")
    @classmethod
    def _one_limit_each(cls, value: list[RateLimitConfig]) -> list[RateLimitConfig]:
        counts = Counter((limit.key, limit.principal) for limit in value)
        if twice := [" ".join(filter(None, key)) for key, count in counts.items() if count > 1]:
            raise ValueError(f"has more than one limit for {', '.join(twice)}; give each key and principal one")
        return value

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        return check_endpoint_name(value)

    @field_validator("permissions")
    @classmethod
    def _once(cls, value: list[PermissionConfig]) -> list[PermissionConfig]:
        counts = Counter(entry.principal for entry in value)
        if twice := [principal for principal, count in counts.items() if count > 1]:
            raise ValueError(f"names {', '.join(twice)} more than once; give each principal its highest level, once")
        if "group admins" in counts:
            raise ValueError("names group admins, which can manage every endpoint and cannot be listed; remove it")
        return value

    @field_validator("entities")
    @classmethod
    def _adds_up(cls, value: list[ServedEntityConfig]) -> list[ServedEntityConfig]:
        TrafficSplit.of(
            (entity.name or entity.alias or f"version {entity.version}", entity.traffic) for entity in value
        )
        return value

    @model_validator(mode="after")
    def _releases_one(self) -> EndpointConfig:
        if self.rollout is None:
            return self
        if len(self.entities) != 1:
            raise ValueError(
                f"names {len(self.entities)} entities and a rollout, which releases one: leave the version that is to "
                "serve in the end, with traffic 100; or remove rollout for a standing split"
            )
        if self.rollout.plan.lag_seconds and self.inference_table is None:
            raise ValueError("has a gate on the inference table, and none is there; set inferenceTable.prefix")
        return self
