"""What somebody who is woken up has to know: what fires, what was decided and why, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from apps.report.facts import Facts
from apps.report.limits import Alert
from apps.report.monitor_sections import beyond
from apps.report.sections import at, day, instant, number
from apps.report.source import UNREADABLE, Row

# The job decides every night; somebody has paused it, or it fails, when nothing was decided for longer.
SILENCE = timedelta(hours=36)
TRIGGERED = "TRIGGERED"
_SIDES = {">": "above", "≥": "from", "<": "below", "≤": "down from"}
_FIRST_LOOK = {
    "availability": "See Errors, by served entity. Is it the newest version? Then go back to the one that stands by "
    "(python -m apps.deploy rollback; docs/releases.md).",
    "latency": "See Latency, by served entity. A cold start after scale to zero, or a workload size that is too small "
    "(docs/operations.md)?",
    "tokens": "See Traffic: more requests, or longer answers?",
    "freshness": "See the last run of the job that writes the table.",
}
_FIRST_LOOK_OF_DRIFT = (
    "See Prediction drift beside Feature drift: is it the customers or the model? Drift detection decides at night."
)
_FIRST_LOOK_OF_QUALITY = "See Performance, by model, and the newest decision: a retraining may be made already."
_HELD_BACK = {
    "cooldown": "the last retraining is too fresh: wait for the windows of its version",
    "weekly cap": "a week has no more retrainings: find out why they do not help",
    "hysteresis": "one was set going and no version came of it: look at the run's task Model_training, and repair the "
    "run, which trains again",
}


@dataclass(frozen=True, kw_only=True)
class Note:
    """One thing to know."""

    tone: str
    """`bad`, `warn`, `good`."""
    what: str
    why: str = ""
    do: str = ""


def notes(facts: Facts) -> list[Note]:
    """The worst first; one that says that all is well where there is nothing else."""
    found = [*_alerts(facts), *_decision(facts), *_challenger(facts), *_unseen(facts)]
    if not any(note.tone != "good" for note in found):
        found.append(Note(tone="good", what="Nothing fires, nothing has to be done."))
    return sorted(found, key=lambda note: ("bad", "warn", "good").index(note.tone))


def _alerts(facts: Facts) -> Iterator[Note]:
    windows: dict[str, list[str]] = {}
    for one in beyond(facts):
        windows.setdefault(one.alert.name, []).append(f"{day(one.window)} ({one.what} {number(one.value)})")
    for alert in facts.alerts.value:
        if alert.state != TRIGGERED:
            continue
        since = windows.get(alert.name, [])
        where = f" Windows beyond it: {', '.join(since[-3:])}." if since else ""
        yield Note(
            tone="bad",
            what=f"Alert {alert.name} fires: {alert.says}",
            why=f"Now {number(alert.value)}, and it fires {_SIDES.get(alert.sign, alert.sign)} {number(alert.limit)}."
            f"{where}",
            do=_first_look(alert),
        )
    silent = [one.name for one in facts.alerts.value if one.state not in (TRIGGERED, "OK")]
    if silent:
        yield Note(
            tone="warn",
            what=f"Not known: {', '.join(silent)}.",
            why="Such an alert found too little to judge by when it looked last, or its query failed.",
            do="See Alerts: is there traffic, and do its jobs run?",
        )


def _first_look(alert: Alert) -> str:
    if alert.watches is not None:
        return _FIRST_LOOK_OF_DRIFT if alert.watches.drift_type else _FIRST_LOOK_OF_QUALITY
    return next((look for kind, look in _FIRST_LOOK.items() if alert.name.startswith(kind)), "See Alerts.")


def _decision(facts: Facts) -> Iterator[Note]:
    newest = _newest(facts, "decision")
    if newest is None:
        return
    when, outcome = instant(newest["decided_at"]), str(newest["outcome"])
    why = f"Because: {newest['explanation']}." if newest["explanation"] else ""
    now = facts.now.value
    if now is not None and now - at(newest["decided_at"]) > SILENCE:
        yield Note(
            tone="bad",
            what=f"Drift detection has decided nothing since {when}.",
            why=f"Its last word was: {outcome}.",
            do="See the runs of the drift job: is it paused, or does it fail?",
        )
    elif newest["retrain"]:
        training = _newest(facts, "training")
        if training is None or at(training["decided_at"]) < at(newest["decided_at"]):
            yield Note(
                tone="bad",
                what=f"Drift detection set a retraining going at {when}, and no version came of it yet.",
                why=why,
                do="See task Model_training of the drift job's run; where it failed, repair the run, which trains "
                "again.",
            )
        else:
            yield Note(tone="warn", what=f"Drift detection set a retraining going at {when}.", why=why)
    elif outcome == "held back":
        reasons = [_HELD_BACK.get(reason, reason) for reason in str(newest["reasons"] or "").split(", ")]
        yield Note(
            tone="warn", what=f"Drift detection held a retraining back at {when}.", why=why, do=f"{'; '.join(reasons)}."
        )
    elif outcome == "no data":
        yield Note(
            tone="warn",
            what=f"Drift detection had no data at {when}: that is not the same as no drift.",
            why=why,
            do="After a new version this lasts a day. Else see the unpack job's last run and the monitor's refresh.",
        )
    else:
        yield Note(tone="good", what=f"Drift detection at {when}: {outcome}.", why=why)


def _challenger(facts: Facts) -> Iterator[Note]:
    """A version that a retraining made, and that nobody has released."""
    training = _newest(facts, "training")
    if training is None or not training["version"]:
        return
    version = str(training["version"])
    serving = {str(one.get("version")) for one in facts.outputs.get("servedEntities") or []}
    if version in serving:
        return
    why = str(training["explanation"] or "")
    if training["outcome"] == "better":
        aliases = ", ".join(f'{name}: "{version}"' for name in facts.outputs.get("aliases") or {"production": ""})
        yield Note(
            tone="warn",
            what=f"Version {version} is better and waits for its release; it serves nobody.",
            why=why,
            do=f"In the stack file set model.aliases to {{{aliases}}}, look at pulumi preview, then pulumi up. Gates "
            "and smoke queries decide whether it gets traffic.",
        )
    else:
        yield Note(
            tone="warn",
            what=f"Version {version} of the last retraining is {training['outcome']}: do not release it.",
            why=why,
            do="See Feature drift: has something come that the features do not know? Labels that arrive later can be "
            "trained on by a further run of the job's task Model_training.",
        )


def _unseen(facts: Facts) -> Iterator[Note]:
    """What could not be read. What the stack does not have is no news."""
    missing: list[tuple[str, Any]] = [
        ("traffic", facts.traffic),
        ("the monitor", facts.monitor),
        ("alerts", facts.alerts),
        ("decisions", facts.decisions),
    ]
    refused = [f"{what} ({reading.missing})" for what, reading in missing if UNREADABLE in reading.missing]
    if refused:
        yield Note(
            tone="warn",
            what="This report does not see everything.",
            why=f"No data: {'; '.join(refused)}.",
            do="Make it with rights to read these (docs/report.md), or look at them in the workspace.",
        )


def _newest(facts: Facts, event: str) -> Row | None:
    """The newest entry of that kind in the journal, which is read with the newest first."""
    return next((row for row in facts.decisions.value if row["event"] == event), None)
