"""The schema of this project's stack files: a model, its aliases, and the job that scores a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from components.config import ModelConfig, PlaceConfig
from components.config.batch import CONSUMER, BatchConfig
from components.config.fields import Filled


class QuickstartConfig(PlaceConfig):
    """A stack file of this project. There is no endpoint, no online store and no monitor in it."""

    profile: Literal["quickstart"] = Field(description="The other one, `advanced`, is the project examples/churn.")
    warehouse_id: Filled = Field(description="SQL warehouse that makes the table of predictions and counts in it.")
    model: ModelConfig
    batch: BatchConfig
    tags: dict[str, str] = Field(default_factory=dict, description="Tags of the job.")

    def _problems(self) -> Iterator[str]:
        yield from super()._problems()
        if CONSUMER not in self.model.consumers:
            yield f"batch: nothing says which version it asks; add model.consumers: {{{CONSUMER}: <alias>}}"
