"""The end-to-end taxi stack under the pack, on the engine, from its stack files as they stand; a stub workspace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.policies.answering import answering
from tests.policies.previewing import previewed_under_pack
from tests.policies.test_taxi_stacks import ADVISED_IN_PROD, found, shown
from tests.support.rest_stub import feature_table
from tests.support.taxi_e2e import EXAMPLE, KEY, e2e_project

STACKS = ("staging", "prod")
CATALOG = "/api/2.1/unity-catalog"
VERSION = {"version": 18, "status": "READY"}


def answers(stack: str) -> dict[str, Any]:
    """What a stack of the file finds: version 18 that passed validation, both feature tables with keys, a baseline."""
    settings = yaml.safe_load((EXAMPLE / f"Pulumi.{stack}.yaml").read_text())["config"][KEY]
    place = f"{settings['catalog']}.{settings['schema']}"
    name = settings["model"].get("name", f"{place}.dev_mlops_stacks_gcp_fs_model")
    model = f"{CATALOG}/models/{name}"
    tags = [
        {"key": "validation", "value": "passed"},
        {"key": "approved_by", "value": "ann@example.com"},
        {"key": "required_inputs", "value": "pickup_datetime"},
    ]
    baseline = settings["monitor"]["baselineTable"]
    known: dict[str, Any] = {
        f"{CATALOG}/tables/{baseline}": {"full_name": baseline},
        model: {"full_name": name, "aliases": [], "comment": "Fares."},
        f"{model}/versions": {"model_versions": [VERSION]},
        f"{model}/versions/18": VERSION,
        "/api/2.0/mlflow/unity-catalog/model-versions/get": {"model_version": {"version": "18", "tags": tags}},
    }
    for table in settings["featureTables"]:
        full_name, series = f"{place}.{table['source']}", table["timeseriesKey"]
        key = [*table["primaryKeys"], series]
        known[f"{CATALOG}/tables/{full_name}"] = feature_table(full_name, key, timeseries=[series])
    return known


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    known = {path: answer for stack in STACKS for path, answer in answers(stack).items()}
    with answering(known) as address:
        yield address


@pytest.mark.parametrize("stack", STACKS)
def test_the_stack_passes_the_pack_as_it_stands(stack: str, host: str, tmp_path: Path) -> None:
    environ = {"DATABRICKS_TOKEN": "dapi-of-nobody"}
    project = e2e_project(tmp_path / stack, stack, environ, {"databricks:host": host})
    report, _ = previewed_under_pack(project, stack, EXAMPLE / "policies.json")
    assert [(shown(one), one.text) for one in report.mandatory] == []
    assert report.resources > 80
    assert {rule for rule, level in found(report) if level == "advisory"} <= ADVISED_IN_PROD
