"""The unpacked inference table and its monitor, in a stack file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from ..checks import check_granularities
from ..monitor_apis import CustomMetricArgs, MetricType, MonitorApi
from ..names import (
    ThreePartName,
)
from ..unpack import LabelSource, ModelId, UnpackedSchema
from .fields import Cron, Email, Filled, Section
from .rules import rule


class CustomMetricConfig(Section):
    """A metric of one's own."""

    name: Filled
    definition: Filled = Field(description="SQL with {{prediction_col}}, {{label_col}}, {{input_column}} ...")
    type: MetricType = "AGGREGATE"
    input_columns: list[Filled] = Field(default_factory=lambda: [":table"], min_length=1)

    @rule()
    def _as_the_monitor_takes_it(self) -> None:
        CustomMetricArgs(name=self.name, definition=self.definition, type=self.type, input_columns=self.input_columns)


class LabelsConfig(Section):
    """Where true values are found when they arrive."""

    table: Filled = Field(description="Table; in the stack's catalog and schema unless it has three parts.")
    column: Filled = Field(description="Its column with the true value.")
    keys: dict[str, str] = Field(min_length=1, description="Its key columns, each with the unpacked table's column.")


class MonitorConfig(Section):
    """The unpacked inference table and the quality monitor that watches it."""

    record_columns: dict[str, str] = Field(
        min_length=1, description="Columns of a request record that are unpacked: name to Databricks SQL type."
    )
    problem_type: Literal["PROBLEM_TYPE_REGRESSION", "PROBLEM_TYPE_CLASSIFICATION"]
    prediction_type: str = Field(default="double", description="Databricks SQL type of a prediction.")
    label_column: str | None = Field(default=None, description="Column for the true value, filled when it is known.")
    label_type: str = "double"
    model_id: ModelId = Field(
        default="served_entity_id",
        description="Column that tells models apart: as the inference table says it, or the version's number, from "
        "system.serving.served_entities (needs endpoint.usageTracking and SELECT on that table).",
    )
    labels: LabelsConfig | None = Field(default=None, description="Where labels come from; by others when left out.")
    table: Filled | None = Field(
        default=None, description="Name of the unpacked table; `<inferenceTable.prefix>_unpacked` when left out."
    )
    custom_metrics: list[CustomMetricConfig] = Field(default_factory=list)
    notify_on_failure: list[Email] = Field(default_factory=list, description="Of the monitor itself; drift: alerts.")
    api: MonitorApi = Field(default="quality_monitors", description="The stable API, or its successor in preview.")
    granularities: list[str] = Field(default_factory=lambda: ["1 day"], min_length=1)
    slicing_exprs: list[str] = Field(default_factory=list)
    baseline_table: str | None = None
    assets_dir: str = Field(pattern="^/", description="Workspace folder for the monitor's dashboard, from the root.")
    unpack_cron: Cron = Field(
        default="0 0 * * * ?", description="Quartz expression, UTC: when new requests are unpacked."
    )
    monitor_cron: Cron | None = Field(default=None, description="Quartz expression, UTC: when metrics are refreshed.")

    @property
    def unpacked(self) -> UnpackedSchema:
        """The columns of the table that is watched. Raises ValueError where they make no table."""
        return UnpackedSchema(
            record_columns=self.record_columns,
            prediction_type=self.prediction_type,
            label_column=self.label_column,
            label_type=self.label_type,
            model_id=self.model_id,
        )

    @field_validator("granularities")
    @classmethod
    def _windows(cls, value: list[str]) -> list[str]:
        check_granularities("", value)
        return value

    @field_validator("baseline_table")
    @classmethod
    def _three_parts(cls, value: str | None) -> str | None:
        return value if value is None else str(ThreePartName.parse(value))

    @rule()
    def _makes_a_table(self) -> None:
        unpacked = self.unpacked
        if self.labels is not None:
            # The table's catalog and schema are the stack's; here it is about columns.
            table = self.labels.table if self.labels.table.count(".") == 2 else f"c.s.{self.labels.table}"
            LabelSource(table=table, column=self.labels.column, keys=self.labels.keys).check_against(unpacked)
