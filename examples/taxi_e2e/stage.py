"""Which part of the stack there is: the stage that the stack file names, or the one that the registry calls for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from components.registry import NoVersionYetError
from components.serving_stack import ServingPlan, plan_serving
from examples.taxi_e2e.checks import check_nothing_is_served
from examples.taxi_e2e.config import TaxiE2eConfig

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient


def staged(config: TaxiE2eConfig, client: WorkspaceClient) -> tuple[TaxiE2eConfig, ServingPlan | None]:
    """The stack file with `jobs` or `serving` as its stage, and in the latter what is served.

    With `auto` a version that may be served makes the difference, so that the first `up` makes the jobs, and the first
    one after training everything else, out of the same file.

    Raises:
        StageError: the jobs alone would take down what serves.
        pulumi.RunError: what is served cannot be: see `plan_serving`.
    """
    if config.stage == "jobs":
        check_nothing_is_served(config, client, "stage is jobs", "Set stage: serving")
        return config, None
    serving = config.model_copy(update={"stage": "serving"})
    try:
        return serving, plan_serving(serving, client)
    except NoVersionYetError as nothing:
        if config.stage != "auto":
            raise
        check_nothing_is_served(
            config, client, f"stage is auto and nothing may be served ({nothing})", "Bring such a version back"
        )
        pulumi.log.info(f"stage jobs, without an endpoint, until there is a version to serve: {nothing}")
        return config.model_copy(update={"stage": "jobs"}), None
