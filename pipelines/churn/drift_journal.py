"""The journal of drift decisions and of the retrainings that follow: a Delta table that is only ever added to.

docs/loop.md describes its columns. Cooldown, weekly cap and hysteresis read what is in it, and so do people.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final, Literal

from pipelines.churn.drift_detection import Judged, Policy
from pipelines.churn.drift_response import Decision, Guard
from pipelines.churn.tables import statement
from pipelines.errors import PipelineError
from pipelines.sql import SqlRunner, Value

JOURNAL: Final = "advanced_churn_drift_decisions"
DECISION: Final = "decision"
TRAINING: Final = "training"
Comparison = Literal["better", "not better", "not compared"]


@dataclass(frozen=True, kw_only=True)
class Retraining:
    """What a retraining made, as the journal keeps it."""

    model: str
    version: str
    outcome: Comparison
    explanation: str
    since: datetime | None = None
    """The rows that versions were compared on begin here."""
    compared_with: str | None = None
    """The champion's version."""
    measured: Mapping[str, object]


class Journal:
    """Reads and adds to the journal, which the first use creates.

    A run of the job that is repaired or tried again may decide twice. It is one run all the same: what it said before
    holds nothing back now, and counts once for those that come after it.

    Args:
        table: its name, in the schema that `warehouse` works in, or with three parts.
        run_id: of the job's run that decides; None where no job does.
    """

    def __init__(self, warehouse: SqlRunner, table: str = JOURNAL, run_id: str | None = None) -> None:
        if not all(part.replace("_", "").isalnum() for part in table.split(".")):
            raise PipelineError(f"The journal is {table!r}, which cannot be written into a statement.")
        self._warehouse: Final = warehouse
        self._table: Final = table
        self._run_id: Final = run_id
        self._is_there = False

    def now(self) -> datetime:
        """The time of the workspace: a task's machine may have another one."""
        return _moment(self._warehouse.run("SELECT current_timestamp() AS now").only_row()["now"])

    def triggers(self, model: str) -> list[datetime]:
        """When other runs set a retraining of `model` going, oldest first: each run once, when it did first."""
        firsts: dict[object, datetime] = {}
        for number, row in enumerate(self._decisions(model)):
            run = number if row["run_id"] is None else row["run_id"]
            if run != self._run_id:
                firsts.setdefault(run, _moment(row["decided_at"]))
        return list(firsts.values())

    def last_violating_since(self, model: str) -> datetime | None:
        """Start of the oldest window that the last retraining was set going for; None where there was none."""
        decisions = self._decisions(model)
        if not decisions:
            return None
        starts = [one["start"] for one in json.loads(str(decisions[-1]["violating"]))]
        return datetime.fromisoformat(min(starts)) if starts else None

    def add_decision(self, model: str, decision: Decision, policy: Policy, guard: Guard) -> None:
        """Write down a decision. Raises PipelineError where that fails: then nothing may be set going either."""
        windows = [one.window.time for one in decision.verdict.judged]
        self._add(
            {
                "decided_at": _text(decision.history.now),
                "event": DECISION,
                "model": model,
                "outcome": decision.outcome,
                "reasons": ", ".join(decision.reasons),
                "explanation": str(decision),
                "retrain": str(decision.retrain).lower(),
                "all_violations_count": str(decision.all_violations_count),
                "violations_found": str(len(decision.verdict.violating)),
                "windows": str(decision.verdict.windows),
                "first_window": _text(min(windows)) if windows else None,
                "last_window": _text(max(windows)) if windows else None,
                "since": _text(decision.since),
                "violating": json.dumps([_document(one) for one in decision.verdict.judged if one.violating]),
                "policy": json.dumps(_limits(policy, guard)),
                "run_id": self._run_id,
            }
        )

    def add_retraining(self, retraining: Retraining) -> None:
        """Write down what a retraining made."""
        self._add(
            {
                "decided_at": _text(self.now()),
                "event": TRAINING,
                "model": retraining.model,
                "outcome": retraining.outcome,
                "explanation": retraining.explanation,
                "retrain": "false",
                "since": None if retraining.since is None else _text(retraining.since),
                "version": retraining.version,
                "compared_with": retraining.compared_with,
                "measured": json.dumps(retraining.measured),
            }
        )

    def _decisions(self, model: str) -> list[dict[str, Value]]:
        self._create()
        result = self._warehouse.run(
            f"SELECT decided_at, violating, run_id FROM {self._table} "  # noqa: S608 - the name is checked above
            f"WHERE event = '{DECISION}' AND retrain AND model = :model ORDER BY decided_at",
            {"model": model},
        )
        return [dict(zip(result.columns, row, strict=True)) for row in result.rows]

    def _add(self, values: Mapping[str, str | None]) -> None:
        self._create()
        given = {name: value for name, value in values.items() if value is not None}
        markers = ", ".join(f"CAST(:{name} AS {_TYPES[name]})" for name in given)
        self._warehouse.run(
            f"INSERT INTO {self._table} ({', '.join(given)}) SELECT {markers}",
            given,
        )

    def _create(self) -> None:
        if self._is_there:
            return
        self._warehouse.run(statement("create_drift_decisions").replace(JOURNAL, self._table))
        # A journal of before runs were told apart goes on, with its rows.
        look = self._warehouse.run(f"SELECT * FROM {self._table} LIMIT 0")  # noqa: S608 - the name is checked above
        if "run_id" not in look.columns:
            self._warehouse.run(f"ALTER TABLE {self._table} ADD COLUMNS (run_id STRING)")
        self._is_there = True


_TYPES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("decided_at", "first_window", "last_window", "since"), "TIMESTAMP"),
    **dict.fromkeys(("event", "model", "outcome", "reasons", "explanation", "violating", "policy"), "STRING"),
    **dict.fromkeys(("version", "compared_with", "measured", "run_id"), "STRING"),
    **dict.fromkeys(("all_violations_count", "violations_found", "windows"), "INT"),
    "retrain": "BOOLEAN",
}


def _document(one: Judged) -> dict[str, object]:
    return {
        "start": one.window.time.isoformat(),
        "model_id": one.window.model_id,
        "segment": one.window.segment,
        "performance_metric": one.performance_metric,
        "expected_loss": one.expected_loss,
        "drift": dict(one.drift),
    }


def _limits(policy: Policy, guard: Guard) -> dict[str, object]:
    limits = {**asdict(policy), **asdict(guard)}
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in limits.items() if name != "since"
    }


def _text(moment: datetime) -> str:
    return moment.isoformat()


def _moment(value: Value) -> datetime:
    if not isinstance(value, datetime):
        raise PipelineError(f"The journal has {value!r} where a timestamp is expected.")
    return value
