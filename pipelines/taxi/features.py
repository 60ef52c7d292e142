"""The two feature tables: what they are called, their keys, and their declared columns.

The SQL files hold how the features are computed; the declarations here are what training, the model's signature and the
tests hold them to.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Final

from pipelines.sql import SqlRunner


@dataclass(frozen=True, kw_only=True)
class FeatureTable:
    """A feature table as declared: columns and their Databricks SQL types in the table's order, key columns first."""

    name: str
    primary_keys: tuple[str, ...]
    columns: Mapping[str, str]

    @property
    def features(self) -> dict[str, str]:
        """The columns that are not keys, with their types."""
        return {name: kind for name, kind in self.columns.items() if name not in self.primary_keys}


PICKUP: Final = FeatureTable(
    name="trip_pickup_features",
    primary_keys=("pickup_zip", "rounded_pickup_datetime"),
    columns={
        "pickup_zip": "int",
        "rounded_pickup_datetime": "timestamp",
        "count_trips_window_1h_pickup_zip": "int",
        "mean_fare_window_7d_pickup_zip": "double",
        "mean_fare_per_mile_window_7d_pickup_zip": "double",
        "pickup_hour": "int",
        "pickup_is_weekend": "int",
    },
)
DROPOFF: Final = FeatureTable(
    name="trip_dropoff_features",
    primary_keys=("dropoff_zip", "rounded_dropoff_datetime"),
    columns={
        "dropoff_zip": "int",
        "rounded_dropoff_datetime": "timestamp",
        "count_trips_window_1h_dropoff_zip": "int",
        "count_pickup_zips_window_7d_dropoff_zip": "int",
        "mean_fare_window_7d_dropoff_zip": "double",
        "dropoff_is_weekend": "int",
    },
)
FEATURE_TABLES: Final = (PICKUP, DROPOFF)


def statement(name: str) -> str:
    """The text of `sql/<name>.sql`."""
    return resources.files(__package__).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def create_feature_table(warehouse: SqlRunner, table: FeatureTable) -> None:
    """Create `table` with its primary key and change data feed, unless it is there."""
    warehouse.run(statement(f"create_{table.name}"))


def compute_pickup_features(warehouse: SqlRunner) -> int:
    """Bring `trip_pickup_features` up to date with `trips`; only rows that differ are written.

    Returns its number of rows.
    """
    return _compute(warehouse, PICKUP)


def compute_dropoff_features(warehouse: SqlRunner) -> int:
    """Bring `trip_dropoff_features` up to date with `trips`; only rows that differ are written.

    Returns its number of rows.
    """
    return _compute(warehouse, DROPOFF)


def _compute(warehouse: SqlRunner, table: FeatureTable) -> int:
    warehouse.run(statement(f"merge_{table.name}"))
    count = warehouse.run(f"SELECT count(*) AS rows FROM {table.name}").only_row()["rows"]
    return int(str(count))
