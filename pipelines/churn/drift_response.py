"""Whether violations set a retraining going now: cooldown, weekly cap, and hysteresis.

Pure: a verdict's rows and what happened before in, a decision out. It can only hold back: what detection did not count
never retrains. Times are compared to the microsecond; at the very end of the cooldown it is over.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from pipelines.churn.drift_detection import Drift, Performance, Policy, Verdict, as_utc, judge, judged_windows
from pipelines.errors import PipelineError

DAY: Final = timedelta(days=1)
WEEK: Final = timedelta(days=7)
Reason = Literal["cooldown", "weekly cap", "hysteresis"]
Outcome = Literal["violation", "no violation", "no data", "held back"]


@dataclass(frozen=True, kw_only=True)
class Guard:
    """What keeps retrainings from following each other too fast.

    Raises PipelineError where a number makes no sense.
    """

    cooldown_days: float = 3.0
    """Days after a retraining, or after one was set going, in which none is set going; 0 for none."""
    weekly_cap: int = 2
    """How many retrainings any seven days may have."""
    performance_rearm: float = 0.55
    """Having fired, detection fires again only after a new version was made, or after a window in which the metric was
    at least this, or ..."""
    expected_loss_rearm: float = 25.0
    """... the absolute loss at most this, and ..."""
    drift_rearm: float = 0.15
    """... drift at most this: the limits of `Policy`, less what noise moves a metric to and fro."""

    def __post_init__(self) -> None:
        if self.cooldown_days < 0 or self.weekly_cap < 1:
            raise PipelineError(
                f"cooldown_days is {self.cooldown_days:g}, weekly_cap is {self.weekly_cap}; use 0 or more, 1 or more."
            )

    def check_against(self, policy: Policy) -> None:
        """Raises PipelineError where a lower limit is beyond the limit itself."""
        for name, beyond in (
            ("performance", self.performance_rearm < policy.performance_threshold),
            ("expected_loss", self.expected_loss_rearm > policy.expected_loss_threshold),
            ("drift", self.drift_rearm > policy.drift_threshold),
        ):
            if beyond:
                own, limit = getattr(self, f"{name}_rearm"), getattr(policy, f"{name}_threshold")
                raise PipelineError(
                    f"{name}_rearm is {own:g}, on the wrong side of {name}_threshold {limit:g}; a metric is back "
                    "where it is at the threshold or better."
                )


@dataclass(frozen=True, kw_only=True)
class History:
    """What happened before (aware times, in any order)."""

    now: datetime
    trained: datetime | None = None
    """When the newest version was made, by whatever."""
    retrainings: Sequence[datetime] = ()
    """When versions were made by a retraining, of the last days at least."""
    triggers: Sequence[datetime] = ()
    """When detection set a retraining going."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What comes of a verdict."""

    verdict: Verdict
    history: History
    since: datetime
    """Windows from here on count."""
    reasons: Sequence[Reason] = ()
    """What held it back."""

    @property
    def outcome(self) -> Outcome:
        return "held back" if self.reasons else self.verdict.outcome

    @property
    def retrain(self) -> bool:
        return self.all_violations_count > 0

    @property
    def all_violations_count(self) -> int:
        """The violations that count: none where they were held back."""
        return 0 if self.reasons else self.verdict.all_violations_count

    def __str__(self) -> str:
        held = f"held back by {', '.join(self.reasons)}; " if self.reasons else ""
        return f"{held}{self.verdict}; windows count since {self.since:%Y-%m-%d %H:%M}"


def decide(
    performance: Iterable[Performance], drift: Iterable[Drift], policy: Policy, guard: Guard, history: History
) -> Decision:
    """Judge the windows, and hold back what may not retrain now. `policy.since` must be set."""
    guard.check_against(policy)
    rows, moved = list(performance), list(drift)
    if policy.since is None:
        raise PipelineError("policy.since is None; say from when on windows count.")
    since, armed = _armed(rows, moved, policy, guard, history)
    verdict = judge(rows, moved, replace(policy, since=since))
    reasons: list[Reason] = []
    if verdict.all_violations_count > 0:
        now = as_utc(history.now)
        before = [as_utc(moment) for moment in (*history.triggers, *history.retrainings)]
        if before and now - max(before) < guard.cooldown_days * DAY:
            reasons.append("cooldown")
        if _within_a_week(history) >= guard.weekly_cap:
            reasons.append("weekly cap")
        if not armed:
            reasons.append("hysteresis")
    return Decision(verdict=verdict, history=history, since=since, reasons=tuple(reasons))


def _within_a_week(history: History) -> int:
    """Retrainings of the last seven days. One set going by detection is in both lists, unless it failed."""
    now = as_utc(history.now)
    return max(
        sum(now - as_utc(moment) < WEEK for moment in moments) for moments in (history.triggers, history.retrainings)
    )


def _armed(
    rows: Sequence[Performance], moved: Sequence[Drift], policy: Policy, guard: Guard, history: History
) -> tuple[datetime, bool]:
    """From when on windows count, and whether detection may fire."""
    since = as_utc(policy.since) if policy.since is not None else datetime.min
    if not history.triggers:
        return since, True
    fired = max(map(as_utc, history.triggers))
    if history.trained is not None and as_utc(history.trained) > fired:
        return since, True
    calm = _first_calm_window(rows, moved, policy, guard, fired)
    # What was there before all was well again has been answered.
    return (since, False) if calm is None else (max(since, calm), True)


def _first_calm_window(
    rows: Sequence[Performance], moved: Sequence[Drift], policy: Policy, guard: Guard, fired: datetime
) -> datetime | None:
    """Start of the first window after `fired` that something is known of, and in which nothing is beyond the lower
    limits."""
    lower = replace(
        policy,
        since=max(fired, as_utc(policy.since or fired)),
        performance_threshold=guard.performance_rearm,
        expected_loss_threshold=guard.expected_loss_rearm,
        drift_threshold=guard.drift_rearm,
        # All was well once, however long ago.
        last_windows=max(policy.last_windows, len(rows)),
    )
    calm: dict[datetime, bool] = {}
    for one in judged_windows(rows, moved, lower):
        if one.known:
            calm[one.window.time] = calm.get(one.window.time, True) and not one.violating
    return next((time for time, quiet in sorted(calm.items()) if quiet), None)
