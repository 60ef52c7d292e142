"""The chatbot's stacks under the pack, on the engine, from the stack files as they stand; the workspace is a stub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from policies.monitoring import endpoint_is_watched
from policies.rule import TRIAL_SUFFIX
from tests.policies.answering import answering
from tests.policies.cases.building import LATENCY_ALERT, LOGGED, alert
from tests.policies.judging import judge
from tests.policies.previewing import previewed_under_pack
from tests.support.example import PROJECT, project_of

EXAMPLE = PROJECT / "examples" / "rag"
# What a careful owner would still add: none of it ends an update.
ADVISED = {
    "staging": set[str](),
    "prod": {"production-endpoint-is-protected", "production-endpoint-has-a-budget-policy"},
}
SECTION = "rag-serving:serving"
CATALOG = "/api/2.1/unity-catalog"


def answers(stack: str) -> dict[str, Any]:
    """What the workspace has: a READY version that staging has proven, its index, and both foundation models."""
    serving = yaml.safe_load((EXAMPLE / f"Pulumi.{stack}.yaml").read_text())["config"][SECTION]
    name, retrieval = serving["model"]["name"], serving["retrieval"]
    version = {"version": 3, "status": "READY"}
    tags = {
        "training_date": "2026-11-20",
        "git_commit": "f1a1973",
        "retrieval_hit_rate": "1",
        "approved_by": "ann@example.com",
    }
    model = f"{CATALOG}/models/{name}"
    return {
        model: {"full_name": name, "aliases": [{"alias_name": "staging", "version_num": 3}], "comment": "Answers."},
        f"{model}/versions": {"model_versions": [version]},
        f"{model}/versions/3": version,
        f"{model}/aliases/staging": version,
        "/api/2.0/mlflow/unity-catalog/model-versions/get": {
            "model_version": {"version": "3", "tags": [{"key": key, "value": value} for key, value in tags.items()]}
        },
        f"/api/2.0/vector-search/indexes/{retrieval['index']}": {"name": retrieval["index"]},
        **{
            f"/api/2.0/serving-endpoints/{retrieval[one]['endpoint']}": {"name": retrieval[one]["endpoint"]}
            for one in ("embedding", "llm")
        },
    }


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_the_stack_passes_the_pack_and_shows_no_token(stack: str, tmp_path: Path) -> None:
    with answering(answers(stack)) as host:
        environ = {"DATABRICKS_HOST": host, "DATABRICKS_TOKEN": "dapi-of-nobody"}
        project = project_of("rag", tmp_path / stack, environ, stack=stack, config={"databricks:host": host})
        project.must("config", "set", "--secret", "rag-serving:servingToken", "token-of-nobody")
        report, outcome = previewed_under_pack(project, stack, EXAMPLE / "policies.json")
    assert [(one.policy, one.text) for one in report.mandatory] == []
    assert {one.policy.removesuffix(TRIAL_SUFFIX) for one in report.findings if one.known} <= ADVISED[stack]
    assert "of-nobody" not in outcome.text


def test_free_text_needs_no_monitor_and_its_alerts_all_the_same() -> None:
    assert judge(endpoint_is_watched, [LOGGED, alert(), LATENCY_ALERT], {"monitor": False}).violations == []
    (told,) = judge(endpoint_is_watched, [LOGGED, alert()], {"monitor": False}).violations
    assert "lacks an alert on latency:" in str(told)
