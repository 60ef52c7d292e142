"""What is known of the place where a trip ends, and of where trips to it come from."""

from typing import Final

from pipelines.sql import SqlRunner
from pipelines.taxi_e2e.feature_tables import AS_OF, TimedFeatures, compute, create_feature_table
from pipelines.taxi_e2e.statements import statement

DROPOFF: Final = TimedFeatures(
    name="dropoff_features",
    primary_keys=("dropoff_location_id", AS_OF),
    columns={
        "dropoff_location_id": "int",
        AS_OF: "timestamp",
        "dropoff_trips_1h": "int",
        "dropoff_mean_fare_7d": "double",
        "dropoff_origins_7d": "int",
        "dropoff_cross_borough_share_7d": "double",
        "dropoff_mean_distance_7d": "double",
        "dropoff_borough": "string",
        "dropoff_is_airport": "int",
    },
    source=statement("dropoff_features"),
    broken_if={
        "fewer than no trips": "dropoff_trips_1h < 0",
        "a mean fare below 0 or above 1,000 dollars": "dropoff_mean_fare_7d < 0 OR dropoff_mean_fare_7d > 1000",
        "a share that is none": "dropoff_cross_borough_share_7d < 0 OR dropoff_cross_borough_share_7d > 1",
        "a mean distance below 0": "dropoff_mean_distance_7d < 0",
        "no borough": "dropoff_borough IS NULL",
    },
)


def compute_dropoff_features(warehouse: SqlRunner) -> int:
    """Bring `dropoff_features` up to date with `located_trips`; the number of its rows.

    Raises PipelineError where the rows are not as declared: the table stays as it was.
    """
    create_feature_table(warehouse, DROPOFF)
    return compute(warehouse, DROPOFF)
