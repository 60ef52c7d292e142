"""Whether a model has become worse, or its answers have moved: violations, counted from a monitor's metrics.

Pure: rows in, a verdict out. A limit itself does not count: 0.19 is no drift, 0.1900001 is. What is not known (NULL,
NaN, labels that have not arrived) breaks no limit, and a verdict over no window at all says so, not "all is well".
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple

from pipelines.errors import PipelineError

TASK_VALUE: Final = "all_violations_count"
LABEL: Final = "churn"
DRIFT_COLUMNS: Final = ("prediction", LABEL)
WHOLE_TABLE: Final = ""
Outcome = Literal["violation", "no violation", "no data"]


class Window(NamedTuple):
    """A window of one model, over the whole table or one slice of it."""

    time: datetime
    """Its start (aware, UTC)."""
    model_id: str
    segment: str = WHOLE_TABLE
    """`<slice key>=<slice value>`; empty for the whole table."""


@dataclass(frozen=True, kw_only=True)
class Performance:
    """How a model did in one window. `expected_loss` is negative by construction; None where labels are missing."""

    time: datetime
    model_id: str
    rows: int
    performance_metric: float | None
    expected_loss: float | None
    segment: str = WHOLE_TABLE
    labelled: int | None = None
    """Rows whose label has arrived; None where nobody counted, and then all are taken to have one."""

    @property
    def window(self) -> Window:
        return Window(as_utc(self.time), self.model_id, self.segment)


@dataclass(frozen=True, kw_only=True)
class Drift:
    """How far one column is from the window before."""

    time: datetime
    model_id: str
    column_name: str
    drift_metric: float | None
    segment: str = WHOLE_TABLE


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
    """How many of them must have a violation before any counts; a slice, like the whole table, needs so many itself."""
    minimum_rows: int = 1
    """A window of fewer rows is no evidence, and one of fewer labels is none of what labels tell."""

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
class Judged:
    """One window that counts, with what is known of it."""

    window: Window
    performance_metric: float | None
    expected_loss: float | None
    drift: Mapping[str, float | None]
    performance_violation: bool
    drift_violation: bool

    @property
    def violating(self) -> bool:
        return self.performance_violation or self.drift_violation

    @property
    def known(self) -> bool:
        """Whether anything is known by which it could have broken a limit."""
        values = (self.performance_metric, self.expected_loss, *self.drift.values())
        return any(value is not None for value in values)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was found."""

    outcome: Outcome
    performance_violations: int = 0
    drift_violations: int = 0
    judged: Sequence[Judged] = field(default_factory=tuple)
    """Every window that was looked at, in order."""

    @property
    def all_violations_count(self) -> int:
        return self.performance_violations + self.drift_violations

    @property
    def windows(self) -> int:
        """How many windows, each of one model and of the table or one slice, were judged."""
        return len(self.judged)

    @property
    def violating(self) -> list[Window]:
        """Which of them broke a limit, also where they are too few to count."""
        return [one.window for one in self.judged if one.violating]

    def __str__(self) -> str:
        when = ", ".join(map(_named, self.violating)) or "none"
        return (
            f"{self.outcome}: {self.performance_violations} of performance and {self.drift_violations} of drift in "
            f"{self.windows} windows; beyond a limit: {when}"
        )


def judge(performance: Iterable[Performance], drift: Iterable[Drift], policy: Policy) -> Verdict:
    """Count the violations in the windows that `policy` lets count."""
    judged = judged_windows(performance, drift, policy)
    if not judged:
        return Verdict(outcome="no data")
    times: dict[str, set[datetime]] = {}
    for one in judged:
        if one.violating:
            times.setdefault(one.window.segment, set()).add(one.window.time)
    # A window is one of those needed, whichever model broke a limit in it.
    enough = {segment for segment, starts in times.items() if len(starts) >= policy.needed_windows}
    counting = [one for one in judged if one.window.segment in enough]
    return Verdict(
        outcome="violation" if enough else "no violation",
        performance_violations=sum(one.performance_violation for one in counting),
        drift_violations=sum(one.drift_violation for one in counting),
        judged=judged,
    )


def judged_windows(performance: Iterable[Performance], drift: Iterable[Drift], policy: Policy) -> list[Judged]:
    """The windows that count, in order, each held against the limits."""
    moved = pivot(drift)
    return [
        Judged(
            window=window,
            performance_metric=_known(row.performance_metric),
            expected_loss=_known(row.expected_loss),
            drift=columns,
            performance_violation=performance_violation(row, policy),
            drift_violation=drift_violation(columns, policy),
        )
        for window, row in _counting(performance, moved, policy).items()
        for columns in [_told_by_labels(moved.get(window, {}), row, policy)]
    ]


def pivot(drift: Iterable[Drift]) -> dict[Window, dict[str, float | None]]:
    """Drift by window, and there by column; where a column is there twice, its first value counts."""
    table: dict[Window, dict[str, float | None]] = {}
    for row in drift:
        window = Window(as_utc(row.time), row.model_id, row.segment)
        table.setdefault(window, {}).setdefault(row.column_name, _known(row.drift_metric))
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


def _counting(
    performance: Iterable[Performance], moved: Mapping[Window, object], policy: Policy
) -> dict[Window, Performance]:
    """The windows that count: late enough, large enough, among the newest, and in strict mode with drift."""
    rows = {row.window: _by_labels(row, policy) for row in performance if row.rows >= policy.minimum_rows}
    since = policy.since
    if since is not None:
        rows = {window: row for window, row in rows.items() if window.time >= as_utc(since)}
    # Without any drift there is nothing to join with, and performance is judged alone.
    if policy.strict and moved:
        rows = {window: row for window, row in rows.items() if window in moved}
    newest = sorted({window.time for window in rows}, reverse=True)[: policy.last_windows]
    return {window: row for window, row in sorted(rows.items()) if window.time in newest}


def _too_few_labels(row: Performance, policy: Policy) -> bool:
    return row.labelled is not None and row.labelled < policy.minimum_rows


def _by_labels(row: Performance, policy: Policy) -> Performance:
    """The row, without what the few labels that have arrived say: those of the first to leave come first."""
    if not _too_few_labels(row, policy):
        return row
    return Performance(
        time=row.time,
        model_id=row.model_id,
        rows=row.rows,
        performance_metric=None,
        expected_loss=None,
        segment=row.segment,
        labelled=row.labelled,
    )


def _told_by_labels(moved: Mapping[str, float | None], row: Performance, policy: Policy) -> Mapping[str, float | None]:
    return {**moved, LABEL: None} if LABEL in moved and _too_few_labels(row, policy) else moved


def _named(window: Window) -> str:
    segment = f", {window.segment}" if window.segment else ""
    return f"{window.time:%Y-%m-%d} ({window.model_id}{segment})"


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value
