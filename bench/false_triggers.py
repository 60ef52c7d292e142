"""`python -m bench.false_triggers`: how often detection would retrain a model for nothing.

Days of the sample customers without any drift, in memory: what a monitor would say of each window, slice and version is
computed with numpy, and judged by the job's own code. The real loop is `examples.churn.days`; this is many years of it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial.distance import jensenshannon
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from pipelines.churn import customers, sample
from pipelines.churn.drift_detection import Drift, Performance, Policy, judge

START = datetime(2024, 9, 1, tzinfo=UTC)
DAYS = 60
# Production and champion, as the endpoint's traffic has them.
SHARES = {"production": 0.8, "champion": 0.2}


@dataclass(frozen=True)
class Population:
    """Customers that no model was trained on: what becomes of them, what each version says, and the slices."""

    leaves: Any
    says: dict[str, Any]
    charges: Any
    slices: dict[str, Any]


def population(seed: int) -> Population:
    """Two models are trained on the train split of sample customers, and asked about all."""
    frame = pd.DataFrame(sample.generate(seed))
    inputs = pd.get_dummies(frame.drop(columns=["customerID", "Churn", "TotalCharges", "tenure", "MonthlyCharges"]))
    inputs = inputs.assign(tenure=frame["tenure"].astype(float), charges=frame["MonthlyCharges"].astype(float))
    leaves = (frame["Churn"] == "Yes").to_numpy()
    seen = ~frame["customerID"].map(customers.is_held_out).to_numpy()
    models = {
        "production": LogisticRegression(max_iter=2_000),
        "champion": GradientBoostingClassifier(n_estimators=60, random_state=7),
    }
    slices = {f"contract={name}": (frame["Contract"] == name).to_numpy() for name in sorted(set(frame["Contract"]))}
    slices |= {"senior_citizen='Yes'=true": (frame["SeniorCitizen"] == "1").to_numpy()}
    slices |= {"senior_citizen='Yes'=false": (frame["SeniorCitizen"] != "1").to_numpy(), "": np.ones(len(frame), bool)}
    return Population(
        leaves,
        {name: model.fit(inputs[seen], leaves[seen]).predict(inputs) for name, model in models.items()},
        frame["MonthlyCharges"].astype(float).to_numpy(),
        slices,
    )


def lived(people: Population, rows: int, random: np.random.Generator) -> tuple[list[Performance], list[Drift]]:
    """What a monitor says of so many days, each with other customers."""
    performance: list[Performance] = []
    drift: list[Drift] = []
    before: dict[tuple[str, str], tuple[float, float]] = {}
    for day in range(DAYS):
        asked = random.choice(len(people.leaves), rows, replace=False)
        by = random.choice(list(SHARES), rows, p=list(SHARES.values()))
        for model in SHARES:
            for segment, members in people.slices.items():
                chosen = asked[(by == model) & members[asked]]
                if not len(chosen):
                    continue
                truth, says = people.leaves[chosen], people.says[model][chosen]
                missed = truth & ~says
                at = START + day * timedelta(days=1)
                performance.append(
                    Performance(
                        time=at,
                        model_id=model,
                        segment=segment,
                        rows=len(chosen),
                        performance_metric=_f1(truth, says),
                        expected_loss=-float((people.charges[chosen] * missed).mean()),
                    )
                )
                now = (float(says.mean()), float(truth.mean()))
                drift += _moved(before.get((model, segment)), now, at, model, segment)
                before[(model, segment)] = now
    return performance, drift


def triggers(performance: Sequence[Performance], drift: Sequence[Drift], policy: Policy) -> int:
    """On how many nights detection would fire."""
    fired = 0
    for night in range(1, DAYS + 1):
        first, last = (START + (night - back) * timedelta(days=1) for back in (policy.last_windows, 1))
        seen = [row for row in performance if first <= row.time <= last]
        moved = [row for row in drift if first <= row.time <= last]
        fired += judge(seen, moved, policy).all_violations_count > 0
    return fired


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table: of so many times sixty days, in how many something was set going."""
    parser = argparse.ArgumentParser(prog="python -m bench.false_triggers", description=__doc__)
    parser.add_argument("--periods", type=int, default=100, help="of sixty days (default %(default)s)")
    parser.add_argument("--rows", type=int, default=400, help="a day (default %(default)s)")
    options = parser.parse_args(arguments)
    people, random = population(7), np.random.default_rng(7)
    periods = [lived(people, options.rows, random) for _ in range(options.periods)]
    sys.stdout.write("slices | needed of 7 | minimum rows | periods with a false trigger | nights\n")
    for sliced, needed, minimum in _settings():
        policy = Policy(needed_windows=needed, minimum_rows=minimum, last_windows=7)
        nights = [
            triggers([p for p in a if sliced or not p.segment], [d for d in b if sliced or not d.segment], policy)
            for a, b in periods
        ]
        hit = sum(count > 0 for count in nights)
        sys.stdout.write(f"{sliced!s:6} | {needed} | {minimum} | {hit} of {len(periods)} | {sum(nights)}\n")
        sys.stdout.flush()
    return 0


def _settings() -> Iterator[tuple[bool, int, int]]:
    yield from ((False, 1, 1), (False, 1, 30), (True, 1, 1), (True, 1, 30), (True, 2, 1), (True, 2, 30))


def _f1(truth: Any, says: Any) -> float:
    scores = []
    for label in sorted({*truth.tolist(), *says.tolist()}):
        both = ((truth == label) & (says == label)).sum()
        scores.append(2 * both / ((truth == label).sum() + (says == label).sum()))
    return float(np.mean(scores))


def _moved(
    before: tuple[float, float] | None, now: tuple[float, float], at: datetime, model: str, segment: str
) -> list[Drift]:
    if before is None:
        return []
    return [
        Drift(
            time=at,
            model_id=model,
            segment=segment,
            column_name=column,
            drift_metric=float(np.nan_to_num(jensenshannon([old, 1 - old], [new, 1 - new]))),
        )
        for column, old, new in zip(("prediction", "churn"), before, now, strict=True)
    ]


if __name__ == "__main__":
    sys.exit(main())
