"""A valid stack configuration to start from, as the engine hands it over."""

from __future__ import annotations

import copy
from typing import Any

_VALUES: dict[str, Any] = {
    "environment": "staging",
    "catalog": "p03",
    "schema": "e2e_demo_simon",
    "warehouseId": "abc",
    "servingPrincipal": "sp-serving",
    "onlineStore": {"name": "taxi-online-staging"},
    "featureTables": [
        {"source": "trip_pickup_features", "primaryKeys": ["pickup_zip", "rounded_pickup_datetime"]},
        {"source": "trip_dropoff_features", "primaryKeys": ["dropoff_zip", "rounded_dropoff_datetime"]},
    ],
    "model": {"name": "p03.e2e_demo_simon.taxi_fare_regressor", "aliases": {"champion": "15", "production": "14"}},
    "endpoint": {
        "name": "taxi-fare-regressor-staging",
        "entities": [{"alias": "champion", "traffic": 20}, {"alias": "production", "traffic": 80}],
        "inferenceTable": {"prefix": "taxi_fare_regressor_staging"},
    },
    "smoke": {"queries": [{"name": "one", "payload": {"dataframe_records": [{"pickup_zip": 10103}]}}]},
    "monitor": {
        "problemType": "PROBLEM_TYPE_REGRESSION",
        "recordColumns": {"pickup_zip": "int"},
        "assetsDir": "/Workspace/Shared/taxi",
    },
}


def stack_values() -> dict[str, Any]:
    """A fresh copy, free to be broken."""
    return copy.deepcopy(_VALUES)
