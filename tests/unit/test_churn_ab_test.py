"""The churn stack compares the two versions behind its endpoint, and production waits for what comes of it."""

from __future__ import annotations

from typing import Any

import pytest

from components.config.errors import StackConfigError
from components.monitor import InferenceMonitor
from components.watching import monitor_args
from examples.churn.ab_test import make_ab_test
from examples.churn.config import ChurnConfig
from pipelines.ab_test import AbPolicy, AbRequest
from tests.unit.recording import Recording, record
from tests.unit.test_churn_stack_files import STACKS, config_of, values


def job_of(config: ChurnConfig) -> Recording:
    assert config.monitor is not None
    assert config.ab_test is not None
    watched, test = config.monitor, config.ab_test

    def build() -> Any:
        args = monitor_args(config, watched, f"{config.catalog}.churn.advanced_churn_served_payload")
        return make_ab_test(config, test, InferenceMonitor("monitor", args)).job_ids

    return record(build)


@pytest.mark.parametrize("stack", STACKS)
def test_the_job_compares_production_with_the_champion_by_the_labels_of_the_monitored_table(stack: str) -> None:
    config = config_of(stack)
    job = next(one for one in job_of(config).of_type(":Job") if one["name"] == f"{stack}-churn-ab-test-job")
    told = {one["name"]: one["default"] for one in job["parameters"]}
    # What the job says is what the notebook reads: by its own parser.
    assert set(told.pop("parameter_names").split(",")) == set(told)
    assert AbRequest.from_parameters(told) == AbRequest(
        model=f"{config.catalog}.churn.advanced_mlops_churn",
        incumbent_alias="production",
        contender_alias="champion",
        table=f"{config.catalog}.churn.advanced_churn_inference_table",
        label="churn",
        loss="CASE WHEN prediction <> churn AND churn = 'Yes' THEN monthly_charges ELSE 0 END",
        policy=AbPolicy(),
        warehouse_id=config.warehouse_id,
    )
    (task,) = job["tasks"]
    assert task["notebookTask"]["notebookPath"].endswith("-churn-ab-test-job/ab_result")
    assert ("schedule" in job) is (stack != "local")


@pytest.mark.parametrize("stack", STACKS)
def test_production_is_won_from_another_version_by_a_passed_comparison_and_in_prod_by_an_approval(stack: str) -> None:
    promotion = config_of(stack).model.promotion
    validated = {"validation": "passed", "validation_accuracy": "passed", "validation_business": "passed"}
    assert promotion["champion"].requires == validated
    assert promotion["champion"].requires_to_replace == {}
    approved = {"approved_by": ""} if stack == "prod" else {}
    assert promotion["production"].requires == {"validation": "passed", **approved}
    # Nobody waits for an A/B test on a laptop.
    assert promotion["production"].requires_to_replace == ({} if stack == "local" else {"ab_result": "passed"})
    assert all(one.bootstrap for one in promotion.values())


@pytest.mark.parametrize(
    ("section", "changes", "says"),
    [
        ("model", {"ladder": []}, "abTest: it compares the two upper rungs; add model.ladder"),
        ("monitor", {"modelId": "served_entity_id"}, "abTest: the monitored table tells served_entity_id apart"),
        (
            "monitor",
            {"labelColumn": None, "labels": None},
            "abTest: it counts mistakes in the monitored table by labels",
        ),
        ("abTest", {"minimumRows": 5}, "abTest.minimumRows"),
        ("abTest", {"errorMargin": -0.1}, "abTest.errorMargin"),
    ],
)
def test_a_comparison_that_could_not_be_made_is_refused(section: str, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(StackConfigError, match=says):
        config_of("local", **{section: {**values("local")[section], **changes}})
