"""What is known of the place where a trip begins."""

from typing import Final

from pipelines.sql import SqlRunner
from pipelines.taxi_e2e.feature_tables import AS_OF, TimedFeatures, compute, create_feature_table
from pipelines.taxi_e2e.statements import statement

PICKUP: Final = TimedFeatures(
    name="pickup_features",
    primary_keys=("pickup_location_id", AS_OF),
    columns={
        "pickup_location_id": "int",
        AS_OF: "timestamp",
        "pickup_trips_1h": "int",
        "pickup_trips_24h": "int",
        "pickup_mean_fare_7d": "double",
        "pickup_mean_fare_per_mile_7d": "double",
        "pickup_mean_minutes_7d": "double",
        "pickup_borough": "string",
        "pickup_is_airport": "int",
    },
    source=statement("pickup_features"),
    broken_if={
        "more trips in an hour than in a day": "pickup_trips_1h > pickup_trips_24h OR pickup_trips_1h < 0",
        "a mean fare below 0 or above 1,000 dollars": "pickup_mean_fare_7d < 0 OR pickup_mean_fare_7d > 1000",
        "a mean ride of less than 0 minutes or more than a day": "pickup_mean_minutes_7d < 0 OR "
        "pickup_mean_minutes_7d > 1440",
        "no borough": "pickup_borough IS NULL",
    },
)


def compute_pickup_features(warehouse: SqlRunner) -> int:
    """Bring `pickup_features` up to date with `located_trips`; the number of its rows.

    Raises PipelineError where the rows are not as declared: the table stays as it was.
    """
    create_feature_table(warehouse, PICKUP)
    return compute(warehouse, PICKUP)
