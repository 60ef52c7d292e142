"""The one table of rates: list prices, each with its unit and where it was read. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

RATES_AS_OF = "2026-11"


@dataclass(frozen=True)
class Rate:
    """A list price and where it was read."""

    value: float
    unit: str
    source: str


_CONSUMPTION = "documentation: Serverless DBU consumption by SKU (Azure), as public calculators quote it in 2026-04"
_CALCULATORS = "Databricks' pricing page of Model Serving (AWS), as public calculators quote it in 2026-04"

RATES: Mapping[str, Rate] = {
    "CPU": Rate(
        1.0,
        "DBU an hour for each request at a time",
        "Databricks' pricing model of Model Serving: CPU concurrency; third-party guide of 2025",
    ),
    "GPU_SMALL": Rate(10.48, "DBU an hour for a replica (T4)", _CONSUMPTION),
    "GPU_MEDIUM": Rate(20.0, "DBU an hour for a replica (A10G)", _CALCULATORS),
    "MULTIGPU_MEDIUM": Rate(112.0, "DBU an hour for a replica (four A10G)", _CALCULATORS),
    "GPU_LARGE": Rate(78.6, "DBU an hour for a replica (A100 of 80 GB)", _CONSUMPTION),
    "vector_search_STANDARD": Rate(4.0, "DBU an hour for each 2 million vectors of 768 numbers", _CONSUMPTION),
    "vector_search_STORAGE_OPTIMIZED": Rate(
        18.29, "DBU an hour for each 64 million vectors of 768 numbers", _CONSUMPTION
    ),
    "dbu": Rate(0.07, "USD a DBU", "list price of Model Serving, AWS US regions, third-party guide updated 2026-04"),
    "launch": Rate(
        0.07,
        "USD a launch from zero, at most two an hour",
        "Databricks technical blog, attributing costs in Databricks Model Serving",
    ),
    "online_store_cu": Rate(
        0.111,
        "USD for a capacity unit and hour",
        "Lakebase Autoscaling pricing, indicative, us-east-1; Feature Store cost management",
    ),
}
"""The one table of rates. A workload type that is not in it has no rate here; `cost.Estimate` takes one from the
stack file.
"""
