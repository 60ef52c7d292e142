"""Whether a model has become worse, or its answers have moved: violations, counted from a monitor's metrics.

Pure: rows in, a verdict out. A limit itself does not count: 0.19 is no drift, 0.1900001 is. What is not known (NULL,
NaN, labels that have not arrived) breaks no limit, and a verdict over no window at all says so, not "all is well".
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal

from pipelines.errors import PipelineError

TASK_VALUE: Final = "all_violations_count"
DRIFT_COLUMNS: Final = ("prediction", "churn")
Outcome = Literal["violation", "no violation", "no data"]
Window = tuple[datetime, str]
"""Start of a window (aware, UTC), and the id of the model."""


@dataclass(frozen=True, kw_only=True)
class Performance:
    """How a model did in one window. `expected_loss` is negative by construction; None where labels are missing."""

    time: datetime
    model_id: str
    rows: int
    performance_metric: float | None
    expected_loss: float | None


@dataclass(frozen=True, kw_only=True)
class Drift:
    """How far one column is from the window before."""

    time: datetime
    model_id: str
    column_name: str
    drift_metric: float | None


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What counts, and how much of it is needed.

    Raises PipelineError where the numbers make no sense together.
    """

    performance_threshold: float = 0.5
    expected_loss_threshold: float = 30.0
    """Compared with the absolute value."""
    drift_threshold: float = 0.19
    columns: Sequence[str] = DRIFT_COLUMNS
    performance_needs: Literal["all", "any"] = "all"
    """Whether metric and loss must both break their limits, or one of them."""
    drift_needs: Literal["all", "any"] = "all"
    """Whether all columns must have drifted, or one of them."""
    strict: bool = False
    """Only windows that have drift: the first one, which has nothing to be compared with, is then left out."""
    since: datetime | None = None
    """Windows that began earlier do not count: they were known when the model was trained last."""
    last_windows: int = 7
    """How many windows are looked at, the newest first."""
    needed_windows: int = 1
    """How many of them must have a violation before any counts."""
    minimum_rows: int = 1
    """A window of fewer rows is no evidence."""

    def __post_init__(self) -> None:
        for name in ("performance_threshold", "expected_loss_threshold", "drift_threshold"):
            if not math.isfinite(getattr(self, name)):
                raise PipelineError(f"{name} is {getattr(self, name)}; use a number.")
        if not 1 <= self.needed_windows <= self.last_windows:
            raise PipelineError(
                f"needed_windows is {self.needed_windows} of last_windows {self.last_windows}; use 1 to last_windows."
            )
        if self.minimum_rows < 1 or not self.columns:
            raise PipelineError(
                f"minimum_rows is {self.minimum_rows}, columns are {list(self.columns)}; use 1 or more, and a column."
            )


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was found."""

    outcome: Outcome
    performance_violations: int = 0
    drift_violations: int = 0
    windows: int = 0
    """How many windows, each of one model, were judged."""
    violating: Sequence[Window] = field(default_factory=tuple)
    """Which of them broke a limit, also where they are too few to count."""

    @property
    def all_violations_count(self) -> int:
        return self.performance_violations + self.drift_violations

    def __str__(self) -> str:
        when = ", ".join(f"{time:%Y-%m-%d} ({model})" for time, model in self.violating) or "none"
        return (
            f"{self.outcome}: {self.performance_violations} of performance and {self.drift_violations} of drift in "
            f"{self.windows} windows; beyond a limit: {when}"
        )


def judge(performance: Iterable[Performance], drift: Iterable[Drift], policy: Policy) -> Verdict:
    """Count the violations in the windows that `policy` lets count."""
    moved = pivot(drift)
    judged = _judged(performance, moved, policy)
    if not judged:
        return Verdict(outcome="no data")
    worse = [window for window, row in judged.items() if performance_violation(row, policy)]
    drifted = [window for window in judged if drift_violation(moved.get(window, {}), policy)]
    violating = sorted({*worse, *drifted})
    if len({time for time, _ in violating}) < policy.needed_windows:
        return Verdict(outcome="no violation", windows=len(judged), violating=violating)
    return Verdict(
        outcome="violation",
        performance_violations=len(worse),
        drift_violations=len(drifted),
        windows=len(judged),
        violating=violating,
    )


def pivot(drift: Iterable[Drift]) -> dict[Window, dict[str, float | None]]:
    """Drift by window, and there by column; where a column is there twice, its first value counts."""
    table: dict[Window, dict[str, float | None]] = {}
    for row in drift:
        table.setdefault((as_utc(row.time), row.model_id), {}).setdefault(row.column_name, _known(row.drift_metric))
    return table


def performance_violation(row: Performance, policy: Policy) -> bool:
    """Whether the metric is below its threshold and the loss beyond its own."""
    metric, loss = _known(row.performance_metric), _known(row.expected_loss)
    broken = (
        metric is not None and metric < policy.performance_threshold,
        loss is not None and abs(loss) > policy.expected_loss_threshold,
    )
    return all(broken) if policy.performance_needs == "all" else any(broken)


def drift_violation(moved: Mapping[str, float | None], policy: Policy) -> bool:
    """Whether the columns have drifted by more than the threshold."""
    broken = [(value := moved.get(name)) is not None and value > policy.drift_threshold for name in policy.columns]
    return all(broken) if policy.drift_needs == "all" else any(broken)


def as_utc(moment: datetime) -> datetime:
    """The same moment, aware and in UTC; a naive one is taken as UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _judged(
    performance: Iterable[Performance], moved: Mapping[Window, object], policy: Policy
) -> dict[Window, Performance]:
    """The windows that count: late enough, large enough, among the newest, and in strict mode with drift."""
    rows = {(as_utc(row.time), row.model_id): row for row in performance if row.rows >= policy.minimum_rows}
    since = policy.since
    if since is not None:
        rows = {window: row for window, row in rows.items() if window[0] >= as_utc(since)}
    # Without any drift there is nothing to join with, and performance is judged alone.
    if policy.strict and moved:
        rows = {window: row for window, row in rows.items() if window in moved}
    newest = sorted({time for time, _ in rows}, reverse=True)[: policy.last_windows]
    return {window: row for window, row in sorted(rows.items()) if window[0] in newest}


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value
