"""The fare model: a random forest behind the transformer, fitted on earlier trips and judged on later ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import cloudpickle
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline

from pipelines.feature_model import FeatureLookup, FeatureSpec, Input, request_frame
from pipelines.sql import Result, SqlRunner
from pipelines.taxi.parameters import Parameters
from pipelines.taxi.split import for_training
from pipelines.taxi_e2e import transform
from pipelines.taxi_e2e.custom_metrics import FareQuality, fare_quality
from pipelines.taxi_e2e.feature_step import FEATURE_TABLES
from pipelines.taxi_e2e.statements import statement

LABEL: Final = "fare_amount"
TIME: Final = transform.TIME
# What the caller of the endpoint sends. The label is not among it: a fare that is known need not be predicted.
INPUTS: Final = (
    Input(name=transform.DISTANCE, data_type="double"),
    Input(name=TIME, data_type="timestamp"),
    Input(name="pickup_location_id", data_type="int", include=False),
    Input(name="dropoff_location_id", data_type="int", include=False),
)

# The process that serves a model has the packages of its environment, and not this project.
cloudpickle.register_pickle_by_value(transform)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A fitted model with what was measured on the trips it has not seen."""

    model: Pipeline
    cut: pd.Timestamp
    train_rows: int
    held_out: pd.DataFrame
    """The later trips, with a column `prediction`."""
    quality: FareQuality
    baseline: FareQuality
    """Of a straight line through distance and fare."""
    example: pd.DataFrame


def feature_spec(schema: str, table_ids: Mapping[str, str]) -> FeatureSpec:
    """The model's inputs and lookups. `schema` is `catalog.schema`; `table_ids` are Unity Catalog's, by table name."""
    lookups = [
        FeatureLookup(
            table_name=f"{schema}.{table.name}",
            table_id=table_ids[table.name],
            lookup_key=(table.location,),
            timestamp_lookup_key=TIME,
            features=table.features,
        )
        for table in FEATURE_TABLES
    ]
    return FeatureSpec(inputs=INPUTS, lookups=lookups)


def training_set(warehouse: SqlRunner) -> pd.DataFrame:
    """Every trip with its features, label and time, as the endpoint would look them up."""
    return as_frame(warehouse.run(statement("training_set")))


def as_frame(result: Result) -> pd.DataFrame:
    """A statement's rows as a frame; numbers with nulls become floats with NaN."""
    frame = pd.DataFrame(result.rows, columns=result.columns)
    texts = {name for table in FEATURE_TABLES for name, kind in table.features.items() if kind == "string"}
    return frame.astype({name: float for name in frame.columns if name != TIME and name not in texts})


def train(trips: pd.DataFrame, spec: FeatureSpec, parameters: Parameters) -> Trained:
    """Fit on the earlier trips, measure on the later ones beside a line through distance and fare.

    Raises PipelineError when there are too few trips on either side of the cut to say anything.
    """
    cut, seen, held_out = for_training(trips, TIME)
    model = _unfitted(parameters).fit(seen[spec.model_columns], seen[LABEL])
    predicted = model.predict(held_out[spec.model_columns])
    line = LinearRegression().fit(seen[[transform.DISTANCE]], seen[LABEL])
    return Trained(
        model=model,
        cut=cut,
        train_rows=len(seen),
        held_out=held_out.assign(prediction=predicted),
        quality=fare_quality(held_out[LABEL], predicted),
        baseline=fare_quality(held_out[LABEL], line.predict(held_out[[transform.DISTANCE]])),
        example=request_frame(held_out.head(1), INPUTS),
    )


def importances(model: Pipeline) -> dict[str, float]:
    """How much each transformed column has to do with the fare, largest first."""
    names = _transformed_names(model)
    shares = model.named_steps["forest"].feature_importances_
    return dict(sorted(zip(names, map(float, shares), strict=True), key=lambda pair: -pair[1]))


def _transformed_names(model: Pipeline) -> list[str]:
    columns = model.named_steps["columns"]
    places = columns.named_transformers_["places"]
    (numbers,) = (list(chosen) for name, _, chosen in columns.transformers_ if name == "numbers")
    (texts,) = (list(chosen) for name, _, chosen in columns.transformers_ if name == "places")
    encoded = places.named_steps["encoded"].get_feature_names_out(texts)
    return ["hour_sin", "hour_cos", "is_weekend", "miles", "log_miles", *numbers, *map(str, encoded)]


def _unfitted(parameters: Parameters) -> Pipeline:
    features = {name: kind for table in FEATURE_TABLES for name, kind in table.features.items()}
    forest = RandomForestRegressor(
        n_estimators=parameters.n_estimators,
        min_samples_leaf=parameters.min_samples_leaf,
        max_features=parameters.max_features,
        random_state=parameters.seed,
    )
    columns = transform.transformer(
        numbers=[name for name, kind in features.items() if kind != "string"],
        texts=[name for name, kind in features.items() if kind == "string"],
    )
    return Pipeline([("columns", columns), ("forest", forest)])
