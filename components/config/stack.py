"""The whole object, and every rule across its sections."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from ..environments import ENVIRONMENTS, Environment
from ..names import (
    InvalidNameError,
    ThreePartName,
    check_online_table,
)
from .alerts import AlertsConfig
from .alerts_and_monitor import silent_alerts
from .endpoint import EndpointConfig, ModelConfig
from .features import FeatureLatencyConfig, FeatureTableConfig, OnlineStoreConfig
from .fields import (
    NEWEST,
    Catalog,
    Filled,
    Schema,
    Section,
)
from .monitor import MonitorConfig
from .rules import rule
from .smoke import SmokeConfig


class PlaceConfig(Section):
    """Where a stack is: what the stack files of all projects have in common."""

    environment: Literal["local", "staging", "prod"]
    catalog: Catalog
    schema_name: Schema = Field(alias="schema")

    @property
    def defaults(self) -> Environment:
        return ENVIRONMENTS[self.environment]

    def qualified(self, table: str) -> str:
        """The three-part name of a table that may have been named by its last part."""
        return str(ThreePartName.parse(table if "." in table else f"{self.catalog}.{self.schema_name}.{table}"))

    @rule()
    def _problems(self) -> Iterator[str]:
        """What is wrong between fields; a project's own schema adds to it."""
        yield from ()


class ServingConfig(PlaceConfig):
    """One endpoint, the model behind it, and what watches it."""

    warehouse_id: Filled = Field(description="SQL warehouse that creates the monitored table and unpacks requests.")
    serving_principal: Filled = Field(
        description="Gets SELECT on online tables and EXECUTE on the model. An endpoint runs as its creator."
    )
    model: ModelConfig
    endpoint: EndpointConfig
    smoke: SmokeConfig
    monitor: MonitorConfig | None = None
    alerts: AlertsConfig | None = None

    @property
    def scale_to_zero(self) -> bool:
        """Whether entities that say nothing themselves scale to zero."""
        stated = self.endpoint.scale_to_zero
        return self.defaults.scale_to_zero if stated is None else stated

    @rule()
    def _alias_problems(self) -> list[str]:
        known = ", ".join(sorted(self.model.aliases))
        return [
            f"endpoint.entities: unknown alias {entity.alias!r}; model.aliases has {known}: "
            "add it there or use one of them"
            for entity in self.endpoint.entities
            if entity.alias is not None and entity.alias not in self.model.aliases
        ]

    @rule()
    def _version_problems(self) -> list[str]:
        if self.defaults.newest_version_allowed:
            return []
        return [
            f"model.aliases.{alias}: an empty version means the newest one, which {self.environment} does not allow; "
            "name the version number that was proven before"
            for alias, version in self.model.aliases.items()
            if version == NEWEST
        ]

    @rule()
    def _monitor_problems(self) -> list[str]:
        if self.monitor is not None and self.endpoint.inference_table is None:
            return [
                "monitor: there is no inference table to watch; set endpoint.inferenceTable.prefix or remove monitor"
            ]
        if self.monitor is not None and self.monitor.model_id == "model_version" and not self.endpoint.usage_tracking:
            return [
                "monitor.modelId: model_version is read from system.serving.served_entities, which knows endpoints "
                "with usage tracking; set endpoint.usageTracking: true, or modelId: served_entity_id"
            ]
        return []

    @rule()
    def _alert_problems(self) -> Iterator[str]:
        if self.alerts is None:
            return
        if self.alerts.asks_the_inference_table and self.endpoint.inference_table is None:
            yield (
                "alerts: limits on errors, latency and tokens are read from the inference table, and there is none; "
                "set endpoint.inferenceTable.prefix or remove them"
            )
        if self.alerts.asks_the_monitor and self.monitor is None:
            yield "alerts: drift and quality are read from the monitor's tables; add monitor or remove them"

    @rule()
    def _silent_alert_problems(self) -> Iterator[str]:
        if self.alerts is not None and self.monitor is not None:
            yield from silent_alerts(self.alerts, self.monitor)


class StackConfig(ServingConfig):
    """A stack: one endpoint, the features and the model behind it, and what watches it."""

    online_store: OnlineStoreConfig
    feature_tables: list[FeatureTableConfig] = Field(min_length=1)
    feature_latency: FeatureLatencyConfig | None = None

    @property
    def lookup_record(self) -> dict[str, Any] | None:
        """The record whose lookup is measured; None where nobody names one."""
        if self.feature_latency is None or self.feature_latency.record is not None:
            return None if self.feature_latency is None else self.feature_latency.record
        records = [query.payload.get("dataframe_records") for query in self.smoke.queries]
        return next((dict(found[0]) for found in records if found), None)

    @rule()
    def _latency_problems(self) -> Iterator[str]:
        latency = self.feature_latency
        if latency is None:
            return
        record = self.lookup_record
        if record is None:
            yield (
                "featureLatency.record: is left out, and no smoke query has dataframe_records to take one from; "
                "write a record with keys that are there"
            )
        elif both := sorted(set(record) & set(latency.features)):
            yield (
                f"featureLatency.features: {', '.join(both)} stands in the record of the smoke query too, so that "
                "it is never looked up there; write a record with the keys alone"
            )

    @rule()
    def _table_problems(self) -> Iterator[str]:
        """Names that are none, and tables that would be declared twice: the engine would end in a traceback."""
        seen: dict[str, str] = {}
        for number, table in enumerate(self.feature_tables):
            for key, name in (("source", table.source), ("onlineName", table.online_name or f"{table.source}_online")):
                path = f"featureTables[{number}].{key}"
                try:
                    full_name = self.qualified(name)
                    if key == "onlineName":
                        check_online_table(full_name, what="name")
                except InvalidNameError as error:
                    yield f"{path}: {error}"
                    break
                other = seen.setdefault(full_name.lower(), path)
                if other != path:
                    yield f"{path}: {full_name} is {other} already; name every table once"
