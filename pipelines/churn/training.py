"""The churn models: how they are fitted, judged, and logged with their feature lookup."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any, Final, Literal, get_args

import mlflow
import numpy as np
import pandas as pd
from mlflow.models.model import ModelInfo
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from pipelines.churn.tables import FEATURE_TYPES, FEATURES, KEY, NUMBERS, TEXTS, TIME, statement
from pipelines.errors import PipelineError
from pipelines.feature_model import FeatureLookup, FeatureSpec, Input, log_feature_model
from pipelines.sql import SqlRunner
from pipelines.validation import Limit, Measured, judge

MODEL_NAME: Final = "advanced_mlops_churn"
LABEL: Final = "churn"
LEAVES: Final = "Yes"
Method = Literal["logistic", "boosted"]
METHODS: Final[tuple[Method, ...]] = get_args(Method)
# What the caller sends: the keys of the lookup. The label is never among them.
INPUTS: Final = (
    Input(name=KEY, data_type="string", include=False),
    Input(name=TIME, data_type="timestamp", include=False),
)
PACKAGES: Final = ("mlflow", "scikit-learn", "numpy", "pandas", "scipy", "cloudpickle")
# The thresholds of drift detection, and better than taking everybody to stay. A loss is 0 or less.
LIMITS: Final = (
    Limit(metric="f1_macro", kind="accuracy", at_least=0.5),
    Limit(metric="expected_loss", kind="business", at_least=-30.0),
)
_MINIMUM_CUSTOMERS: Final = 50
_RECENT_SHARE: Final = 0.75


@dataclass(frozen=True, kw_only=True)
class Quality:
    """How a model does on customers it has not seen."""

    accuracy: float
    f1_macro: float
    expected_loss: float
    """Mean over all customers of minus the monthly charges of those who left and were not expected to: 0 or less."""

    @property
    def metrics(self) -> dict[str, float]:
        return {"accuracy": self.accuracy, "f1_macro": self.f1_macro, "expected_loss": self.expected_loss}

    @property
    def passes(self) -> bool:
        return judge(Measured(rows=1, metrics=self.metrics), LIMITS).passed

    def __str__(self) -> str:
        return f"accuracy {self.accuracy:.3f}, F1 {self.f1_macro:.3f}, expected loss {self.expected_loss:.2f}"


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A fitted model with what was measured on the customers it has not seen."""

    method: Method
    seed: int
    model: Pipeline
    train_rows: int
    quality: Quality
    predictions: Mapping[str, str]
    """Of the held-out customers, by customer id."""
    columns: Sequence[str]
    """The model's, in order."""
    example: pd.DataFrame


def feature_spec(schema: str, table_id: str) -> FeatureSpec:
    """The model's inputs and lookup. `schema` is `catalog.schema`."""
    lookup = FeatureLookup(
        table_name=f"{schema}.{FEATURES}",
        table_id=table_id,
        lookup_key=(KEY,),
        timestamp_lookup_key=TIME,
        features=FEATURE_TYPES,
    )
    return FeatureSpec(inputs=INPUTS, lookups=[lookup])


def training_set(warehouse: SqlRunner) -> pd.DataFrame:
    """Every labelled customer with the features known at the time, the newest label, its moment and the split."""
    result = warehouse.run(statement("training_set"))
    return pd.DataFrame(result.rows, columns=result.columns).astype(dict.fromkeys(NUMBERS, float))


def train(
    customers: pd.DataFrame, spec: FeatureSpec, method: Method, seed: int, recent: datetime | None = None
) -> Trained:
    """Fit on the customers of the split `train`, measure on the others.

    Args:
        recent: labels from here on (aware) have three quarters of all weight, however few they are: what was true
            before answers drifted is the less true now.

    Raises PipelineError where a split is too small or has one label only: that says nothing.
    """
    seen, held_out = customers[customers["split"] == "train"], customers[customers["split"] != "train"]
    for name, part in (("train", seen), ("test", held_out)):
        if len(part) < _MINIMUM_CUSTOMERS or part[LABEL].nunique() < 2:
            raise PipelineError(
                f"{len(part)} customers of the split {name}, with {part[LABEL].nunique()} different labels, are too "
                f"few to train and judge a model (at least {_MINIMUM_CUSTOMERS}, some of whom left). Give more."
            )
    weights = {} if recent is None else {"classifier__sample_weight": weights_of(seen["labelled_at"], recent)}
    model = _unfitted(method, seed).fit(seen[spec.model_columns], seen[LABEL], **weights)
    predicted = model.predict(held_out[spec.model_columns])
    example = held_out[[column.name for column in INPUTS]].head(1).reset_index(drop=True)
    example[TIME] = example[TIME].dt.tz_convert("UTC").dt.tz_localize(None)
    return Trained(
        method=method,
        seed=seed,
        model=model,
        train_rows=len(seen),
        quality=quality_of(held_out[LABEL], predicted, held_out["monthly_charges"]),
        predictions=dict(zip(held_out[KEY], map(str, predicted), strict=True)),
        example=example,
        columns=tuple(spec.model_columns),
    )


def weights_of(moments: pd.Series, recent: datetime) -> Any:
    """A weight for each row: all together one a row, those from `recent` on three quarters of it."""
    late = (moments >= recent).to_numpy()
    share = _RECENT_SHARE if 0 < late.sum() < len(late) else late.mean()
    each = np.where(late, share / max(late.sum(), 1), (1 - share) / max((~late).sum(), 1))
    return each * len(late)


def quality_of(actual: Any, predicted: Any, monthly_charges: Any) -> Quality:
    """Measures of `predicted` labels, row by row; `monthly_charges` in dollars."""
    truth, answers = np.asarray(actual, dtype=str), np.asarray(predicted, dtype=str)
    missed = (truth == LEAVES) & (answers != truth)
    return Quality(
        accuracy=float(accuracy_score(truth, answers)),
        f1_macro=float(f1_score(truth, answers, average="macro")),
        expected_loss=float(np.where(missed, -np.asarray(monthly_charges, dtype=float), 0.0).mean()),
    )


def log(trained: Trained, spec: FeatureSpec, *, workspace_id: int, digests: Mapping[str, str]) -> ModelInfo:
    """Log parameters, metrics and the model with its lookup to the active run."""
    mlflow.log_params({"method": trained.method, "seed": trained.seed, **digests})
    mlflow.log_metrics(
        {
            "held_out_accuracy": trained.quality.accuracy,
            "held_out_f1_macro": trained.quality.f1_macro,
            "held_out_expected_loss": trained.quality.expected_loss,
            "train_rows": trained.train_rows,
            "held_out_rows": len(trained.predictions),
        }
    )
    return log_feature_model(
        trained.model,
        spec,
        name=MODEL_NAME,
        label=LABEL,
        label_type="string",
        workspace_id=workspace_id,
        input_example=trained.example,
        pip_requirements=[f"{name}=={number}" for name, number in packages().items()],
    )


def packages() -> dict[str, str]:
    """The installed version of every package that the model needs to be loaded again."""
    return {name: version(name) for name in PACKAGES}


def _unfitted(method: Method, seed: int) -> Pipeline:
    texts = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = ColumnTransformer([("texts", texts, list(TEXTS)), ("numbers", StandardScaler(), list(NUMBERS))])
    classifier = (
        LogisticRegression(max_iter=1_000, random_state=seed)
        if method == "logistic"
        else GradientBoostingClassifier(n_estimators=60, random_state=seed)
    )
    return Pipeline([("columns", columns), ("classifier", classifier)])
