"""The churn stacks under the pack, on the engine, from the stack files as they stand; the workspace is a stub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.policies.answering import answering
from tests.policies.previewing import previewed_under_pack
from tests.policies.test_taxi_stacks import found, shown
from tests.support.example import PROJECT, project_of
from tests.support.rest_stub import feature_table

EXAMPLE = PROJECT / "examples" / "churn"
CATALOG = "/api/2.1/unity-catalog"
TAGS = {
    "validation": "passed",
    "validation_accuracy": "passed",
    "validation_business": "passed",
    "approved_by": "ann@example.com",
}
# What a careful owner would still add to the stack file: none of it ends an update.
ADVISED = {
    "staging": {"production-endpoint-has-a-budget-policy"},
    "prod": {
        "production-job-runs-as-a-service-principal",
        "production-endpoint-is-protected",
        "production-endpoint-has-a-budget-policy",
    },
}


def answers(stack: str, tags: dict[str, str]) -> dict[str, Any]:
    """Both versions, with those tags, and no alias yet; the feature table with its time key; the baseline."""
    serving = yaml.safe_load((EXAMPLE / f"Pulumi.{stack}.yaml").read_text())["config"]["churn-serving:serving"]
    name, place = serving["model"]["name"], f"{serving['catalog']}.{serving['schema']}"
    versions = [{"version": number, "status": "READY"} for number in (3, 4)]
    source, baseline = f"{place}.advanced_churn_feature_table", serving["monitor"]["baselineTable"]
    tagged = [{"key": key, "value": value} for key, value in tags.items()]
    return {
        f"{CATALOG}/models/{name}": {"full_name": name, "aliases": [], "comment": "Who leaves."},
        f"{CATALOG}/models/{name}/versions": {"model_versions": versions},
        **{f"{CATALOG}/models/{name}/versions/{one['version']}": one for one in versions},
        "/api/2.0/mlflow/unity-catalog/model-versions/get": {"model_version": {"tags": tagged}},
        f"{CATALOG}/tables/{source}": feature_table(
            source, ["customer_id", "transaction_ts"], timeseries=["transaction_ts"]
        ),
        f"{CATALOG}/tables/{baseline}": {"full_name": baseline},
    }


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_the_stack_passes_the_pack_and_prod_waits_for_an_approval(stack: str, tmp_path: Path) -> None:
    known = answers(stack, TAGS)
    with answering(known) as host:
        environ = {"DATABRICKS_TOKEN": "dapi-of-nobody"}
        project = project_of("churn", tmp_path / stack, environ, stack=stack, config={"databricks:host": host})
        report, _ = previewed_under_pack(project, stack, EXAMPLE / "policies.json")
        assert [(shown(one), one.text) for one in report.mandatory] == []
        assert report.resources > 60
        assert {rule for rule, _ in found(report)} <= ADVISED[stack]

        known.update(answers(stack, {key: value for key, value in TAGS.items() if key != "approved_by"}))
        unapproved = project.preview()
        assert unapproved.ok is (stack == "staging"), unapproved
        assert ("alias production of" in unapproved.text and "has no tag approved_by" in unapproved.text) is (
            stack == "prod"
        )
