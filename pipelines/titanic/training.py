"""The model: XGBoost on the online features, judged on passengers it has not seen."""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder
from xgboost import XGBClassifier

from pipelines.errors import PipelineError
from pipelines.feature_model import FeatureLookup, FeatureSpec, Input
from pipelines.sql import SqlRunner
from pipelines.titanic.passengers import KEY
from pipelines.titanic.tables import FEATURE_TYPES, FLAGS, LABEL, NUMBERS, ONLINE, TEXTS, statement

PARAMETERS: Final[dict[str, Any]] = {
    "n_estimators": 120,
    "max_depth": 3,
    "learning_rate": 0.1,
    "subsample": 0.9,
    "colsample_bytree": 0.9,
    "tree_method": "hist",
}
_PACKAGES: Final = ("mlflow", "scikit-learn", "numpy", "pandas", "scipy", "cloudpickle")
# Two builds of one library: without GPU code, and the one for machines that have no such build.
_BUILDS: Final = ("xgboost-cpu", "xgboost")
BASELINE: Final = "passenger_baseline"
# Of the table of unpacked requests, less what only a request has; the label by the name that it has there.
BASELINE_COLUMNS: Final = {KEY: "bigint", "prediction": "bigint", LABEL.lower(): "bigint"}
_MINIMUM_PASSENGERS: Final = 50
# What everybody who says "nobody survived" gets right on the real passengers.
LEAST_ACCURACY: Final = 0.65


@dataclass(frozen=True, kw_only=True)
class Quality:
    """How the model does on passengers it has not seen."""

    accuracy: float
    roc_auc: float

    @property
    def passes(self) -> bool:
        return self.accuracy >= LEAST_ACCURACY

    def __str__(self) -> str:
        return f"accuracy {self.accuracy:.3f}, ROC AUC {self.roc_auc:.3f}"


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A fitted model with what was measured on the passengers it has not seen."""

    model: Pipeline
    seed: int
    train_rows: int
    held_out: pd.DataFrame
    """The passengers of the other split, with a column `prediction`."""
    quality: Quality
    passengers: pd.DataFrame
    """The training set: both splits, with features and label."""

    @property
    def held_out_rows(self) -> int:
        return len(self.held_out)


def feature_spec(schema: str, table_id: str) -> FeatureSpec:
    """What the caller sends, `PassengerId` alone, and what is looked up. `schema` is `catalog.schema`."""
    lookup = FeatureLookup(
        table_name=f"{schema}.{ONLINE}", table_id=table_id, lookup_key=(KEY,), features=FEATURE_TYPES
    )
    return FeatureSpec(inputs=(Input(name=KEY, data_type="bigint", include=False),), lookups=[lookup])


def training_set(warehouse: SqlRunner) -> pd.DataFrame:
    """Every passenger with the online features, the label and the split."""
    result = warehouse.run(statement("training_set"))
    frame = pd.DataFrame(result.rows, columns=result.columns)
    return frame.astype({**dict.fromkeys((*NUMBERS, *FLAGS), float), KEY: "int64", LABEL: "int64"})


def train(passengers: pd.DataFrame, seed: int) -> Trained:
    """Fit on the passengers of the split `train`, measure on the others.

    Raises PipelineError where a split is too small or has one label only: that says nothing.
    """
    seen, held_out = passengers[passengers["split"] == "train"], passengers[passengers["split"] != "train"]
    for name, part in (("train", seen), ("test", held_out)):
        if len(part) < _MINIMUM_PASSENGERS or part[LABEL].nunique() < 2:
            raise PipelineError(
                f"{len(part)} passengers of the split {name}, with {part[LABEL].nunique()} different labels, are too "
                f"few to train and judge a model (at least {_MINIMUM_PASSENGERS}, some of whom survived). Give more."
            )
    features = list(FEATURE_TYPES)
    model = _unfitted(seed).fit(seen[features], seen[LABEL])
    predicted = model.predict(held_out[features])
    quality = Quality(
        accuracy=float(accuracy_score(held_out[LABEL], predicted)),
        roc_auc=float(roc_auc_score(held_out[LABEL], model.predict_proba(held_out[features])[:, 1])),
    )
    return Trained(
        model=model,
        seed=seed,
        train_rows=len(seen),
        held_out=held_out.assign(prediction=predicted),
        quality=quality,
        passengers=passengers,
    )


def baseline(trained: Trained) -> pd.DataFrame:
    """What a monitor compares requests with: the passengers that the model has not seen, and what became of them."""
    return trained.held_out.rename(columns={LABEL: LABEL.lower()})


def packages(*more: str) -> dict[str, str]:
    """The installed version of every package that the model needs to be loaded again."""
    found = {name: version(name) for name in (*_PACKAGES, *more)}
    for name in _BUILDS:
        try:
            return {**found, name: version(name)}
        except PackageNotFoundError:
            continue
    raise PipelineError("XGBoost is imported and not installed as a package; install xgboost-cpu")


def _unfitted(seed: int) -> Pipeline:
    # Trees need no scaling, and XGBoost learns where a missing number goes.
    texts = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float64)
    columns = ColumnTransformer([("texts", texts, list(TEXTS)), ("numbers", "passthrough", [*NUMBERS, *FLAGS])])
    return Pipeline([("columns", columns), ("classifier", XGBClassifier(**PARAMETERS, random_state=seed, n_jobs=1))])
