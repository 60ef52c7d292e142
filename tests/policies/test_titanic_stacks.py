"""The Titanic stacks under the pack, on the engine, with either store; the workspace is a stub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from policies.report.findings import Report
from policies.rule import TRIAL_SUFFIX
from tests.policies.answering import answering
from tests.policies.previewing import previewed_under_pack
from tests.support.example import PROJECT, project_of
from toolchain.certificates import CA, make_certificates

EXAMPLE = PROJECT / "examples" / "titanic"
SECTION = "passenger-serving:serving"
# What a careful owner would still add: none of it ends an update.
ADVISED = {
    "staging": set[str](),
    "prod": {
        "production-job-runs-as-a-service-principal",
        "production-endpoint-is-protected",
        "production-endpoint-has-a-budget-policy",
        "usage-is-tracked",
    },
}


def answers(stack: str, kind: str) -> dict[str, Any]:
    """What the workspace has: a READY version of the model for that kind of store, the feature table, the baseline."""
    serving = yaml.safe_load((EXAMPLE / f"Pulumi.{stack}.yaml").read_text())["config"][SECTION]
    model, number = serving["model"]["name"], int(serving["model"]["aliases"]["production"])
    version = {"version": number, "status": "READY"}
    table = f"{serving['catalog']}.{serving['schema']}.online_feature_table"
    catalog = "/api/2.1/unity-catalog"
    baseline = serving["monitor"]["baselineTable"]
    return {
        f"{catalog}/tables/{baseline}": {"full_name": baseline},
        f"{catalog}/models/{model}": {"full_name": model, "aliases": [], "comment": "Who survived."},
        f"{catalog}/models/{model}/versions": {"model_versions": [version]},
        f"{catalog}/models/{model}/versions/{number}": version,
        "/api/2.0/mlflow/unity-catalog/model-versions/get": {
            "model_version": {
                "tags": [
                    {"key": "feature_store", "value": kind},
                    {"key": "validation", "value": "passed"},
                    {"key": "approved_by", "value": "ann@example.com"},
                ]
            }
        },
        f"{catalog}/tables/{table}": {
            "full_name": table,
            "columns": [{"name": "PassengerId", "nullable": False}],
            "table_constraints": [{"primary_key_constraint": {"name": "key", "child_columns": ["PassengerId"]}}],
            "properties": {"delta.enableChangeDataFeed": "true"},
        },
    }


@pytest.fixture
def stub() -> Iterator[tuple[str, dict[str, Any]]]:
    """Address of a workspace, and what it answers."""
    known: dict[str, Any] = {}
    with answering(known) as address:
        yield address, known


def judged(host: str, folder: Path, stack: str, *, mysql: bool) -> tuple[Report, str]:
    environ = {"DATABRICKS_HOST": host, "DATABRICKS_TOKEN": "dapi-of-nobody"}
    project = project_of("titanic", folder, environ, stack=stack, config={"databricks:host": host})
    file = folder / f"Pulumi.{stack}.yaml"
    content = yaml.safe_load(file.read_text())
    content["config"][SECTION]["mysql"]["enabled"] = mysql
    file.write_text(yaml.safe_dump(content))
    if mysql:
        make_certificates(folder)
        (folder / CA).rename(folder / "us-east-1-bundle.pem")
        for role in ("writer", "reader"):
            project.must("config", "set", "--secret", f"mysql:{role}Password", f"{role}-of-nobody")
    report, outcome = previewed_under_pack(project, stack, EXAMPLE / "policies.json")
    return report, outcome.text


# Each store once: what the other two pairs would add is in the stack files alone (test_titanic_stack_files.py).
@pytest.mark.parametrize(("stack", "mysql"), [("staging", False), ("prod", True)])
def test_the_stacks_pass_with_either_store_and_no_password_is_shown(
    stub: tuple[str, dict[str, Any]], tmp_path: Path, stack: str, mysql: bool
) -> None:
    host, known = stub
    known.update(answers(stack, "mysql" if mysql else "online_store"))
    report, text = judged(host, tmp_path / stack, stack, mysql=mysql)
    assert list(report.mandatory) == []
    advised = {one.policy.removesuffix(TRIAL_SUFFIX) for one in report.findings if one.known}
    assert advised <= ADVISED[stack]
    assert report.resources > 40
    assert "of-nobody" not in text
