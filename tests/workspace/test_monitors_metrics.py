"""What monitors compute equals what numpy, scipy and scikit-learn compute of the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from databricks.sdk.service.catalog import (
    MonitorMetric,
    MonitorMetricType,
    MonitorTimeSeries,
)
from scipy import stats
from scipy.spatial.distance import jensenshannon
from sklearn import metrics as sklearn_metrics

from tests.support.served import opened_state
from tests.support.watching import SCHEMA, Row, Watch, inference_log, moment, refreshed, watched_workspace

YESTERDAY, TODAY = moment(days=-1), moment()
COUNTS = {YESTERDAY: 400, TODAY: 300}
TYPES = {
    "ts": "timestamp",
    "model_version": "string",
    "prediction": "string",
    "churn": "string",
    "monthly_charges": "double",
    "tenure": "int",
    "contract": "string",
    "senior_citizen": "string",
    "tags": "array<string>",
}
LOSS = "avg(CASE WHEN {{prediction_col}} != {{label_col}} AND {{label_col}} = 'Yes' THEN -monthly_charges ELSE 0 END)"
DOUBLE = '{"metadata":{},"name":"output","nullable":true,"type":"double"}'
FLOATS = npt.NDArray[np.float64]


def churn(day: datetime, count: int, seed: int, *, shift: float = 0.0) -> pa.Table:
    """Predictions of one day, made up: with NULLs, NaN and zeros."""
    random = np.random.default_rng(seed)
    charges = np.round(random.gamma(4.0, 15.0, count) + shift, 2)
    charges[:7] = 0.0
    charges[7:10] = np.nan
    labels = random.choice(["Yes", "No"], count, p=[0.3, 0.7])
    wrong = random.random(count) < 0.2 + shift / 100
    predictions = np.where(wrong, np.where(labels == "Yes", "No", "Yes"), labels)
    contracts = random.choice(
        ["Month-to-month", "One year", "Two year"], count, p=[0.5 + shift / 100, 0.3, 0.2 - shift / 100]
    )
    return pa.table(
        {
            "ts": pa.array(
                [day + timedelta(seconds=int(second)) for second in random.integers(0, 86_400, count)],
                pa.timestamp("us", "UTC"),
            ),
            "model_version": random.choice(["3", "4"], count),
            "prediction": predictions,
            "churn": labels,
            "monthly_charges": pa.array(charges, mask=np.arange(count) % 41 == 40),
            "tenure": pa.array(random.integers(0, 72, count), pa.int32()),
            "contract": pa.array(contracts, mask=np.arange(count) % 53 == 52),
            "senior_citizen": random.choice(["Yes", "No"], count, p=[0.2, 0.8]),
            "tags": pa.array([["a"] * int(size) for size in random.integers(0, 4, count)], pa.list_(pa.string())),
        }
    )


@pytest.fixture(scope="module")
def data() -> dict[Any, pa.Table]:
    return {
        YESTERDAY: churn(YESTERDAY, COUNTS[YESTERDAY], 1),
        TODAY: churn(TODAY, COUNTS[TODAY], 2, shift=9.0),
        "baseline": churn(moment(days=-90), 500, 3),
    }


@pytest.fixture(scope="module")
def watch(tmp_path_factory: pytest.TempPathFactory, data: dict[Any, pa.Table]) -> Iterator[Watch]:
    """A monitored inference log of two days and two models, with a baseline, slices and custom metrics."""
    with opened_state(tmp_path_factory.mktemp("metrics")) as state, watched_workspace(state) as watch:
        table = watch.create("inf", TYPES, pa.concat_tables([data[YESTERDAY], data[TODAY]]))
        watch.create("base", TYPES, data["baseline"])
        aggregate, derived, drift = (
            MonitorMetricType(f"CUSTOM_METRIC_TYPE_{kind}") for kind in ("AGGREGATE", "DERIVED", "DRIFT")
        )
        watch.client.quality_monitors.create(
            table,
            SCHEMA,
            "/Shared/m",
            inference_log=inference_log("prediction", "model_version", "churn"),
            baseline_table_name=f"{SCHEMA}.base",
            slicing_exprs=["senior_citizen = 'Yes'", "contract"],
            custom_metrics=[
                MonitorMetric("expected_loss", LOSS, [":table"], DOUBLE, aggregate),
                MonitorMetric(
                    "squared_avg",
                    "avg(`{{input_column}}` * `{{input_column}}`)",
                    ["tenure", "monthly_charges"],
                    "double",
                    aggregate,
                ),
                MonitorMetric("root_mean_square", "sqrt(squared_avg)", ["tenure"], '"double"', derived),
                MonitorMetric(
                    "loss_change",
                    "{{current_df}}.expected_loss - {{base_df}}.expected_loss",
                    [":table"],
                    DOUBLE,
                    drift,
                ),
            ],
        )
        newest = refreshed(watch.client, table)
        assert newest.state.value == "SUCCESS", newest.message
        yield watch


TABLE = f"{SCHEMA}.inf"


def profile(watch: Watch, column: str, start: datetime | None, **wanted: Any) -> Row:
    return watch.profile(TABLE, column, **{"start": start, "model_version": "*", **wanted})


def usable(values: pa.Table, column: str) -> FLOATS:
    found = values.column(column).drop_null().to_numpy().astype(np.float64)
    return np.sort(found[~np.isnan(found)])


def shares(here: pa.Table, there: pa.Table, column: str) -> tuple[FLOATS, FLOATS]:
    """Counts of the same values on both sides."""
    lists = [table.column(column).drop_null().to_pylist() for table in (here, there)]
    every = sorted({*lists[0], *lists[1]})
    return tuple(np.array([values.count(one) for one in every], dtype=np.float64) for values in lists)  # type: ignore[return-value]


def test_numbers_are_profiled_as_numpy_does(watch: Watch, data: dict[Any, pa.Table]) -> None:
    for day in (YESTERDAY, TODAY):
        column = data[day].column("monthly_charges")
        found = profile(watch, "monthly_charges", day)
        sample = usable(data[day], "monthly_charges")
        nulls = column.null_count
        assert found["count"] == COUNTS[day] - nulls
        assert found["num_nulls"] == nulls
        assert found["num_nan"] == 3
        assert found["num_zeros"] == int((sample == 0).sum())
        assert found["data_type"] == "double"
        assert found["distinct_count"] == len(np.unique(sample))
        assert (found["min"], found["max"]) == (sample.min(), sample.max())
        assert found["avg"] == pytest.approx(sample.mean(), rel=1e-12)
        assert found["stddev"] == pytest.approx(sample.std(ddof=1), rel=1e-12)
        assert found["median"] == pytest.approx(np.median(sample), rel=1e-12)
        assert found["quantiles"] == pytest.approx(np.quantile(sample, np.linspace(0, 1, 1000)).tolist(), rel=1e-12)
        assert found["percent_null"] == pytest.approx(100 * nulls / COUNTS[day])
        assert found["percent_nan"] == pytest.approx(100 * 3 / found["count"])
        assert found["percent_zeros"] == pytest.approx(100 * found["num_zeros"] / found["count"])
        assert found["percent_distinct"] == pytest.approx(100 * found["distinct_count"] / found["count"])
        assert found["frequent_items"] is None


def test_texts_are_profiled_by_their_items_and_lengths(watch: Watch, data: dict[Any, pa.Table]) -> None:
    values = data[TODAY].column("contract").drop_null().to_pylist()
    found = profile(watch, "contract", TODAY)
    counts = sorted((-values.count(item), item) for item in set(values))
    assert found["frequent_items"] == [{"item": item, "count": -count} for count, item in counts]
    assert found["count"] == len(values)
    assert found["distinct_count"] == 3
    lengths = [len(value) for value in values]
    assert (found["min_length"], found["max_length"]) == (min(lengths), max(lengths))
    assert found["avg_length"] == pytest.approx(np.mean(lengths))
    assert found["avg"] is found["quantiles"] is found["min"] is None


def test_times_and_arrays_have_what_their_types_have(watch: Watch, data: dict[Any, pa.Table]) -> None:
    times = [value.timestamp() for value in data[TODAY].column("ts").to_pylist()]
    found = profile(watch, "ts", TODAY)
    assert (found["min"], found["max"], found["median"]) == (min(times), max(times), np.median(times))
    assert found["data_type"] == "timestamp"
    assert found["avg"] is found["quantiles"] is found["num_zeros"] is None
    sizes = [len(value) for value in data[TODAY].column("tags").to_pylist()]
    found = profile(watch, "tags", TODAY)
    assert (found["min_length"], found["max_length"]) == (min(sizes), max(sizes))
    assert found["avg_length"] == pytest.approx(np.mean(sizes))
    assert found["distinct_count"] is None


def test_the_whole_table_has_its_rows_and_the_stamps_of_the_refresh(watch: Watch) -> None:
    found = profile(watch, ":table", TODAY)
    assert found["count"] == COUNTS[TODAY]
    assert found["non_null_columns"] == list(TYPES)
    assert found["window"] == {"start": TODAY, "end": TODAY + timedelta(days=1)}
    assert found["granularity"] == "1 day"
    assert found["monitor_version"] == 0
    assert found["logging_table_commit_version"] == watch.catalog.tables.delta(TABLE).version()


@pytest.mark.parametrize("against", ["CONSECUTIVE", "BASELINE"])
def test_drift_of_numbers_equals_scipys(watch: Watch, data: dict[Any, pa.Table], against: str) -> None:
    other = data[YESTERDAY] if against == "CONSECUTIVE" else data["baseline"]
    for column in ("monthly_charges", "tenure"):
        here, there = usable(data[TODAY], column), usable(other, column)
        found = watch.drift(TABLE, column, against, start=TODAY, model_version="*")
        test = stats.ks_2samp(here, there, method="asymp")
        assert found["ks_test"]["statistic"] == pytest.approx(test.statistic, rel=1e-12)
        assert found["ks_test"]["pvalue"] == pytest.approx(test.pvalue, rel=1e-9, abs=1e-300)
        assert found["wasserstein_distance"] == pytest.approx(stats.wasserstein_distance(here, there), rel=1e-9)
        edges = [-np.inf, *np.unique(np.quantile(there, np.linspace(0.1, 0.9, 9))), np.inf]
        # Of scipy's and numpy's histograms a value on an edge is in the upper bin; here it is in the lower one.
        p, q = (np.histogram(-sample, -np.array(edges[::-1]))[0][::-1] / len(sample) for sample in (here, there))
        p, q = np.maximum(p, 1e-4), np.maximum(q, 1e-4)
        assert found["population_stability_index"] == pytest.approx(float(np.sum((p - q) * np.log(p / q))), rel=1e-9)
        assert found["avg_delta"] == pytest.approx(here.mean() - there.mean(), abs=1e-9)
        assert found["js_distance"] is found["chi_squared_test"] is found["tv_distance"] is None


@pytest.mark.parametrize("against", ["CONSECUTIVE", "BASELINE"])
def test_drift_of_categories_equals_scipys(watch: Watch, data: dict[Any, pa.Table], against: str) -> None:
    other = data[YESTERDAY] if against == "CONSECUTIVE" else data["baseline"]
    for column in ("prediction", "churn", "contract"):
        here, there = shares(data[TODAY], other, column)
        found = watch.drift(TABLE, column, against, start=TODAY, model_version="*")
        p, q = here / here.sum(), there / there.sum()
        assert found["js_distance"] == pytest.approx(jensenshannon(p, q), rel=1e-9)
        assert found["tv_distance"] == pytest.approx(np.abs(p - q).sum() / 2, rel=1e-12)
        assert found["l_infinity_distance"] == pytest.approx(np.abs(p - q).max(), rel=1e-12)
        test = stats.chi2_contingency(np.stack([here, there]), correction=False)
        assert found["chi_squared_test"]["statistic"] == pytest.approx(test.statistic, rel=1e-9)
        assert found["chi_squared_test"]["pvalue"] == pytest.approx(test.pvalue, rel=1e-9)
        assert found["ks_test"] is found["wasserstein_distance"] is found["population_stability_index"] is None


def test_consecutive_drift_names_the_window_before_and_baseline_drift_names_none(watch: Watch) -> None:
    consecutive = watch.drift(TABLE, ":table", "CONSECUTIVE", start=TODAY, model_version="*")
    assert consecutive["window_cmp"] == {"start": YESTERDAY, "end": TODAY}
    assert consecutive["count_delta"] == COUNTS[TODAY] - COUNTS[YESTERDAY]
    assert consecutive["non_null_columns_delta"] == {"added": 0, "missing": 0}
    assert watch.drift(TABLE, ":table", "BASELINE", start=TODAY, model_version="*")["window_cmp"] is None
    drifts = f"{TABLE}_drift_metrics"
    assert not watch.rows(drifts, drift_type="CONSECUTIVE", start=YESTERDAY)


def test_model_quality_equals_scikit_learns_for_every_model(watch: Watch, data: dict[Any, pa.Table]) -> None:
    for model in ("*", "3", "4"):
        rows = data[TODAY].to_pylist()
        chosen = [row for row in rows if model in ("*", row["model_version"])]
        labels, predictions = ([row[name] for row in chosen] for name in ("churn", "prediction"))
        found = profile(watch, ":table", TODAY, model_version=model)
        assert found["count"] == len(chosen)
        assert found["accuracy_score"] == pytest.approx(sklearn_metrics.accuracy_score(labels, predictions))
        for name in ("precision", "recall", "f1_score"):
            score = getattr(sklearn_metrics, name if name == "f1_score" else f"{name}_score")
            one_by_one = dict(zip(["No", "Yes"], score(labels, predictions, average=None), strict=True))
            assert dict(found[name]["one_vs_all"]) == pytest.approx(one_by_one)
            assert found[name]["macro"] == pytest.approx(score(labels, predictions, average="macro"))
            assert found[name]["weighted"] == pytest.approx(score(labels, predictions, average="weighted"))
        matrix = sklearn_metrics.confusion_matrix(labels, predictions, labels=["No", "Yes"])
        counts = {(cell["label"], cell["prediction"]): cell["count"] for cell in found["confusion_matrix"]}
        assert counts == {
            (a, b): matrix[i][j] for i, a in enumerate(("No", "Yes")) for j, b in enumerate(("No", "Yes"))
        }


def test_custom_metrics_of_every_kind_equal_what_they_say(watch: Watch, data: dict[Any, pa.Table]) -> None:
    def loss(table: pa.Table) -> float:
        losses = [
            -row["monthly_charges"] if row["prediction"] != row["churn"] and row["churn"] == "Yes" else 0.0
            for row in table.to_pylist()
            if row["monthly_charges"] is not None or row["prediction"] == row["churn"] or row["churn"] != "Yes"
        ]
        return float(np.mean(losses))

    found = {day: profile(watch, ":table", day)["expected_loss"] for day in (YESTERDAY, TODAY)}
    for day, value in found.items():
        expected = loss(data[day])
        assert value == pytest.approx(expected)
    tenure = profile(watch, "tenure", TODAY)
    squared = float(np.mean(data[TODAY].column("tenure").to_numpy().astype(np.float64) ** 2))
    assert tenure["squared_avg"] == pytest.approx(squared)
    assert tenure["root_mean_square"] == pytest.approx(squared**0.5)
    assert tenure["expected_loss"] is None
    assert profile(watch, "monthly_charges", TODAY)["root_mean_square"] is None
    change = watch.drift(TABLE, ":table", "CONSECUTIVE", start=TODAY, model_version="*")["loss_change"]
    assert change == pytest.approx(found[TODAY] - found[YESTERDAY])


def test_a_column_is_a_slice_a_value_and_a_condition_is_two(watch: Watch, data: dict[Any, pa.Table]) -> None:
    slices = {
        (row["slice_key"], row["slice_value"]): row["count"]
        for row in watch.rows(
            f"{TABLE}_profile_metrics", column_name=":table", start=TODAY, model_version="*", log_type="INPUT"
        )
    }
    contracts, seniors = (data[TODAY].column(name).to_pylist() for name in ("contract", "senior_citizen"))
    expected: dict[tuple[str | None, str | None], int] = {(None, None): COUNTS[TODAY]}
    expected |= {("contract", value): contracts.count(value) for value in set(contracts) - {None}}
    expected |= {
        ("senior_citizen = 'Yes'", text): seniors.count(value) for text, value in (("true", "Yes"), ("false", "No"))
    }
    assert slices == expected


def test_drift_is_computed_within_a_slice(watch: Watch, data: dict[Any, pa.Table]) -> None:
    here, there = (
        np.sort([row["tenure"] for row in data[day].to_pylist() if row["contract"] == "One year"])
        for day in (TODAY, YESTERDAY)
    )
    found = watch.drift(
        TABLE, "tenure", "CONSECUTIVE", start=TODAY, model_version="*", slice_key="contract", slice_value="One year"
    )
    assert found["wasserstein_distance"] == pytest.approx(stats.wasserstein_distance(here, there))


def test_a_condition_compares_the_group_with_the_others(watch: Watch, data: dict[Any, pa.Table]) -> None:
    def rates(value: str) -> dict[str, float]:
        rows = [row for row in data[TODAY].to_pylist() if row["senior_citizen"] == value]
        positive = [row for row in rows if row["prediction"] == "Yes"]
        negatives = [row for row in rows if row["churn"] != "Yes"]
        return {
            "predictive_parity": sum(row["churn"] == "Yes" for row in positive) / len(positive),
            "predictive_equality": sum(row["prediction"] == "Yes" for row in negatives) / len(negatives),
            "equal_opportunity": sum(row["churn"] == "Yes" for row in positive)
            / sum(r["churn"] == "Yes" for r in rows),
            "statistical_parity": len(positive) / len(rows),
        }

    protected, others = rates("Yes"), rates("No")
    found = profile(watch, ":table", TODAY, slice_key="senior_citizen = 'Yes'", slice_value="true")
    for name, value in protected.items():
        assert dict(found[name]["difference"])["Yes"] == pytest.approx(value - others[name])
        assert dict(found[name]["ratio"])["Yes"] == pytest.approx(value / others[name])
    assert profile(watch, ":table", TODAY)["predictive_parity"] is None


@pytest.mark.parametrize("problem", ["REGRESSION", "CLASSIFICATION"])
def test_a_baseline_that_tells_no_models_apart_is_profiled_before_the_first_request(watch: Watch, problem: str) -> None:
    columns = {"ts": "timestamp", "prediction": "double", "label": "double"}
    answers = pa.table(
        {
            "ts": pa.array([TODAY, TODAY, YESTERDAY], pa.timestamp("us", "UTC")),
            "prediction": [1.0, 2.0, 4.0],
            "label": [1.0, 3.0, None],
        }
    )
    base = watch.create(f"offline_{problem.lower()}", columns, answers)
    table = watch.create(f"online_{problem.lower()}", {**columns, "model": "string"}, None)
    log = inference_log("prediction", "model", "label", problem=problem)
    watch.client.quality_monitors.create(table, SCHEMA, "/Shared/m", inference_log=log, baseline_table_name=base)
    refresh = refreshed(watch.client, table)
    assert refresh.state.value == "SUCCESS", refresh.message
    (profile,) = watch.rows(f"{table}_profile_metrics", column_name="prediction")
    assert (profile["log_type"], profile["model"], profile["count"]) == ("BASELINE", "*", 3)
    assert profile["avg"] == pytest.approx(7 / 3)


def test_the_baseline_has_a_profile_without_a_window(watch: Watch, data: dict[Any, pa.Table]) -> None:
    found = profile(watch, "monthly_charges", None, log_type="BASELINE")
    assert found["avg"] == pytest.approx(usable(data["baseline"], "monthly_charges").mean())
    assert found["granularity"] is None


def test_regression_errors_equal_scikit_learns_and_missing_labels_are_left_out(watch: Watch) -> None:
    random = np.random.default_rng(5)
    label = np.round(random.normal(20, 5, 200), 2)
    predicted = label + random.normal(0, 2, 200)
    late = np.arange(200) % 10 == 0
    rows = pa.table(
        {
            "ts": pa.array([moment(hours=1)] * 200, pa.timestamp("us", "UTC")),
            "model": ["1"] * 200,
            "fare": predicted,
            "paid": pa.array(label, mask=late),
        }
    )
    table = watch.create("fares", {"ts": "timestamp", "model": "string", "fare": "double", "paid": "double"}, rows)
    watch.client.quality_monitors.create(
        table,
        SCHEMA,
        "/Shared/m",
        inference_log=inference_log("fare", "model", "paid", problem="REGRESSION"),
    )
    refreshed(watch.client, table)
    found = watch.profile(table, ":table", model="*")
    truth, guess = label[~late], predicted[~late]
    squared = sklearn_metrics.mean_squared_error(truth, guess)
    assert found["mean_squared_error"] == pytest.approx(squared)
    assert found["root_mean_squared_error"] == pytest.approx(squared**0.5)
    assert found["mean_average_error"] == pytest.approx(sklearn_metrics.mean_absolute_error(truth, guess))
    percentage = sklearn_metrics.mean_absolute_percentage_error(truth, guess)
    assert found["mean_absolute_percentage_error"] == pytest.approx(percentage)
    assert found["r2_score"] == pytest.approx(sklearn_metrics.r2_score(truth, guess))


@pytest.mark.parametrize(
    ("granularity", "hours", "starts"),
    [
        ("5 minutes", [0.01, 0.1], [0, 1 / 12]),
        ("30 minutes", [0.4, 0.6], [0, 0.5]),
        ("1 hour", [0.5, 1.5], [0, 1]),
    ],
)
def test_windows_begin_where_their_granularity_says(
    watch: Watch, granularity: str, hours: list[float], starts: list[float]
) -> None:
    times = [moment(hours=hour) for hour in hours]
    rows = pa.table({"ts": pa.array(times, pa.timestamp("us", "UTC")), "x": [1.0, 2.0]})
    table = watch.create(f"w_{granularity.replace(' ', '_')}", {"ts": "timestamp", "x": "double"}, rows)
    series = MonitorTimeSeries(timestamp_col="ts", granularities=[granularity])
    watch.client.quality_monitors.create(table, SCHEMA, "/Shared/m", time_series=series)
    refreshed(watch.client, table)
    found = watch.rows(f"{table}_profile_metrics", column_name=":table", granularity=granularity)
    assert sorted(row["window"]["start"] for row in found) == [moment(hours=hour) for hour in starts]
