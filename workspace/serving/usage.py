"""Usage tracking of AI Gateway: rows of `system.serving.endpoint_usage` and `system.serving.served_entities`.

Columns: docs "Configure AI Gateway on model serving endpoints", usage tracking table schemas.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import pyarrow as pa

from workspace.http import Json
from workspace.identity.caller import OWNER
from workspace.serving.outbox import Kind, Record, Row
from workspace.unity_catalog.tables import Column, Tables

CATALOG, SCHEMA = "system", "serving"
ENDPOINT_USAGE = f"{CATALOG}.{SCHEMA}.endpoint_usage"
SERVED_ENTITIES = f"{CATALOG}.{SCHEMA}.served_entities"
_TIMESTAMP = pa.timestamp("us", "UTC")
_CUSTOM = pa.struct([("min_concurrency", pa.int32()), ("max_concurrency", pa.int32()), ("compute_type", pa.string())])
_THROUGHPUT = pa.struct([("min_provisioned_throughput", pa.int32()), ("max_provisioned_throughput", pa.int32())])
_PROVIDER = pa.struct([("provider", pa.string())])
_CUSTOM_TEXT = "struct<min_concurrency:int,max_concurrency:int,compute_type:string>"
_THROUGHPUT_TEXT = "struct<min_provisioned_throughput:int,max_provisioned_throughput:int>"
# Name, Databricks type, Arrow type.
COLUMNS: dict[str, tuple[tuple[str, str, Any], ...]] = {
    ENDPOINT_USAGE: (
        ("account_id", "string", pa.string()),
        ("workspace_id", "string", pa.string()),
        ("client_request_id", "string", pa.string()),
        ("databricks_request_id", "string", pa.string()),
        ("requester", "string", pa.string()),
        ("status_code", "int", pa.int32()),
        ("request_time", "timestamp", _TIMESTAMP),
        ("input_token_count", "bigint", pa.int64()),
        ("output_token_count", "bigint", pa.int64()),
        ("input_character_count", "bigint", pa.int64()),
        ("output_character_count", "bigint", pa.int64()),
        ("usage_context", "map<string,string>", pa.map_(pa.string(), pa.string())),
        ("request_streaming", "boolean", pa.bool_()),
        ("served_entity_id", "string", pa.string()),
    ),
    SERVED_ENTITIES: (
        ("served_entity_id", "string", pa.string()),
        ("account_id", "string", pa.string()),
        ("workspace_id", "string", pa.string()),
        ("created_by", "string", pa.string()),
        ("endpoint_name", "string", pa.string()),
        ("endpoint_id", "string", pa.string()),
        ("served_entity_name", "string", pa.string()),
        ("entity_type", "string", pa.string()),
        ("entity_name", "string", pa.string()),
        ("entity_version", "string", pa.string()),
        ("endpoint_config_version", "int", pa.int32()),
        ("task", "string", pa.string()),
        ("external_model_config", "struct<provider:string>", _PROVIDER),
        ("foundation_model_config", _THROUGHPUT_TEXT, _THROUGHPUT),
        ("custom_model_config", _CUSTOM_TEXT, _CUSTOM),
        ("feature_spec_config", _CUSTOM_TEXT, _CUSTOM),
        ("change_time", "timestamp", _TIMESTAMP),
        ("endpoint_delete_time", "timestamp", _TIMESTAMP),
    ),
}
_TIMES = ("request_time", "change_time", "endpoint_delete_time")


class Containers(Protocol):
    """Catalogs and schemas, as far as system tables need them."""

    def has_schema(self, catalog: str, name: str) -> bool: ...

    def catalogs(self) -> list[Json]: ...

    def create_catalog(self, body: Mapping[str, Any], owner: str) -> Json: ...

    def create_schema(self, body: Mapping[str, Any], owner: str) -> Json: ...


class SystemTables:
    """Creates the serving system tables; on Databricks an account admin enables their schema, and reads it first."""

    def __init__(self, containers: Containers, tables: Tables) -> None:
        self._containers = containers
        self._tables = tables

    def ensure_schema(self, full_name: str) -> None:
        """The catalog and schema of a system table."""
        _, schema, _ = full_name.split(".")
        if not self._containers.has_schema(CATALOG, schema):
            if CATALOG not in [catalog["name"] for catalog in self._containers.catalogs()]:
                self._containers.create_catalog({"name": CATALOG, "comment": "System tables"}, OWNER.user_name)
            self._containers.create_schema({"name": schema, "catalog_name": CATALOG}, OWNER.user_name)

    def ensure(self, full_name: str) -> None:
        self.ensure_schema(full_name)
        if self._tables.find(full_name) is None:
            self._tables.create(full_name, [Column(name, text, True, None) for name, text, _ in COLUMNS[full_name]])

    def kinds(self) -> dict[str, Kind]:
        return {table: Kind(self.ensure, _shaped(table)) for table in COLUMNS}


@dataclass(frozen=True)
class Tokens:
    """What a call of a chat, completion or embedding model has used; all 0 for other models, as documented."""

    input: int = 0
    output: int = 0
    input_characters: int = 0
    output_characters: int = 0

    @property
    def total(self) -> int:
        return self.input + self.output


def count(request: bytes, response: bytes) -> Tokens:
    """The counts that the model gives in its answer; an estimate of (text length + 1) / 4 where it gives none."""
    asked, answered = _texts(_parsed(request)), _texts(_parsed(response))
    document = _parsed(response)
    usage = document.get("usage") if isinstance(document, dict) else None
    given = usage if isinstance(usage, dict) else {}
    return Tokens(
        input=_number(given, "prompt_tokens", "input_tokens", estimate=asked),
        output=_number(given, "completion_tokens", "output_tokens", estimate=answered),
        input_characters=asked,
        output_characters=answered,
    )


def usage_record(workspace_id: str, account_id: str, tokens: Tokens, fields: Row) -> Record:
    """The row of a call; `fields` are the columns that have nothing to do with counting."""
    counted = {
        "input_token_count": tokens.input,
        "output_token_count": tokens.output,
        "input_character_count": tokens.input_characters,
        "output_character_count": tokens.output_characters,
    }
    return Record(
        ENDPOINT_USAGE, ENDPOINT_USAGE, {"account_id": account_id, "workspace_id": workspace_id, **fields, **counted}
    )


def entity_record(workspace_id: str, account_id: str, endpoint: Json, entity: Json, deleted: float | None) -> Record:
    """The row that says what a served entity is from the endpoint's config on, or that it is gone."""
    external = entity.get("external_model")
    config = endpoint["config"]
    custom = {
        "min_concurrency": entity.get("min_provisioned_concurrency"),
        "max_concurrency": entity.get("max_provisioned_concurrency"),
        "compute_type": entity.get("workload_type"),
    }
    return Record(
        SERVED_ENTITIES,
        SERVED_ENTITIES,
        {
            "served_entity_id": entity["uid"],
            "account_id": account_id,
            "workspace_id": workspace_id,
            "created_by": endpoint["creator"],
            "endpoint_name": endpoint["name"],
            "endpoint_id": endpoint["id"],
            "served_entity_name": entity["name"],
            "entity_type": "EXTERNAL_MODEL" if external else "CUSTOM_MODEL",
            "entity_name": external["name"] if external else entity["entity_name"],
            "entity_version": None if external else entity["entity_version"],
            "endpoint_config_version": config["config_version"],
            "task": entity.get("task"),
            "external_model_config": {"provider": external["provider"]} if external else None,
            "custom_model_config": None if external else custom,
            "change_time": endpoint["last_updated_timestamp"] / 1000,
            "endpoint_delete_time": deleted,
        },
    )


def _shaped(table: str) -> Callable[[Sequence[Row]], pa.Table]:
    columns = COLUMNS[table]
    schema = pa.schema([(name, arrow) for name, _, arrow in columns])

    def shape(rows: Sequence[Row]) -> pa.Table:
        shaped = []
        for row in rows:
            values: Row = {name: row.get(name) for name, _, _ in columns}
            for name in _TIMES:
                if values.get(name) is not None:
                    values[name] = datetime.fromtimestamp(values[name], UTC)
            if values.get("usage_context") is not None:
                values["usage_context"] = list(values["usage_context"].items())
            shaped.append(values)
        return pa.Table.from_pylist(shaped, schema=schema)

    return shape


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _texts(value: Any) -> int:
    """Characters of what is written in messages, prompts and answers."""
    if isinstance(value, list):
        return sum(_texts(inner) for inner in value)
    if not isinstance(value, dict):
        return 0
    total = 0
    for name, inner in value.items():
        if isinstance(inner, str):
            total += len(inner) if name in ("content", "text", "prompt", "input") else 0
        elif isinstance(inner, dict | list):
            total += _texts(inner)
    return total


def _number(given: Mapping[str, Any], *names: str, estimate: int) -> int:
    for name in names:
        if isinstance(given.get(name), int):
            return int(given[name])
    return (estimate + 1) // 4
