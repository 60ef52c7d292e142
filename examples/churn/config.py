"""The schema of this project's stack files: what all serving stacks have, and how the stack answers drift."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Literal

from pydantic import Field

from components.config import MonitorConfig, StackConfig
from components.config.batch import CONSUMER, BatchConfig
from components.config.fields import Cron, Email, Filled, Section
from components.config.rules import rule

GRANULARITY = "1 day"
# Of the drift metrics table, which leaves a measure NULL for columns of the other kind.
_OF_CATEGORIES = (
    "js_distance",
    "chi_squared_test.statistic",
    "chi_squared_test.pvalue",
    "tv_distance",
    "l_infinity_distance",
)
_OF_NUMBERS = ("ks_test.statistic", "ks_test.pvalue", "wasserstein_distance", "population_stability_index")
DEFAULT_PACKAGES = ("mlflow==3.17.2", "databricks-sdk==0.156.0", "scikit-learn==1.7.2", "pandas==2.3.3")


class DriftResponseConfig(Section):
    """When the model is trained again. A limit itself does not count."""

    performance_metric: Filled = Field(default="f1_score.macro", description="Of the profile metrics table.")
    drift_metric: Filled = Field(
        default="js_distance", description="Of the drift metrics table; js_distance is for categorical columns only."
    )
    performance_threshold: float = Field(default=0.5, description="Below it, performance is bad.")
    expected_loss_threshold: float = Field(
        default=30.0, ge=0, description="Beyond it, in dollars a customer, the loss is bad; the sign does not matter."
    )
    drift_threshold: float = Field(default=0.19, ge=0, description="Above it, a column has drifted.")
    performance_needs: Literal["all", "any"] = Field(
        default="all", description="Whether metric and loss must both be bad, or one of them."
    )
    drift_needs: Literal["all", "any"] = Field(
        default="all", description="Whether prediction and churn must both have drifted, or one of them."
    )
    strict: bool = Field(default=False, description="Judge only windows that have drift: the first one has none.")
    start_date: date = Field(default=date(2024, 6, 1), description="Windows that begin earlier (UTC) do not count.")
    since_training: bool = Field(default=True, description="Nor do those from before the newest version was made.")
    last_windows: int = Field(default=7, ge=1, description="How many windows are looked at, the newest first.")
    needed_windows: int = Field(default=1, ge=1, description="How many of them must be bad before any counts.")
    minimum_rows: int = Field(default=1, ge=1, description="A window of fewer rows is no evidence.")
    judge_slices: bool = Field(
        default=False, description="Judge every slice of the monitor as well: what befalls a few is lost in the whole."
    )
    cooldown_days: float = Field(
        default=3.0, ge=0, description="Days after a retraining in which none is set going; 0 for none."
    )
    weekly_cap: int = Field(default=2, ge=1, description="How many retrainings any seven days may have.")
    performance_rearm: float = Field(
        default=0.55,
        description="Having fired, it fires again only after a new version, or after a window in which the metric was "
        "at least this,",
    )
    expected_loss_rearm: float = Field(default=25.0, ge=0, description="the absolute loss at most this,")
    drift_rearm: float = Field(default=0.15, ge=0, description="and drift at most this.")
    journal: Filled = Field(
        default="advanced_churn_drift_decisions",
        pattern="^[A-Za-z0-9_]+$",
        description="Table that every decision is written to, in the stack's catalog and schema (docs/loop.md).",
    )
    cron: Cron = Field(default="0 0 2 * * ?", description="Quartz expression, UTC: when it is looked.")
    folder: str = Field(pattern="^/", description="Workspace folder of the notebooks and their code, from the root.")
    packages: list[Filled] = Field(
        default_factory=lambda: list(DEFAULT_PACKAGES), description="What the notebooks run with, pinned."
    )
    run_as: Filled | None = Field(default=None, description="Application id of a service principal.")
    notify_on_failure: list[Email] = Field(default_factory=list, description="Of the job itself.")

    @rule()
    def _fits_together(self) -> None:
        if self.needed_windows > self.last_windows:
            raise ValueError(
                f"needs {self.needed_windows} bad windows and looks at {self.last_windows}; look at as many at least"
            )
        for metric, limit, rearm, wrong in (
            ("performance", self.performance_threshold, self.performance_rearm, "below"),
            ("expectedLoss", self.expected_loss_threshold, self.expected_loss_rearm, "above"),
            ("drift", self.drift_threshold, self.drift_rearm, "above"),
        ):
            if (rearm < limit) if wrong == "below" else (rearm > limit):
                raise ValueError(
                    f"{metric}Rearm {rearm:g} is {wrong} {metric}Threshold {limit:g}, so a bad window would end what "
                    "it began; set it to the threshold or to better"
                )

    def parameters(self) -> dict[str, str]:
        """The job's parameters, as texts, by the names that drift detection reads."""
        return {
            "performance_metric": self.performance_metric,
            "drift_metric": self.drift_metric,
            "performance_threshold": f"{self.performance_threshold:g}",
            "expected_loss_threshold": f"{self.expected_loss_threshold:g}",
            "drift_threshold": f"{self.drift_threshold:g}",
            "performance_needs": self.performance_needs,
            "drift_needs": self.drift_needs,
            "strict": str(self.strict).lower(),
            "start_date": self.start_date.isoformat(),
            "since_training": str(self.since_training).lower(),
            "last_windows": str(self.last_windows),
            "needed_windows": str(self.needed_windows),
            "minimum_rows": str(self.minimum_rows),
            "judge_slices": str(self.judge_slices).lower(),
            "cooldown_days": f"{self.cooldown_days:g}",
            "weekly_cap": str(self.weekly_cap),
            "performance_rearm": f"{self.performance_rearm:g}",
            "expected_loss_rearm": f"{self.expected_loss_rearm:g}",
            "drift_rearm": f"{self.drift_rearm:g}",
            "journal": self.journal,
        }


class AbTestConfig(Section):
    """Whether the champion may take production over: what it has to show, and when it is asked."""

    error_margin: float = Field(
        default=0.02, ge=0, description="How much larger its share of mistakes may be, at a confidence of 95 %."
    )
    loss_margin: float = Field(
        default=2.0, ge=0, description="How much larger its mean loss may be, in dollars a customer."
    )
    minimum_rows: int = Field(default=200, ge=30, description="Labelled rows that each of the two versions needs.")
    loss: Filled = Field(
        default="CASE WHEN prediction <> churn AND churn = 'Yes' THEN monthly_charges ELSE 0 END",
        description="SQL over columns of the monitored table: what an answer costs, 0 or more.",
    )
    cron: Cron | None = Field(default=None, description="Quartz expression, UTC; only by hand when left out.")
    folder: str = Field(pattern="^/", description="Workspace folder of the notebook and its code, from the root.")
    packages: list[Filled] = Field(
        default_factory=lambda: ["databricks-sdk==0.156.0"], description="What the notebook runs with, pinned."
    )
    run_as: Filled | None = Field(default=None, description="Application id of a service principal.")
    notify_on_failure: list[Email] = Field(default_factory=list, description="Of the job itself.")

    def parameters(self) -> dict[str, str]:
        """The job's parameters, as texts, by the names that the comparison reads."""
        return {
            "error_margin": f"{self.error_margin:g}",
            "loss_margin": f"{self.loss_margin:g}",
            "minimum_rows": str(self.minimum_rows),
            "loss": self.loss,
        }


class ChurnConfig(StackConfig):
    """A stack file of this project."""

    monitored_features: list[Filled] = Field(
        default_factory=list,
        description="Features that the monitor needs and requests leave out; columns of the first feature table.",
    )
    drift: DriftResponseConfig | None = Field(default=None, description="The job that answers drift; none if left out.")
    batch: BatchConfig | None = Field(default=None, description="The job that scores in bulk; none if left out.")
    ab_test: AbTestConfig | None = Field(
        default=None, description="The job that compares the two versions behind the endpoint; none if left out."
    )

    def _problems(self) -> Iterator[str]:
        yield from super()._problems()
        if self.batch is not None and CONSUMER not in self.model.consumers:
            yield f"batch: nothing says which version it asks; add model.consumers: {{{CONSUMER}: <alias>}}"
        yield from self._ab_problems()
        if self.monitor is None and (self.drift is not None or self.monitored_features):
            yield "drift, monitoredFeatures: both read or fill the monitored table, and there is none; add monitor"
        elif self.monitor is not None and self.drift is not None:
            if not any(metric.name == "expected_loss" for metric in self.monitor.custom_metrics):
                yield "drift: expected loss is a custom metric; add expected_loss to monitor.customMetrics"
            if self.monitor.label_column is None:
                yield "drift: performance is judged by labels; add monitor.labelColumn"
            if GRANULARITY not in self.monitor.granularities:
                yield f"drift: it reads windows of {GRANULARITY}; add it to monitor.granularities"
            if self.drift.judge_slices and not self.monitor.slicing_exprs:
                yield "drift.judgeSlices: the monitor has no slices; add monitor.slicingExprs, or leave it out"
            yield from _measure_problems(self.drift.drift_metric, self.monitor)

    def _ab_problems(self) -> Iterator[str]:
        if self.ab_test is None:
            return
        if len(self.model.ladder) < 2:
            yield "abTest: it compares the two upper rungs; add model.ladder"
        if self.monitor is None or self.monitor.label_column is None:
            yield "abTest: it counts mistakes in the monitored table by labels; add monitor with labelColumn"
        elif self.monitor.model_id != "model_version":
            yield f"abTest: the monitored table tells {self.monitor.model_id} apart; set monitor.modelId: model_version"


def _measure_problems(measure: str, monitor: MonitorConfig) -> Iterator[str]:
    kinds = {"monitor.predictionType": monitor.prediction_type, "monitor.labelType": monitor.label_type}
    for where, kind in kinds.items():
        numeric = kind.lower() not in ("string", "boolean")
        if measure in (_OF_CATEGORIES if numeric else _OF_NUMBERS):
            fitting = _OF_NUMBERS if numeric else _OF_CATEGORIES
            yield (
                f"drift.driftMetric: {measure} is always empty for a column of type {kind} ({where}), so that drift "
                f"would never be seen; use for example {fitting[0]}"
            )
