"""What a monitor computes, read from its checked definition and the table that it watches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workspace.monitors import custom_metrics
from workspace.monitors.custom_metrics import CustomMetric
from workspace.monitors.frame import Reading, Watched
from workspace.monitors.metric_tables import Types, drift_types, profile_types
from workspace.monitors.windows import Granularity

CLASSIFICATION, REGRESSION = "classification", "regression"


@dataclass(frozen=True)
class Spec:
    """A monitor, with columns by the names that the table has for them."""

    columns: Sequence[Watched]
    granularities: Sequence[Granularity]
    """None of them for a snapshot."""
    time: str | None
    model: str | None
    prediction: str | None
    label: str | None
    problem: str | None
    slices: Sequence[str]
    metrics: Sequence[CustomMetric]
    parameters: Mapping[str, str]
    """Of the custom metrics' templates."""

    @property
    def snapshot(self) -> bool:
        return not self.granularities

    @property
    def reading(self) -> Reading:
        return Reading(self.time, self.model, self.slices)

    @property
    def quality(self) -> str | None:
        """The kind of quality metrics that can be computed: there must be labels."""
        return self.problem if self.label is not None else None

    @property
    def profile_types(self) -> Types:
        return profile_types(self.model, self.quality, self.metrics)

    @property
    def drift_types(self) -> Types:
        return drift_types(self.model, self.metrics)


def spec_of(monitor: Mapping[str, Any], columns: Sequence[Watched]) -> Spec:
    """Of a definition that `definition.check` has passed."""
    log = monitor.get("inference_log")
    timed = log or monitor.get("time_series") or {}
    names = {column.name.casefold(): column.name for column in columns}

    def own(name: str | None) -> str | None:
        return None if name is None else names.get(name.casefold(), name)

    return Spec(
        columns=columns,
        granularities=[Granularity(text) for text in timed.get("granularities", [])],
        time=own(timed.get("timestamp_col")),
        model=own(log["model_id_col"]) if log else None,
        prediction=own(log["prediction_col"]) if log else None,
        label=own(log.get("label_col")) if log else None,
        problem=(REGRESSION if log["problem_type"].endswith("REGRESSION") else CLASSIFICATION) if log else None,
        slices=monitor.get("slicing_exprs") or [],
        metrics=custom_metrics.read(monitor.get("custom_metrics") or []),
        parameters=custom_metrics.parameters_of(log),
    )
