"""What serving is billed for: rows of `system.billing.usage` at the list prices of `system.billing.list_prices`.

Columns: documentation pages "Billable usage system table reference" and "Pricing system table reference"; units of
billing: page "Monitor model serving costs". Of `usage_metadata` and `product_features`, which have a field for every
product, there are those that model serving fills. Rates are the project's (components/rates.py); a kind of machine
that it has none for is not billed.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol

import pyarrow as pa
from deltalake import write_deltalake

from components.rates import RATES
from workspace.serving.metering import HOUR_SECONDS, Used
from workspace.serving.outbox import Kind, Record, Row
from workspace.unity_catalog.tables import Column, Tables

USAGE = "system.billing.usage"
LIST_PRICES = "system.billing.list_prices"
CLOUD, TIER, REGION = "AWS", "ENTERPRISE", "US_EAST_N_VIRGINIA"
"""An assumption: what the table of rates is of."""
SKU = f"{TIER}_SERVERLESS_REAL_TIME_INFERENCE_{REGION}"
LAUNCH_SKU = f"{TIER}_SERVERLESS_REAL_TIME_INFERENCE_LAUNCH_{REGION}"
# A replica on GPUs takes four requests at a time, as components/cost.py reckons.
_REQUESTS_A_REPLICA = 4
_PRICES_SINCE = datetime(2024, 1, 1, tzinfo=UTC)
_TIMESTAMP = pa.timestamp("us", "UTC")
_DECIMAL = pa.decimal128(38, 18)
_METADATA = ("cluster_id", "warehouse_id", "job_id", "notebook_id", "endpoint_name", "endpoint_id", "metastore_id")
_IDENTITY = ("run_as", "owned_by", "created_by")
_TEXTS = "string"
Declared = tuple[tuple[str, str, Any], ...]
"""Name, Databricks type, Arrow type."""


def _struct(names: Sequence[str]) -> tuple[str, Any]:
    return f"struct<{','.join(f'{name}:string' for name in names)}>", pa.struct([(name, pa.string()) for name in names])


_FEATURES = (
    "struct<serving_type:string,model_serving:struct<offering_type:string>>",
    pa.struct([("serving_type", pa.string()), ("model_serving", pa.struct([("offering_type", pa.string())]))]),
)
_PRICING = (
    "struct<default:decimal(38,18),promotional:struct<default:decimal(38,18)>,"
    "effective_list:struct<default:decimal(38,18)>>",
    pa.struct(
        [
            ("default", _DECIMAL),
            ("promotional", pa.struct([("default", _DECIMAL)])),
            ("effective_list", pa.struct([("default", _DECIMAL)])),
        ]
    ),
)
USAGE_COLUMNS: Declared = (
    ("account_id", _TEXTS, pa.string()),
    ("workspace_id", _TEXTS, pa.string()),
    ("record_id", _TEXTS, pa.string()),
    ("sku_name", _TEXTS, pa.string()),
    ("cloud", _TEXTS, pa.string()),
    ("usage_start_time", "timestamp", _TIMESTAMP),
    ("usage_end_time", "timestamp", _TIMESTAMP),
    ("usage_date", "date", pa.date32()),
    ("custom_tags", "map<string,string>", pa.map_(pa.string(), pa.string())),
    ("usage_unit", _TEXTS, pa.string()),
    ("usage_quantity", "decimal(38,18)", _DECIMAL),
    ("usage_metadata", *_struct(_METADATA)),
    ("identity_metadata", *_struct(_IDENTITY)),
    ("record_type", _TEXTS, pa.string()),
    ("ingestion_date", "date", pa.date32()),
    ("billing_origin_product", _TEXTS, pa.string()),
    ("product_features", *_FEATURES),
    ("usage_type", _TEXTS, pa.string()),
)
PRICE_COLUMNS: Declared = (
    ("price_start_time", "timestamp", _TIMESTAMP),
    ("price_end_time", "timestamp", _TIMESTAMP),
    ("account_id", _TEXTS, pa.string()),
    ("sku_name", _TEXTS, pa.string()),
    ("cloud", _TEXTS, pa.string()),
    ("currency_code", _TEXTS, pa.string()),
    ("usage_unit", _TEXTS, pa.string()),
    ("pricing", *_PRICING),
)


class Schemas(Protocol):
    """The system catalog, as far as its tables need it (`usage.SystemTables`)."""

    def ensure_schema(self, full_name: str) -> None: ...


class BillingTables:
    """Creates the billing system tables; on Databricks an account admin enables their schema, and reads them first."""

    def __init__(self, schemas: Schemas, tables: Tables, account_id: str) -> None:
        self._schemas = schemas
        self._tables = tables
        self._account_id = account_id

    def kinds(self) -> dict[str, Kind]:
        return {USAGE: Kind(self._ensure, _usage_rows)}

    def _ensure(self, _full_name: str) -> None:
        for full_name, declared in ((LIST_PRICES, PRICE_COLUMNS), (USAGE, USAGE_COLUMNS)):
            self._schemas.ensure_schema(full_name)
            if self._tables.find(full_name) is None:
                self._tables.create(full_name, [Column(name, text, True, None) for name, text, _ in declared])
                if full_name == LIST_PRICES:
                    write_deltalake(self._tables.delta(full_name), _prices(self._account_id), mode="append")


def usage_record(workspace_id: str, account_id: str, used: Used, now: float) -> Record | None:
    """The row of a piece of time or a launch; None where no rate is known."""
    entity = used.entity
    quantity = _launch_dbu() if used.is_launch else _awake_dbu(used)
    if quantity is None:
        return None
    return Record(
        USAGE,
        USAGE,
        {
            "account_id": account_id,
            "workspace_id": workspace_id,
            "record_id": str(uuid.uuid4()),
            "sku_name": LAUNCH_SKU if used.is_launch else SKU,
            "cloud": CLOUD,
            "usage_start_time": used.start,
            "usage_end_time": used.end,
            "usage_date": used.start,
            "custom_tags": dict(entity.tags),
            "usage_unit": "DBU",
            "usage_quantity": f"{quantity:.18f}",
            "usage_metadata": {"endpoint_name": entity.endpoint_name, "endpoint_id": entity.endpoint_id},
            "identity_metadata": {"created_by": entity.creator},
            "record_type": "ORIGINAL",
            "ingestion_date": now,
            "billing_origin_product": "MODEL_SERVING",
            "product_features": {"serving_type": "MODEL" if entity.span.workload_type == "CPU" else "GPU_MODEL"},
            "usage_type": "COMPUTE_TIME",
        },
    )


def _awake_dbu(used: Used) -> float | None:
    entity = used.entity
    rate = RATES.get(entity.span.workload_type)
    if rate is None:
        return None
    units = entity.concurrency if entity.span.workload_type == "CPU" else entity.concurrency / _REQUESTS_A_REPLICA
    return rate.value * units * (used.end - used.start) / HOUR_SECONDS


def _launch_dbu() -> float:
    return RATES["launch"].value / RATES["dbu"].value


def _usage_rows(rows: Sequence[Row]) -> pa.Table:
    shaped = []
    for row in rows:
        values = dict(row)
        for name, kind, _ in USAGE_COLUMNS:
            if kind in ("timestamp", "date"):
                moment = datetime.fromtimestamp(values[name], UTC)
                values[name] = moment if kind == "timestamp" else moment.date()
        values["usage_quantity"] = Decimal(values["usage_quantity"])
        values["custom_tags"] = list(values["custom_tags"].items())
        shaped.append(values)
    return pa.Table.from_pylist(shaped, schema=pa.schema([(name, arrow) for name, _, arrow in USAGE_COLUMNS]))


def _prices(account_id: str) -> pa.Table:
    price = Decimal(str(RATES["dbu"].value))
    rows = [
        {
            "price_start_time": _PRICES_SINCE,
            "account_id": account_id,
            "sku_name": sku,
            "cloud": CLOUD,
            "currency_code": "USD",
            "usage_unit": "DBU",
            "pricing": {"default": price, "effective_list": {"default": price}},
        }
        for sku in (SKU, LAUNCH_SKU)
    ]
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, arrow) for name, _, arrow in PRICE_COLUMNS]))
