"""The unpacked inference table and its monitor, in a stack file."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from components.config.fields import (
    Cron,
    Section,
)
from components.names import (
    ThreePartName,
)
from components.unpack import UnpackedSchema

# Of the monitoring API, in the words of `QualityMonitor`.
_GRANULARITY = re.compile(r"5 minutes|30 minutes|1 hour|1 day|[1-4] weeks?|1 month|1 year")


class MonitorConfig(Section):
    """The unpacked inference table and the quality monitor that watches it."""

    record_columns: dict[str, str] = Field(
        min_length=1, description="Columns of a request record that are unpacked: name to Databricks SQL type."
    )
    problem_type: Literal["PROBLEM_TYPE_REGRESSION", "PROBLEM_TYPE_CLASSIFICATION"]
    prediction_type: str = Field(default="double", description="Databricks SQL type of a prediction.")
    label_column: str | None = Field(default=None, description="Column for the true value, filled when it is known.")
    label_type: str = "double"
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
        )

    @field_validator("granularities")
    @classmethod
    def _windows(cls, value: list[str]) -> list[str]:
        if wrong := [window for window in value if not _GRANULARITY.fullmatch(window)]:
            raise ValueError(
                f"{', '.join(map(repr, wrong))} is no window of a monitor; use 5 minutes, 30 minutes, 1 hour, 1 day, "
                "1 week to 4 weeks, 1 month or 1 year"
            )
        return value

    @field_validator("baseline_table")
    @classmethod
    def _three_parts(cls, value: str | None) -> str | None:
        return value if value is None else str(ThreePartName.parse(value))

    @model_validator(mode="after")
    def _makes_a_table(self) -> MonitorConfig:
        _ = self.unpacked
        return self
