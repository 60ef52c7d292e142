"""The taxi stack under the pack, on the engine, from the stack files as they stand; the workspace is a stub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from policies.report.findings import Finding, Report
from policies.rule import TRIAL_SUFFIX
from tests.policies.answering import answering
from tests.policies.previewing import previewed_under_pack
from tests.support.engine import PROJECT, EngineProject

FILES = ("Pulumi.yaml", "__main__.py", "components")


def answers(stack: str) -> dict[str, Any]:
    """What the workspace has: a READY version, the feature tables as the stack file wants them, and the baseline."""
    serving = yaml.safe_load((PROJECT / f"Pulumi.{stack}.yaml").read_text())["config"]["taxi-serving:serving"]
    number = int(serving["model"]["aliases"]["champion"])
    version = {"version": number, "status": "READY"}
    catalog = "/api/2.1/unity-catalog"
    model = f"{catalog}/models/{serving['model']['name']}"
    baseline = serving["monitor"]["baselineTable"]
    found: dict[str, Any] = {
        f"{catalog}/tables/{baseline}": {"full_name": baseline},
        model: {"full_name": serving["model"]["name"], "aliases": [], "comment": "Fares of taxi trips."},
        f"{model}/versions": {"model_versions": [version]},
        f"{model}/versions/{number}": version,
        "/api/2.0/mlflow/unity-catalog/model-versions/get": {
            "model_version": {"tags": [{"key": "approved_by", "value": "ann@example.com"}]}
        },
    }
    for table in serving["featureTables"]:
        name = f"{serving['catalog']}.{serving['schema']}.{table['source']}"
        key = {"name": "key", "child_columns": table["primaryKeys"]}
        found[f"{catalog}/tables/{name}"] = {
            "full_name": name,
            "columns": [{"name": column, "nullable": False} for column in table["primaryKeys"]],
            "table_constraints": [{"primary_key_constraint": key}],
            "properties": {"delta.enableChangeDataFeed": "true"},
        }
    return found


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    """A workspace where both stacks find what they read, and no endpoint yet."""
    with answering(answers("staging") | answers("prod")) as address:
        yield address


def judged(host: str, folder: Path, stack: str) -> Report:
    project = EngineProject.of_files(
        folder,
        (*FILES, f"Pulumi.{stack}.yaml"),
        stack=stack,
        config={"databricks:host": host},
        environ={"DATABRICKS_TOKEN": "dapi-of-nobody"},
    )
    report, _ = previewed_under_pack(project, stack, PROJECT / "policies" / "config" / f"{stack}.json")
    return report


def found(report: Report) -> set[tuple[str, str]]:
    """Rule and level of what was judged."""
    return {(shown(one), one.level) for one in report.findings if one.known}


def shown(finding: Finding) -> str:
    return finding.policy.removesuffix(TRIAL_SUFFIX)


ADVISED_IN_PROD = {
    "production-job-runs-as-a-service-principal",
    "production-endpoint-is-protected",
    "production-endpoint-has-a-budget-policy",
    "usage-is-tracked",
}
"""What a careful owner would still add to `Pulumi.prod.yaml` and the components: none of it ends an update."""


def test_staging_passes_and_is_advised_of_nothing(host: str, tmp_path: Path) -> None:
    report = judged(host, tmp_path / "staging", "staging")
    assert report.exit_code == 0, report
    assert report.resources > 20
    assert found(report) == set()


def test_prod_passes_and_is_advised_of_little(host: str, tmp_path: Path) -> None:
    report = judged(host, tmp_path / "prod", "prod")
    assert report.exit_code == 0, report
    assert report.resources > 20
    assert list(report.mandatory) == []
    assert {rule for rule, level in found(report) if level == "advisory"} <= ADVISED_IN_PROD
