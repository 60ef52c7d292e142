"""Baseline, slices, expected loss and drift of the telephone company's customers equal what pandas, scikit-learn and
scipy make of the same rows. CHURN_DATA names a folder with IBM's telco_churn.csv (7,043 customers); without it, as many
are generated in its shape.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from databricks.sdk.service.catalog import (
    MonitorInferenceLog,
    MonitorInferenceLogProblemType,
    MonitorMetric,
    MonitorMetricType,
)
from scipy import stats
from scipy.spatial.distance import jensenshannon
from sklearn.metrics import accuracy_score, f1_score

from pipelines.churn import customers, sample
from tests.support.served import opened_state
from tests.support.watching import SCHEMA, Watch, moment, refreshed, watched_workspace

STACK = Path(__file__).parents[2] / "examples" / "churn" / "Pulumi.local.yaml"
MONITOR: dict[str, Any] = yaml.safe_load(STACK.read_text())["config"]["churn-serving:serving"]["monitor"]
DOUBLE = '{"metadata":{},"name":"output","nullable":true,"type":"double"}'
YESTERDAY, TODAY = moment(days=-1), moment()
TYPES = {
    "inference_timestamp": "timestamp",
    "served_entity_id": "string",
    "customer_id": "string",
    "senior_citizen": "string",
    "contract": "string",
    "monthly_charges": "double",
    "tenure": "double",
    "prediction": "string",
    "churn": "string",
}
SENIOR = "senior_citizen='Yes'"
SLICES: list[tuple[str | None, str | None]] = [
    (None, None),
    (SENIOR, "true"),
    (SENIOR, "false"),
    ("contract", "Month-to-month"),
    ("contract", "One year"),
    ("contract", "Two year"),
]


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    """Every customer, with a simple rule's prediction, spread over two days, two models and the baseline."""
    folder = os.environ.get("CHURN_DATA")
    records = customers.read(Path(folder)) if folder else [one for seed in range(4) for one in sample.generate(seed)]
    frame = pd.DataFrame(records)
    random = np.random.default_rng(7)
    tenure, charges = frame["tenure"].astype(float), frame["MonthlyCharges"].astype(float)
    leaves = (frame["Contract"] == "Month-to-month") & (tenure < 14 + random.normal(0, 6, len(frame)))
    part = random.choice(["baseline", "yesterday", "today"], len(frame), p=[0.2, 0.4, 0.4])
    day = [TODAY if one == "today" else YESTERDAY for one in part]
    return pd.DataFrame(
        {
            "inference_timestamp": [
                one + timedelta(seconds=int(second))
                for one, second in zip(day, random.integers(0, 86_000, len(frame)), strict=True)
            ],
            "served_entity_id": random.choice(["a", "b"], len(frame), p=[0.8, 0.2]),
            "customer_id": frame["customerID"],
            "senior_citizen": np.where(frame["SeniorCitizen"] == "1", "Yes", "No"),
            "contract": frame["Contract"],
            "monthly_charges": charges,
            "tenure": tenure,
            "prediction": np.where(leaves, "Yes", "No"),
            "churn": frame["Churn"],
            "part": part,
        }
    )


@pytest.fixture(scope="module")
def watch(tmp_path_factory: pytest.TempPathFactory, people: pd.DataFrame) -> Iterator[Watch]:
    """The monitor of the churn stack's own file on them."""
    with opened_state(tmp_path_factory.mktemp("customers")) as state, watched_workspace(state) as watch:
        table = watch.create("inf", TYPES, _arrow(people[people["part"] != "baseline"]))
        watch.create("base", TYPES, _arrow(people[people["part"] == "baseline"]))
        (metric,) = MONITOR["customMetrics"]
        watch.client.quality_monitors.create(
            table,
            SCHEMA,
            MONITOR["assetsDir"],
            inference_log=MonitorInferenceLog(
                problem_type=MonitorInferenceLogProblemType(MONITOR["problemType"]),
                timestamp_col="inference_timestamp",
                granularities=MONITOR["granularities"],
                prediction_col="prediction",
                model_id_col="served_entity_id",
                label_col=MONITOR["labelColumn"],
            ),
            baseline_table_name=f"{SCHEMA}.base",
            slicing_exprs=MONITOR["slicingExprs"],
            custom_metrics=[
                MonitorMetric(
                    metric["name"],
                    metric["definition"],
                    metric["inputColumns"],
                    DOUBLE,
                    MonitorMetricType.CUSTOM_METRIC_TYPE_AGGREGATE,
                )
            ],
        )
        newest = refreshed(watch.client, table)
        assert newest.state.value == "SUCCESS", newest.message
        yield watch


TABLE = f"{SCHEMA}.inf"


@pytest.mark.parametrize(("key", "value"), SLICES)
@pytest.mark.parametrize("start", [YESTERDAY, TODAY])
def test_quality_and_expected_loss_of_every_slice_and_model(
    watch: Watch, people: pd.DataFrame, start: datetime, key: str | None, value: str | None
) -> None:
    here = _sliced(_of(people, start), key, value)
    for model in ("*", "a", "b"):
        rows = here if model == "*" else here[here["served_entity_id"] == model]
        found = watch.profile(TABLE, ":table", start=start, served_entity_id=model, slice_key=key, slice_value=value)
        missed = (rows["prediction"] != rows["churn"]) & (rows["churn"] == "Yes")
        assert found["count"] == len(rows) > 0
        assert found["expected_loss"] == pytest.approx(-(rows["monthly_charges"] * missed).sum() / len(rows), rel=1e-9)
        assert found["accuracy_score"] == pytest.approx(accuracy_score(rows["churn"], rows["prediction"]))
        assert found["f1_score"]["macro"] == pytest.approx(f1_score(rows["churn"], rows["prediction"], average="macro"))


@pytest.mark.parametrize(("key", "value"), SLICES)
@pytest.mark.parametrize("kind", ["CONSECUTIVE", "BASELINE"])
def test_drift_of_every_slice_against_yesterday_and_against_the_baseline(
    watch: Watch, people: pd.DataFrame, kind: str, key: str | None, value: str | None
) -> None:
    here = _sliced(_of(people, TODAY), key, value)
    there = _sliced(
        _of(people, YESTERDAY) if kind == "CONSECUTIVE" else people[people["part"] == "baseline"], key, value
    )
    for column in ("prediction", "churn", "senior_citizen"):
        values = sorted({*here[column], *there[column]})
        p, q = ([(rows[column] == one).mean() for one in values] for rows in (here, there))
        found = _drift(watch, column, kind, key, value)
        assert found["js_distance"] == pytest.approx(jensenshannon(p, q), rel=1e-9, abs=1e-9)
    for column in ("monthly_charges", "tenure"):
        found = _drift(watch, column, kind, key, value)
        distance = stats.wasserstein_distance(here[column], there[column])
        assert found["wasserstein_distance"] == pytest.approx(distance, rel=1e-9)
        assert found["ks_test"]["statistic"] == pytest.approx(stats.ks_2samp(here[column], there[column]).statistic)


def test_the_baseline_is_profiled_once_without_a_window_and_its_loss_is_its_own(
    watch: Watch, people: pd.DataFrame
) -> None:
    rows = people[people["part"] == "baseline"]
    found = watch.row(
        f"{TABLE}_profile_metrics", column_name=":table", log_type="BASELINE", slice_key=None, served_entity_id="*"
    )
    missed = (rows["prediction"] != rows["churn"]) & (rows["churn"] == "Yes")
    assert (found["window"], found["count"]) == (None, len(rows))
    assert found["expected_loss"] == pytest.approx(-(rows["monthly_charges"] * missed).sum() / len(rows), rel=1e-9)


def _drift(watch: Watch, column: str, kind: str, key: str | None, value: str | None) -> dict[str, Any]:
    return watch.drift(TABLE, column, kind, start=TODAY, served_entity_id="*", slice_key=key, slice_value=value)


def _of(people: pd.DataFrame, start: datetime) -> pd.DataFrame:
    return people[people["part"] == ("today" if start == TODAY else "yesterday")]


def _sliced(rows: pd.DataFrame, key: str | None, value: str | None) -> pd.DataFrame:
    if key is None:
        return rows
    return rows[(rows["senior_citizen"] == "Yes") == (value == "true")] if key == SENIOR else rows[rows[key] == value]


def _arrow(rows: pd.DataFrame) -> pa.Table:
    kinds = {"timestamp": pa.timestamp("us", tz="UTC"), "string": pa.string(), "double": pa.float64()}
    return pa.table({name: pa.array(list(rows[name]), kinds[kind]) for name, kind in TYPES.items()})
