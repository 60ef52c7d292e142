"""The task itself: score, measure, judge, tag, fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST, ErrorCode

from pipelines.errors import PipelineError
from pipelines.feature_model import predict_rows
from pipelines.validation.limits import Limit, Measured, Verdict, judge
from pipelines.validation.tags import tags_of

TRACKING: Final = "databricks"
REGISTRY: Final = "databricks-uc"
Measure = Callable[[pd.DataFrame], Mapping[str, float]]
Predict = Callable[[str, str, pd.DataFrame], Sequence[object]]
"""Model, version, rows: the version's predictions, one a row."""


class ValidationFailedError(PipelineError):
    """A version is not good enough; the message lists every failed check."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is validated, and what is asked of it."""

    model: str
    """`catalog.schema.model`."""
    version: str
    """Number of the version."""
    measure: Measure
    """Metrics of rows that have the label and a column `prediction`."""
    limits: Sequence[Limit]
    """What is asked; accuracy and business."""
    label: str
    """Column with the truth; rows without it are left out."""
    champion: str | None = "champion"
    """Alias of the version to compare with; None compares with nothing."""
    slices: Sequence[str] = ()
    """Columns whose values part the rows."""
    split: tuple[str, str] | None = None
    """Column and value of the rows that the model has not seen; all rows when left out."""
    minimum_rows: int = 50
    """Fewer rows prove nothing, and fail."""
    minimum_slice_rows: int = 30
    """Smaller slices are not judged."""


def validate(plan: Plan, rows: pd.DataFrame, *, predict: Predict | None = None) -> Verdict:
    """Judge a version on `rows`, tag it, and raise if it is not good enough.

    Args:
        rows: the model's columns, the label, and the columns of slices and split.
        predict: how a version answers; by its model from the registry when left out.

    Raises:
        ValidationFailedError: with every failed check; the tags are written then, too.
        PipelineError: the version, a column or the workspace is missing something.
    """
    _check_columns(plan, rows)
    registry = MlflowClient(TRACKING, REGISTRY)
    judged = rows if plan.split is None else rows[rows[plan.split[0]] == plan.split[1]]
    judged = judged[judged[plan.label].notna()].reset_index(drop=True)
    against = _behind(registry, plan)
    answer = predict or _predict
    measured = _measured(plan, judged, answer(plan.model, plan.version, judged))
    champion = _measured(plan, judged, answer(plan.model, against, judged)) if against else None
    verdict = judge(
        measured,
        plan.limits,
        champion,
        against=against,
        minimum_rows=plan.minimum_rows,
        minimum_slice_rows=plan.minimum_slice_rows,
    )
    for name, value in tags_of(verdict).items():
        registry.set_model_version_tag(plan.model, plan.version, name, value)
    if not verdict.passed:
        failures = "\n".join(f"- {text}" for text in verdict.failures)
        raise ValidationFailedError(
            f"{plan.model} version {plan.version} is not good enough "
            f"(compared with version {against or 'none'}, {measured.rows} rows):\n{failures}"
        )
    return verdict


def _check_columns(plan: Plan, rows: pd.DataFrame) -> None:
    wanted = [plan.label, *plan.slices, *([] if plan.split is None else [plan.split[0]])]
    missing = [name for name in wanted if name not in rows.columns]
    if missing:
        raise PipelineError(
            f"The rows to validate {plan.model} on have no column {', '.join(missing)}; they have "
            f"{', '.join(map(str, rows.columns))}."
        )


def _behind(registry: MlflowClient, plan: Plan) -> str | None:
    """The version behind the champion's alias; None where nothing is, or where it is the one that is validated.

    Absent is not an error, an error is not absent: whatever else the workspace refuses is raised.
    """
    if plan.champion is None:
        return None
    try:
        version = str(registry.get_model_version_by_alias(plan.model, plan.champion).version)
    except MlflowException as error:
        # A registry says "not found"; MLflow's own store calls an alias that is not there an invalid one.
        absent = {ErrorCode.Name(RESOURCE_DOES_NOT_EXIST), ErrorCode.Name(INVALID_PARAMETER_VALUE)}
        if error.error_code in absent and "alias" in str(error).lower():
            return None
        raise
    return None if version == plan.version else version


def _predict(model: str, version: str, rows: pd.DataFrame) -> list[object]:
    mlflow.set_tracking_uri(TRACKING)
    mlflow.set_registry_uri(REGISTRY)
    try:
        folder = mlflow.artifacts.download_artifacts(f"models:/{model}/{version}")
    except MlflowException as error:
        raise PipelineError(f"Version {version} of {model} cannot be read: {error}") from error
    return predict_rows(Path(folder), rows)


def _measured(plan: Plan, rows: pd.DataFrame, predictions: Sequence[object]) -> Measured:
    scored = rows.assign(prediction=np.asarray(predictions))
    slices = {}
    for column in plan.slices:
        for value, part in scored.groupby(column, dropna=False, sort=True):
            slices[f"{column} = {value!r}"] = Measured(rows=len(part), metrics=dict(plan.measure(part)))
    return Measured(rows=len(scored), metrics=dict(plan.measure(scored)) if len(scored) else {}, slices=slices)
