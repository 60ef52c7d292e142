"""A table as the REST API shows it: `databricks.sdk.service.catalog.TableInfo`."""

from __future__ import annotations

import json

from workspace.http import Json
from workspace.unity_catalog import types
from workspace.unity_catalog.table import FOREIGN, MANAGED, VIEW, Column, Table

_FORMATS = {MANAGED: "DELTA", FOREIGN: "POSTGRESQL_FORMAT"}


def table_info(table: Table, metastore_id: str) -> Json:
    """The full form; fields without a value are left out, as the service does."""
    info: Json = {
        "name": table.name,
        "catalog_name": table.catalog_name,
        "schema_name": table.schema_name,
        "full_name": table.full_name,
        "table_type": table.table_type,
        "data_source_format": _FORMATS.get(table.table_type),
        "columns": [_column(column, position, table) for position, column in enumerate(table.columns)],
        "table_constraints": _constraints(table),
        "storage_location": table.storage_location,
        "view_definition": table.view_definition,
        "comment": table.comment,
        "properties": table.properties if table.table_type != VIEW else None,
        "owner": table.owner,
        "metastore_id": metastore_id,
        "table_id": table.table_id,
        "created_at": table.created_at,
        "created_by": table.created_by or table.owner,
        "updated_at": table.updated_at,
        "updated_by": table.owner,
    }
    return {name: value for name, value in info.items() if value is not None}


def table_summary(table: Table) -> Json:
    return {"full_name": table.full_name, "table_type": table.table_type}


def _column(column: Column, position: int, table: Table) -> Json:
    delta = types.parse(column.type_text)
    precision, scale = types.precision_and_scale(delta)
    metadata = {"comment": column.comment} if column.comment else {}
    field = {"name": column.name, "type": delta, "nullable": column.nullable, "metadata": metadata}
    info: Json = {
        "name": column.name,
        "type_text": column.type_text,
        "type_name": types.type_name(delta),
        "type_json": json.dumps(field, separators=(",", ":")),
        "type_precision": precision,
        "type_scale": scale,
        "position": position,
        "nullable": column.nullable,
    }
    if column.name in table.partitions:
        info["partition_index"] = table.partitions.index(column.name)
    return info | ({"comment": column.comment} if column.comment else {})


def _constraints(table: Table) -> list[Json] | None:
    found: list[Json] = []
    if table.primary_key:
        key: Json = {"name": table.primary_key_name, "child_columns": table.primary_key}
        if table.timeseries:
            key["timeseries_columns"] = [table.timeseries]
        found.append({"primary_key_constraint": key})
    for reference in table.foreign_keys:
        shown = {
            "name": reference.name,
            "child_columns": reference.columns,
            "parent_table": reference.parent_table,
            "parent_columns": reference.parent_columns,
        }
        found.append({"foreign_key_constraint": shown})
    return found or None
