"""The fare model: a random forest on the trip's distance and its looked-up features."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

import mlflow
import pandas as pd
from mlflow.models.model import ModelInfo
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression

from pipelines.feature_model import FeatureLookup, FeatureSpec, Input, log_feature_model, request_frame
from pipelines.sql import Result, SqlRunner
from pipelines.taxi.features import DROPOFF, PICKUP, statement
from pipelines.taxi.metrics import FareError, fare_error
from pipelines.taxi.parameters import Parameters, packages
from pipelines.taxi.split import for_training

MODEL_NAME: Final = "taxi_fare_regressor"
LABEL: Final = "fare_amount"
TIME: Final = "tpep_pickup_datetime"
# What the caller of the endpoint sends: the distance, and the keys of the two lookups.
INPUTS: Final = (
    Input(name="trip_distance", data_type="double"),
    Input(name="pickup_zip", data_type="int", include=False),
    Input(name="rounded_pickup_datetime", data_type="timestamp", include=False),
    Input(name="dropoff_zip", data_type="int", include=False),
    Input(name="rounded_dropoff_datetime", data_type="timestamp", include=False),
)
BASELINE: Final = "taxi_fare_regressor_baseline"
# Of the table of unpacked requests, less what only a request has.
BASELINE_COLUMNS: Final = {
    "inference_timestamp": "timestamp",
    **{column.name: column.data_type for column in INPUTS},
    "prediction": "double",
    LABEL: "double",
}


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A fitted model with what was measured on the trips it has not seen."""

    model: RandomForestRegressor
    cut: pd.Timestamp
    train_rows: int
    held_out: pd.DataFrame
    """The later trips, with a column `prediction`."""
    error: FareError
    baseline: FareError
    example: pd.DataFrame

    @property
    def held_out_rows(self) -> int:
        return len(self.held_out)


def feature_spec(schema: str, table_ids: Mapping[str, str]) -> FeatureSpec:
    """The model's inputs and lookups. `schema` is `catalog.schema`; `table_ids` are Unity Catalog's, by table name."""
    lookups = [
        FeatureLookup(
            table_name=f"{schema}.{table.name}",
            table_id=table_ids[table.name],
            lookup_key=table.primary_keys,
            features=table.features,
        )
        for table in (PICKUP, DROPOFF)
    ]
    return FeatureSpec(inputs=INPUTS, lookups=lookups)


def training_set(warehouse: SqlRunner) -> pd.DataFrame:
    """Every trip with its features, label and time, as the endpoint would look them up."""
    return as_frame(warehouse.run(statement("training_set")))


def as_frame(result: Result) -> pd.DataFrame:
    """A statement's rows as a frame; a column of numbers with nulls becomes floats with NaN."""
    frame = pd.DataFrame(result.rows, columns=result.columns)
    numbers = [column for column in frame.columns if not column.endswith("_datetime")]
    return frame.astype(dict.fromkeys(numbers, float))


def train(trips: pd.DataFrame, spec: FeatureSpec, parameters: Parameters) -> Trained:
    """Fit on the earlier trips, measure on the later ones beside a line through distance and fare.

    Raises PipelineError when there are too few trips on either side of the cut to say anything.
    """
    cut, seen, held_out = for_training(trips, TIME)
    columns = spec.model_columns
    model = RandomForestRegressor(
        n_estimators=parameters.n_estimators,
        min_samples_leaf=parameters.min_samples_leaf,
        max_features=parameters.max_features,
        random_state=parameters.seed,
    )
    model.fit(seen[columns], seen[LABEL])
    line = LinearRegression().fit(seen[["trip_distance"]], seen[LABEL])
    predicted = model.predict(held_out[columns])
    return Trained(
        model=model,
        cut=cut,
        train_rows=len(seen),
        held_out=held_out.assign(prediction=predicted),
        error=fare_error(held_out[LABEL], predicted),
        baseline=fare_error(held_out[LABEL], line.predict(held_out[["trip_distance"]])),
        example=request_frame(held_out.head(1), INPUTS),
    )


def baseline(trained: Trained) -> pd.DataFrame:
    """What a monitor compares requests with: the trips that the model has not seen, as they would have been asked."""
    return trained.held_out.assign(inference_timestamp=trained.held_out[TIME])


def log(
    trained: Trained, spec: FeatureSpec, parameters: Parameters, *, workspace_id: int, digests: Mapping[str, str]
) -> ModelInfo:
    """Log parameters, metrics and the model with its lookups to the active run."""
    mlflow.log_params({**asdict(parameters), "cut": trained.cut.isoformat(), **digests})
    mlflow.log_metrics(
        {
            "held_out_mae": trained.error.mae,
            "held_out_rmse": trained.error.rmse,
            "baseline_mae": trained.baseline.mae,
            "baseline_rmse": trained.baseline.rmse,
            "train_rows": trained.train_rows,
            "held_out_rows": trained.held_out_rows,
        }
    )
    return log_feature_model(
        trained.model,
        spec,
        name=MODEL_NAME,
        label=LABEL,
        label_type="double",
        workspace_id=workspace_id,
        input_example=trained.example,
        pip_requirements=[f"{name}=={number}" for name, number in packages().items()],
    )
