"""The ready workflows: they parse, judge every stack by the pack, deploy staging before prod, and hold no secret."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.engine import PROJECT

FOLDER = PROJECT / "docs" / "ci"
GITHUB, GITHUB_DEPLOY, GITLAB, AZURE = (
    FOLDER / name
    for name in ("github-actions.yml", "github-actions-deploy.yml", "gitlab-ci.yml", "azure-pipelines.yml")
)
ALL = (GITHUB, GITHUB_DEPLOY, GITLAB, AZURE)
SCRIPTS = {"run", "bash", "inlineScript", "script", "before_script", "after_script"}
NAMED = pytest.mark.parametrize("file", ALL, ids=lambda file: file.stem)


def parsed(file: Path) -> Any:
    return yaml.safe_load(file.read_text())


def scripts(node: Any) -> Iterator[str]:
    """Every shell script of a workflow, with placeholders where the build server fills something in."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name in SCRIPTS:
                for one in value if isinstance(value, list) else [value]:
                    yield re.sub(r"\$\{\{.*?\}\}", "staging", re.sub(r"\$\(([A-Za-z.]+)\)", r"$\1_", one))
            else:
                yield from scripts(value)
    elif isinstance(node, list):
        for one in node:
            yield from scripts(one)


def test_each_file_is_tested() -> None:
    assert set(ALL) == set(FOLDER.glob("*.yml"))


@NAMED
def test_scripts_are_shell(file: Path) -> None:
    found = list(scripts(parsed(file)))
    assert found
    for script in found:
        checked = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
        assert checked.returncode == 0, f"{script}\n{checked.stderr}"


@NAMED
def test_every_engine_run_is_under_the_pack_and_the_stacks_configuration_and_is_reported(file: Path) -> None:
    text = "\n".join(scripts(parsed(file)))
    runs = re.findall(r"^\s*pulumi (?:preview|up) (?:.|\\\n)*?(?=\n|\Z)", text.replace("\\\n", " "), re.MULTILINE)
    assert runs
    for run in runs:
        assert "--policy-pack policies --policy-pack-config" in re.sub(r"\s+", " ", run)
        assert re.search(r'--policy-pack-config "policies/config/(\$STACK|staging)\.json"', run)
        assert "--event-log" in run
    assert text.count("-m policies.report") >= len(runs)
    assert "PULUMI_DEBUG_COMMANDS" in file.read_text(), "the engine knows --event-log only with it"


@NAMED
def test_no_secret_stands_in_a_workflow(file: Path) -> None:
    text = file.read_text()
    assert not re.search(
        r"dapi[0-9a-f]|pul-[0-9a-f]{8}|gh[pousr]_|glpat-|DATABRICKS_CLIENT_SECRET|DATABRICKS_TOKEN:", text
    )
    for name, value in re.findall(r"^\s*(\w*(?:TOKEN|PASSPHRASE|SECRET)\w*): *(\S.*)$", text, re.MULTILINE):
        assert re.match(r"\$[({]", value), f"{name} is a literal"


@NAMED
def test_credentials_are_exchanged_and_not_kept(file: Path) -> None:
    assert re.search(r"DATABRICKS_AUTH_TYPE: (github-oidc|env-oidc|azure-cli)", file.read_text())


def test_github_previews_each_stack_of_a_pull_request_and_deploys_staging_before_prod() -> None:
    workflow = parsed(GITHUB)
    assert set(workflow[True]) == {"pull_request", "push"}  # YAML 1.1 reads `on` as true
    jobs = workflow["jobs"]
    assert jobs["preview"]["strategy"]["matrix"]["stack"] == ["staging", "prod"]
    assert "pull_request" in jobs["preview"]["if"]
    assert jobs["preview"]["permissions"]["pull-requests"] == "write"
    uses = [step.get("uses", "").partition("@")[0] for step in jobs["preview"]["steps"]]
    assert "github/codeql-action/upload-sarif" in uses
    assert jobs["prod"]["needs"] == "staging"
    for stack in ("staging", "prod"):
        assert jobs[stack]["with"]["stack"] == stack
        assert jobs[stack]["uses"].endswith("/serving-deploy.yml")
    deploy = parsed(GITHUB_DEPLOY)["jobs"]["deploy"]
    assert deploy["environment"] == "${{ inputs.stack }}"
    assert deploy["concurrency"]["cancel-in-progress"] is False


def test_a_fork_gets_no_credentials_on_github() -> None:
    condition = parsed(GITHUB)["jobs"]["preview"]["if"]
    assert "head.repo.full_name == github.repository" in condition
    assert "pull_request_target" not in GITHUB.read_text()


def test_gitlab_previews_each_stack_of_a_merge_request_and_deploys_prod_by_hand_after_staging() -> None:
    pipeline = parsed(GITLAB)
    assert pipeline["preview"]["parallel"]["matrix"] == [{"STACK": ["staging", "prod"]}]
    assert pipeline["preview"]["artifacts"]["reports"]["junit"].endswith(".junit.xml")
    assert pipeline["prod"]["needs"] == ["staging"]
    (rule,) = pipeline["prod"]["rules"]
    assert (rule["when"], rule["allow_failure"]) == ("manual", False)
    assert pipeline[".deploy"]["resource_group"] == "serving-$STACK"
    assert pipeline[".serving"]["id_tokens"]["DATABRICKS_OIDC_TOKEN"]["aud"]


def test_azure_deploys_each_stack_to_its_environment_staging_first() -> None:
    stages = parsed(AZURE)["stages"]
    assert stages[0]["stage"] == "preview"
    assert "PullRequest" in stages[0]["condition"]
    ((loop, (stage,)),) = stages[1].items()
    assert "split('staging,prod', ',')" in loop
    assert stage["${{ else }}"]["dependsOn"] == "staging"
    assert stage["lockBehavior"] == "sequential"
    (job,) = stage["jobs"]
    assert job["environment"] == "${{ stack }}"
    assert "PublishTestResults@2" in AZURE.read_text()


def test_the_engine_of_the_workflows_is_the_pinned_one() -> None:
    packages = tomllib.loads((PROJECT / "uv.lock").read_text())["package"]
    locked = next(package["version"] for package in packages if package["name"] == "pulumi")
    for file in ALL:
        assert set(re.findall(r'(?i)pulumi[-_]version: "([\d.]+)"', file.read_text())) == {locked}
