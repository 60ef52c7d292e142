"""The one schema of a stack file: what may stand under `<project>:serving`, and every rule across its fields.

The engine hands the object over as it stands in `Pulumi.<stack>.yaml`; keys are camelCase there. All mistakes are
reported at once, each with its path, the value received and the fix (`components/config_errors.py`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

from components.environments import ENVIRONMENTS, Environment
from components.names import (
    InvalidNameError,
    ThreePartName,
    check_alias,
    check_endpoint_name,
    check_identifier,
    check_served_entity_name,
    check_version,
)
from components.traffic import TrafficSplit
from components.unpack import UnpackedSchema

NEWEST = ""
OBSERVED = "observed"
# Of the monitoring API, in the words of `QualityMonitor`.
_GRANULARITY = re.compile(r"5 minutes|30 minutes|1 hour|1 day|[1-4] weeks?|1 month|1 year")
_QUARTZ_FIELDS = (6, 7)


def _version(value: Any) -> Any:
    """YAML reads `15` as a number; a version is a text of digits, and nothing is lost by taking either."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _filled(value: str) -> str:
    if not value.strip():
        raise ValueError("is empty; write a value, or leave the key out where it has a default")
    return value


def _identifier(what: str) -> Callable[[str], str]:
    return lambda value: check_identifier(what, value)


def _cron(value: str) -> str:
    if len(value.split()) not in _QUARTZ_FIELDS:
        raise ValueError(
            f"{value!r} is no Quartz expression, which has six or seven fields, seconds first; "
            'write for example "0 0 * * * ?"'
        )
    return value


Version = Annotated[str, BeforeValidator(_version)]
Filled = Annotated[str, AfterValidator(_filled)]
Catalog = Annotated[str, AfterValidator(_identifier("catalog"))]
Schema = Annotated[str, AfterValidator(_identifier("schema"))]
Cron = Annotated[str, AfterValidator(_cron)]
Privileged = Literal["CAN_VIEW", "CAN_QUERY", "CAN_MANAGE"]
PublishMode = Literal["SNAPSHOT", "TRIGGERED", "CONTINUOUS"]


class _Section(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, strict=True)


class ModelConfig(_Section):
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

    @field_validator("name")
    @classmethod
    def _three_parts(cls, value: str) -> str:
        return str(ThreePartName.parse(value))

    @field_validator("aliases")
    @classmethod
    def _aliases(cls, value: dict[str, str]) -> dict[str, str]:
        for alias, version in value.items():
            check_alias(alias)
            if version not in (NEWEST, OBSERVED):
                check_version(version)
        return value


class ServedEntityConfig(_Section):
    """One served entity: a version of the model and its share of the traffic."""

    alias: str | None = Field(default=None, description="Take the version of this alias of `model.aliases`.")
    version: Version | None = Field(default=None, description="Or this version of the model.")
    traffic: int = Field(description="Whole percent of the requests; all entities together total 100.")
    name: str | None = Field(default=None, description="Name of the served entity; `<model>-<version>` when left out.")
    workload_size: Literal["Small", "Medium", "Large"] = Field(
        default="Small", description="Provisioned concurrency: Small 4, Medium 8 to 16, Large 16 to 64."
    )
    workload_type: Literal["CPU", "CPU_MEDIUM", "CPU_LARGE", "GPU_SMALL", "GPU_MEDIUM", "GPU_LARGE"] = "CPU"
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
    def _one_source(self) -> ServedEntityConfig:
        if (self.alias is None) == (self.version is None):
            raise ValueError("names its version twice or not at all; set exactly one of `alias` and `version`")
        return self


class InferenceTableConfig(_Section):
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


class PermissionConfig(_Section):
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


class EndpointConfig(_Section):
    """The serving endpoint."""

    name: str = Field(description="Name of the endpoint: letters, digits, dash and underscore.")
    entities: list[ServedEntityConfig] = Field(min_length=1, max_length=10)
    scale_to_zero: bool | None = Field(default=None, description="As the environment does when left out: off in prod.")
    inference_table: InferenceTableConfig | None = None
    tags: dict[str, str] = Field(default_factory=dict)
    permissions: list[PermissionConfig] = Field(default_factory=list)

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


class OnlineStoreConfig(_Section):
    """The online store that the feature tables are published to."""

    name: Filled
    capacity: Literal["CU_1", "CU_2", "CU_4", "CU_8"] = "CU_1"
    read_replica_count: int = Field(default=0, ge=0)


class FeatureTableConfig(_Section):
    """A feature table and its online copy."""

    source: str = Field(description="Table name; in the stack's catalog and schema unless it has three parts.")
    primary_keys: list[str] = Field(min_length=1, description="Key columns, in the order of the table's PRIMARY KEY.")
    timeseries_key: str | None = Field(default=None, description="TIMESERIES column of the key: the newest row wins.")
    publish_mode: PublishMode = "TRIGGERED"
    online_name: str | None = Field(
        default=None, description="Name of the online table; `<source>_online` when left out."
    )

    @field_validator("primary_keys")
    @classmethod
    def _unique(cls, value: list[str]) -> list[str]:
        if len(set(value)) != len(value):
            raise ValueError(f"names a column twice: {value}; a key column is named once")
        return value


class SmokeExpectationConfig(_Section):
    """What a smoke query's answer must look like."""

    status: int = 200
    predictions: int | None = Field(
        default=None,
        ge=0,
        description="Number of predictions; one for each record when left out.",
    )
    required_fields: list[str] = Field(default_factory=list, description="Fields that every prediction has.")
    values: list[Any] | None = Field(default=None, description="The predictions themselves, in order.")
    tolerance: float = Field(default=0.0, ge=0, description="Largest allowed difference of a number in `values`.")
    max_latency_ms: float | None = Field(default=None, gt=0)


class SmokeQueryConfig(_Section):
    """One named question to the endpoint and to each of its served entities."""

    name: str
    payload: dict[str, Any] = Field(description="Body of the request, for example `{dataframe_records: [...]}`.")
    expect: SmokeExpectationConfig = SmokeExpectationConfig()


class SmokeConfig(_Section):
    """The queries that prove a deployment before the alias moves."""

    queries: list[SmokeQueryConfig] = Field(min_length=1)
    timeout_seconds: float = Field(default=60, gt=0, description="For one query.")
    warm_up_seconds: float = Field(default=300, ge=0, description="For the first answer of a cold endpoint.")
    initial_delay_seconds: float = Field(default=0, ge=0)

    @field_validator("queries")
    @classmethod
    def _names(cls, value: list[SmokeQueryConfig]) -> list[SmokeQueryConfig]:
        names = [query.name for query in value]
        if len(set(names)) != len(names):
            raise ValueError(f"names a query twice: {names}; give every query a name of its own")
        return value


class MonitorConfig(_Section):
    """The unpacked inference table and the quality monitor that watches it."""

    record_columns: dict[str, str] = Field(
        min_length=1, description="Columns of a request record that are unpacked: name to Databricks SQL type."
    )
    problem_type: Literal["PROBLEM_TYPE_REGRESSION", "PROBLEM_TYPE_CLASSIFICATION"]
    prediction_type: str = Field(default="double", description="Databricks SQL type of a prediction.")
    label_column: str | None = Field(default=None, description="Column for the true value, filled when it is known.")
    label_type: str = "double"
    granularities: list[str] = Field(default_factory=lambda: ["1 day"], min_length=1)
    slicing_exprs: list[str] = Field(default_factory=list)
    baseline_table: str | None = None
    assets_dir: str = Field(pattern="^/", description="Workspace folder for the monitor's dashboard, from the root.")
    unpack_cron: Cron = Field(
        default="0 0 * * * ?", description="Quartz expression, UTC: when new requests are unpacked."
    )
    monitor_cron: Cron | None = Field(default=None, description="Quartz expression, UTC: when metrics are refreshed.")

    @property
    def unpacked(self) -> UnpackedSchema:
        """The columns of the table that is watched. Raises ValueError where they make no table."""
        return UnpackedSchema(
            record_columns=self.record_columns,
            prediction_type=self.prediction_type,
            label_column=self.label_column,
            label_type=self.label_type,
        )

    @field_validator("granularities")
    @classmethod
    def _windows(cls, value: list[str]) -> list[str]:
        if wrong := [window for window in value if not _GRANULARITY.fullmatch(window)]:
            raise ValueError(
                f"{', '.join(map(repr, wrong))} is no window of a monitor; use 5 minutes, 30 minutes, 1 hour, 1 day, "
                "1 week to 4 weeks, 1 month or 1 year"
            )
        return value

    @field_validator("baseline_table")
    @classmethod
    def _three_parts(cls, value: str | None) -> str | None:
        return value if value is None else str(ThreePartName.parse(value))

    @model_validator(mode="after")
    def _makes_a_table(self) -> MonitorConfig:
        _ = self.unpacked
        return self


class StackConfig(_Section):
    """A stack: one endpoint, the features and the model behind it, and what watches it."""

    environment: Literal["local", "staging", "prod"]
    catalog: Catalog
    schema_name: Schema = Field(alias="schema")
    warehouse_id: Filled = Field(description="SQL warehouse that creates the monitored table and unpacks requests.")
    serving_principal: Filled = Field(
        description="Gets SELECT on online tables and EXECUTE on the model. An endpoint runs as its creator."
    )
    online_store: OnlineStoreConfig
    feature_tables: list[FeatureTableConfig] = Field(min_length=1)
    model: ModelConfig
    endpoint: EndpointConfig
    smoke: SmokeConfig
    monitor: MonitorConfig | None = None

    @model_validator(mode="after")
    def _across_fields(self) -> StackConfig:
        problems = [
            *self._alias_problems(),
            *self._version_problems(),
            *self._table_problems(),
            *self._monitor_problems(),
        ]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def defaults(self) -> Environment:
        return ENVIRONMENTS[self.environment]

    @property
    def scale_to_zero(self) -> bool:
        """Whether entities that say nothing themselves scale to zero."""
        stated = self.endpoint.scale_to_zero
        return self.defaults.scale_to_zero if stated is None else stated

    def qualified(self, table: str) -> str:
        """The three-part name of a table that may have been named by its last part."""
        return str(ThreePartName.parse(table if "." in table else f"{self.catalog}.{self.schema_name}.{table}"))

    def _alias_problems(self) -> list[str]:
        known = ", ".join(sorted(self.model.aliases))
        return [
            f"endpoint.entities: unknown alias {entity.alias!r}; model.aliases has {known}: "
            "add it there or use one of them"
            for entity in self.endpoint.entities
            if entity.alias is not None and entity.alias not in self.model.aliases
        ]

    def _version_problems(self) -> list[str]:
        if self.defaults.newest_version_allowed:
            return []
        return [
            f"model.aliases.{alias}: an empty version means the newest one, which {self.environment} does not allow; "
            "name the version number that was proven before"
            for alias, version in self.model.aliases.items()
            if version == NEWEST
        ]

    def _table_problems(self) -> Iterator[str]:
        """Names that are none, and tables that would be declared twice: the engine would end in a traceback."""
        seen: dict[str, str] = {}
        for number, table in enumerate(self.feature_tables):
            for key, name in (("source", table.source), ("onlineName", table.online_name or f"{table.source}_online")):
                path = f"featureTables[{number}].{key}"
                try:
                    full_name = self.qualified(name)
                except InvalidNameError as error:
                    yield f"{path}: {error}"
                    break
                other = seen.setdefault(full_name.lower(), path)
                if other != path:
                    yield f"{path}: {full_name} is {other} already; name every table once"

    def _monitor_problems(self) -> list[str]:
        if self.monitor is not None and self.endpoint.inference_table is None:
            return [
                "monitor: there is no inference table to watch; set endpoint.inferenceTable.prefix or remove monitor"
            ]
        return []
