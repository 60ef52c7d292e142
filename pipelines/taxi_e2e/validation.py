"""The task `ModelValidation`: whether a version may serve. It fails the job where it may not, so that nothing moves."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import pandas as pd
from databricks.sdk import WorkspaceClient
from sklearn.linear_model import LinearRegression

from pipelines.baseline import replace_baseline
from pipelines.errors import PipelineError
from pipelines.progress import Progress
from pipelines.taxi.split import by_time, cut_time
from pipelines.taxi_e2e.custom_metrics import fare_quality
from pipelines.taxi_e2e.settings import CHAMPION, Settings, number
from pipelines.taxi_e2e.train import INPUTS, LABEL, TIME, training_set
from pipelines.taxi_e2e.transform import DISTANCE
from pipelines.validation import Limit, Plan, Verdict, validate

LINE: Final = "predicted_by_distance"
GAIN: Final = "gain_over_distance"
BASELINE: Final = "taxi_fare_baseline"
# Of the table of unpacked requests, less what only a request has.
BASELINE_COLUMNS: Final = {
    "inference_timestamp": "timestamp",
    **{column.name: column.data_type for column in INPUTS},
    "prediction": "double",
    LABEL: "double",
}


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """What a version must keep to. A threshold itself is kept.

    Raises PipelineError where a number makes no sense.
    """

    max_rmse: float
    """Dollars."""
    max_mae: float
    """Dollars."""
    least_within_fifth: float
    """Share of trips whose fare is predicted within 20 %."""
    may_lose: float
    """By how many dollars its RMSE may be above the champion's on the same trips."""

    def __post_init__(self) -> None:
        if min(self.max_rmse, self.max_mae) <= 0 or not 0 <= self.least_within_fifth <= 1 or self.may_lose < 0:
            raise PipelineError(
                f"{self} cannot be kept: use errors above 0, a share from 0 to 1, and a loss of 0 or more."
            )

    @property
    def limits(self) -> tuple[Limit, ...]:
        """In the words of `pipelines.validation`."""
        return (
            Limit(
                metric="rmse",
                kind="accuracy",
                at_most=self.max_rmse,
                higher_is_better=False,
                may_lose=self.may_lose,
                in_slices=False,
            ),
            Limit(metric="mae", kind="accuracy", at_most=self.max_mae, in_slices=False),
            # No better than a line through distance and fare is nothing learned from features.
            Limit(metric=GAIN, kind="accuracy", at_least=0.0, in_slices=False),
            Limit(metric="within_fifth", kind="business", at_least=self.least_within_fifth, in_slices=False),
        )


def thresholds_of(get: Callable[[str], str]) -> Thresholds:
    """The thresholds, from a function that gives a job parameter."""
    return Thresholds(**{name: number(name, get(name)) for name in Thresholds.__dataclass_fields__})


def held_out(trips: pd.DataFrame) -> pd.DataFrame:
    """The trips that training has not seen, with what distance alone says of their fares."""
    seen, later = by_time(trips, TIME, cut_time(trips[TIME]))
    line = LinearRegression().fit(seen[[DISTANCE]], seen[LABEL])
    return later.assign(**{LINE: line.predict(later[[DISTANCE]])})


def measure(rows: pd.DataFrame) -> Mapping[str, float]:
    """Measures of rows that have fares, predictions and what distance alone says."""
    quality = fare_quality(rows[LABEL], rows["prediction"])
    by_distance = fare_quality(rows[LABEL], rows[LINE])
    return {**asdict(quality), GAIN: by_distance.rmse - quality.rmse}


def validate_version(
    settings: Settings, workspace: WorkspaceClient, progress: Progress, version: str, thresholds: Thresholds
) -> Verdict:
    """Score the held-out trips with the version and with the champion; the verdict is in the version's tags.

    What a version that passed says of those trips is the baseline that its requests are compared with.

    Raises:
        ValidationFailedError: it may not serve; the tags say so.
        PipelineError: it cannot be judged.
    """
    warehouse = settings.warehouse(workspace)
    rows = held_out(training_set(warehouse))
    answered: list[pd.DataFrame] = []

    def measuring(frame: pd.DataFrame) -> Mapping[str, float]:
        answered.append(frame)
        return measure(frame)

    plan = Plan(
        model=settings.model,
        version=version,
        measure=measuring,
        limits=thresholds.limits,
        label=LABEL,
        champion=CHAMPION,
    )
    verdict = validate(plan, rows)
    measures = ", ".join(f"{name} {value:.3f}" for name, value in verdict.measured.metrics.items())
    progress.say("validation", f"version {version} passed, against {verdict.against or 'no champion'}: {measures}")
    # The version that is judged is measured first, the champion after it.
    trips = answered[0].assign(inference_timestamp=answered[0][TIME])
    count = replace_baseline(warehouse, BASELINE, BASELINE_COLUMNS, trips)
    progress.say("baseline", f"{count} trips in {settings.full_schema}.{BASELINE}")
    return verdict


def document_of(version: str, verdict: Verdict) -> dict[str, Any]:
    """A verdict for the task's result."""
    return {
        "model_version": version,
        "validation": "passed" if verdict.passed else "failed",
        **verdict.measured.metrics,
    }
