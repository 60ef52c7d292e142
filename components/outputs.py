"""The stack outputs as a contract with the apps that read them: named, typed, versioned.

`pulumi stack output --json` gives this document; `StackOutputs.model_validate` reads it. A reader meets newer
documents too: unknown keys are ignored, keys are only ever added within a major version.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

CONTRACT_VERSION = "1.2"


class _Document(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True, populate_by_name=True)


class ServedEntityOutput(_Document):
    """One served entity of the endpoint."""

    name: str
    version: str
    traffic_percentage: int


class SmokeResultOutput(_Document):
    """What the smoke queries found, when they last ran."""

    status: str
    digest: str = Field(description="SHA-256 of suite, entities and verdicts: the evidence that the alias carries.")
    passed_at: str = Field(description="ISO 8601, UTC.")
    queries_sent: int
    answered_by: dict[str, str] = Field(description="Served entity to verdict.")
    latency_ms: dict[str, float] = Field(
        default_factory=dict,
        description="Of whole answers: max and median of the warm ones, cold_start. Empty with releases. Since 1.2.",
    )


class FeatureLatencyOutput(_Document):
    """What was measured of one served entity's feature lookups."""

    verdict: str = Field(description="`met`, or `unproven` where requests vary by more than the target.")
    percentile: int
    bound_ms: float = Field(description="With 95 % confidence the percentile of a lookup is no larger.")
    typical_ms: float
    target_ms: float
    measured_at: str = Field(description="ISO 8601, UTC.")


class ConsumerOutput(_Document):
    """Which version one consumer of the model is to use."""

    alias: str
    version: str


class ReleaseOutput(_Document):
    """The last release that succeeded, where the stack releases by steps."""

    id: str
    version: str
    previous_version: str
    digest: str = Field(description="Of version, settings and smoke queries: what a failed release is remembered by.")
    released_at: str = Field(description="ISO 8601, UTC.")
    split: dict[str, int] = Field(description="Served entity to percent, as last put or seen by refresh.")
    standby: dict[str, float] = Field(
        description="Served entity at 0 % to the end of its rollback window, seconds since the epoch."
    )
    history: list[str] = Field(description="What happened, in order.")


class CostOutput(_Document):
    """What the stack costs an hour at list price, at rest, at its floor and at its ceiling."""

    rates_as_of: str
    dbu_per_hour: dict[str, float] = Field(description="Keys at_rest, floor and ceiling.")
    usd_per_hour: dict[str, float] = Field(description="The same, the online store included.")
    unknown: list[str] = Field(description="What no rate is known for; in no sum.")


class SecretPrefixesOutput(_Document):
    """Where the users of an external online store are: `scope/prefix`, to which `-user` and `-password` are added."""

    read: str = Field(description="Of who looks features up.")
    write: str = Field(description="Of who publishes.")


class StackOutputs(_Document):
    """All outputs of a serving stack."""

    contract_version: str
    environment: str
    endpoint_name: str
    endpoint_url: str = Field(description="POST here, with a bearer token.")
    served_entities: list[ServedEntityOutput]
    model_name: str
    aliases: dict[str, str] = Field(description="Alias to version number.")
    resolved_version: str = Field(description="Version with the largest share of the traffic.")
    previous_versions: dict[str, str] = Field(
        description="Managed alias to the version before: empty where there was none, its own where it was adopted."
    )
    # The engine leaves out an output that is null.
    payload_table: str | None = Field(default=None, description="AI Gateway inference table.")
    online_store_name: str
    online_table_names: list[str]
    online_table_states: dict[str, str]
    smoke_result: SmokeResultOutput
    monitor_table: str | None = None
    profile_metrics_table: str | None = None
    drift_metrics_table: str | None = None
    dashboard_id: str | None = None
    job_ids: dict[str, str]
    alert_ids: dict[str, str] = Field(default_factory=dict, description="Short name of an alert to its id. Since 1.1.")
    cost: CostOutput | None = Field(default=None, description="Since 1.1.")
    release: ReleaseOutput | None = Field(default=None, description="Only with endpoint.rollout. Since 1.1.")
    endpoint_state: str | None = Field(
        default=None, description="READY, when the smoke queries last passed; the endpoint itself knows. Since 1.2."
    )
    feature_latency: dict[str, FeatureLatencyOutput] = Field(
        default_factory=dict, description="Served entity to its lookups, where they are measured. Since 1.2."
    )
    consumers: dict[str, ConsumerOutput] = Field(
        default_factory=dict, description="Who uses the model, and which version of it. Since 1.2."
    )
    secret_prefixes: SecretPrefixesOutput | None = Field(
        default=None, description="Only with an external online store. Since 1.2."
    )


def outputs_schema() -> dict[str, Any]:
    """The JSON Schema of the document (draft 2020-12), for apps that are not in Python."""
    schema = StackOutputs.model_json_schema(by_alias=True, mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"stack-outputs/{CONTRACT_VERSION}",
        **schema,
    }


def export_outputs(values: Mapping[str, Any]) -> None:
    """Export a stack's outputs, by the field names of `StackOutputs`.

    Raises:
        KeyError: a field is missing or unknown: a program cannot break the contract silently.
    """
    complete = {"contract_version": CONTRACT_VERSION, **values}
    expected = set(StackOutputs.model_fields)
    if missing := expected - set(complete):
        raise KeyError(f"stack outputs lack {sorted(missing)}")
    if unknown := set(complete) - expected:
        raise KeyError(f"stack outputs have unknown {sorted(unknown)}; add them to components/outputs.py first")
    for name, field in StackOutputs.model_fields.items():
        pulumi.export(field.alias or name, complete[name])
