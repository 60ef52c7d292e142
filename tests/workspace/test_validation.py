"""Validation as a task: two versions of a model in the registry, the tags that gates read, and a failing task."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import mlflow
import numpy as np
import pandas as pd
import pytest
from databricks.sdk import WorkspaceClient
from mlflow import MlflowClient
from mlflow.models import infer_signature
from sklearn.dummy import DummyClassifier
from sklearn.tree import DecisionTreeClassifier

from pipelines.errors import PipelineError
from pipelines.validation import Limit, Plan, ValidationFailedError, classification, validate
from tests.support.server import WorkspaceServer

LIMITS = (
    Limit(metric="accuracy", kind="accuracy", at_least=0.6, may_lose=0.05),
    Limit(metric="missed", kind="business", at_most=10.0, higher_is_better=False, in_slices=False),
)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Customers whose leaving depends on their months alone; half of them for training."""
    random = np.random.default_rng(3)
    months = random.uniform(0, 60, 400)
    return pd.DataFrame(
        {
            "months": months,
            "label": np.where(months < 20, "Yes", "No"),
            "contract": np.where(months < 30, "monthly", "yearly"),
            "split": np.where(np.arange(400) % 2 == 0, "train", "test"),
        }
    )


@pytest.fixture(scope="module")
def model(server: WorkspaceServer, client: WorkspaceClient, rows: pd.DataFrame) -> Iterator[str]:
    """Versions 1 (always No), 2 (right), and 3 (right but for new customers)."""
    schema = f"v_{uuid.uuid4().hex[:8]}"
    client.schemas.create(schema, "main")
    name = f"main.{schema}.stays"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABRICKS_HOST", server.host)
        patch.setenv("DATABRICKS_TOKEN", server.token)
        patch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
        mlflow.set_tracking_uri("databricks")
        mlflow.set_registry_uri("databricks-uc")
        inputs = rows[["months"]]
        shifted = rows["label"].where(rows["months"] > 8, "No")
        experiment = mlflow.create_experiment(f"/Shared/{schema}")
        for estimator, truth in (
            (DummyClassifier(strategy="constant", constant="No"), rows["label"]),
            (DecisionTreeClassifier(random_state=0), rows["label"]),
            (DecisionTreeClassifier(random_state=0), shifted),
        ):
            fitted = estimator.fit(inputs, truth)
            with mlflow.start_run(experiment_id=experiment):
                mlflow.sklearn.log_model(
                    fitted,
                    name="stays",
                    signature=infer_signature(inputs, fitted.predict(inputs)),
                    registered_model_name=name,
                    pip_requirements=["scikit-learn"],
                )
        yield name
        mlflow.set_tracking_uri(before[0])
        mlflow.set_registry_uri(before[1])


def plan(model: str, version: str, **more: object) -> Plan:
    def measure(judged: pd.DataFrame) -> dict[str, float]:
        missed = (judged["label"] == "Yes") & (judged["prediction"] == "No")
        return {**classification(judged["label"], judged["prediction"]), "missed": float(missed.sum())}

    given = {"slices": ("contract",), "split": ("split", "test"), "limits": LIMITS, **more}
    return Plan(model=model, version=version, measure=measure, label="label", **given)  # type: ignore[arg-type]


def tags(model: str, version: str) -> dict[str, str]:
    return dict(MlflowClient("databricks", "databricks-uc").get_model_version(model, version).tags)


def test_a_good_version_without_a_champion_passes_on_absolute_limits(model: str, rows: pd.DataFrame) -> None:
    verdict = validate(plan(model, "2"), rows)
    assert (verdict.passed, verdict.against, verdict.measured.rows) == (True, None, 200)
    written = tags(model, "2")
    assert {
        name: written[name] for name in ("validation", "validation_accuracy", "validation_business")
    } == dict.fromkeys(("validation", "validation_accuracy", "validation_business"), "passed")
    assert (written["validation_against"], written["accuracy"]) == ("none", "1.000000")


def test_a_bad_version_fails_the_task_with_every_check_and_is_tagged_all_the_same(
    model: str, rows: pd.DataFrame
) -> None:
    with pytest.raises(ValidationFailedError) as failed:
        validate(plan(model, "1"), rows)
    said = str(failed.value)
    assert "missed on all rows is" in said
    assert "accuracy on contract = 'monthly' is" in said
    assert (tags(model, "1")["validation"], tags(model, "1")["validation_business"]) == ("failed", "failed")


def test_a_version_worse_than_the_champion_fails_though_it_is_good_enough_by_itself(
    model: str, rows: pd.DataFrame, client: WorkspaceClient
) -> None:
    alone = validate(plan(model, "3", limits=(Limit(metric="accuracy", kind="accuracy", at_least=0.6),)), rows)
    assert alone.passed
    client.registered_models.set_alias(model, "champion", 2)
    with pytest.raises(ValidationFailedError, match=r"compared with version 2, 200 rows"):
        validate(plan(model, "3"), rows)
    assert tags(model, "3")["validation_against"] == "2"
    assert "worse by more than 0.05" in tags(model, "3")["validation_failed"]
    # The champion itself is compared with nobody.
    assert validate(plan(model, "2"), rows).against is None


def test_rows_or_versions_that_are_not_there_are_named(model: str, rows: pd.DataFrame) -> None:
    with pytest.raises(PipelineError, match="have no column contract"):
        validate(plan(model, "2"), rows.drop(columns="contract"))
    with pytest.raises(PipelineError, match=r"Version 9 of .* cannot be read"):
        validate(plan(model, "9"), rows)
