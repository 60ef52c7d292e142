"""The OpenAPI document of an endpoint: one path a served entity, its request described by the model's signature."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from workspace.http import Json

# MLflow's column types as JSON Schema's.
TYPES = {
    "integer": {"type": "integer", "format": "int32"},
    "long": {"type": "integer", "format": "int64"},
    "float": {"type": "number", "format": "float"},
    "double": {"type": "number", "format": "double"},
    "boolean": {"type": "boolean"},
    "datetime": {"type": "string", "format": "date-time"},
    "binary": {"type": "string", "format": "byte"},
}


def describe(endpoint: str, models: Mapping[str, Path]) -> Json:
    """`models` are the folders of the served model versions by entity name."""
    return {
        "openapi": "3.1.0",
        "info": {"title": endpoint, "version": "1"},
        "paths": {
            f"/served-models/{entity}/invocations": {"post": _operation(folder)} for entity, folder in models.items()
        },
    }


def task_of(folder: Path) -> str | None:
    """What an agent's model says it is, such as agent/v1/chat; None for any other model."""
    metadata = yaml.safe_load((folder / "MLmodel").read_text()).get("metadata") or {}
    task = metadata.get("task")
    return str(task) if task else None


def _operation(folder: Path) -> Json:
    record = {"type": "object", **_properties(folder)}
    schema = {"type": "object", "properties": {"dataframe_records": {"type": "array", "items": record}}}
    return {
        "requestBody": {"content": {"application/json": {"schema": schema}}},
        "responses": {"200": {"description": "Successful operation"}},
    }


def _properties(folder: Path) -> Json:
    signature = yaml.safe_load((folder / "MLmodel").read_text()).get("signature") or {}
    columns: list[dict[str, Any]] = json.loads(signature.get("inputs") or "[]")
    named = [column for column in columns if column.get("name")]
    return {
        "properties": {column["name"]: TYPES.get(str(column["type"]), {"type": "string"}) for column in named},
        "required": [column["name"] for column in named if column.get("required", True)],
    }
