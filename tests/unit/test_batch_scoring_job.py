"""Bulk scoring as a job: what the stack file says is what the notebook is told, and what the notebook reads."""

from __future__ import annotations

import ast
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.batch_scoring import OF_THE_RUN, batch_scoring_job
from components.config.batch import BatchConfig
from components.config.errors import StackConfigError, parse_stack_config
from components.job import ClusterArgs
from components.job_tasks import NotebookTaskArgs
from examples.churn.batch import NOTEBOOK, make_batch
from examples.churn.config import ChurnConfig
from pipelines.batch_scoring import BatchRequest
from pipelines.batch_scoring.features import Lookup, OnDemand, plan_of
from pipelines.errors import PipelineError
from tests.unit.recording import record

FOLDER = Path(__file__).parents[2] / "examples" / "churn"
REQUIRED: dict[str, Any] = {"model": "c.s.m", "input_table": "c.s.i", "output_table": "c.s.o", "run_id": "7"}


def config_of(stack: str, **changes: Any) -> ChurnConfig:
    content = yaml.safe_load((FOLDER / f"Pulumi.{stack}.yaml").read_text())["config"]["churn-serving:serving"]
    return parse_stack_config({"environment": stack, **content, **changes}, ChurnConfig, where="the test")


@pytest.mark.parametrize("stack", ["local", "staging", "prod"])
def test_every_stack_scores_the_documented_tables_by_the_consumers_alias(stack: str) -> None:
    config = config_of(stack)
    assert config.batch is not None
    batch = config.batch
    job = record(lambda: make_batch(config, batch)).one(":Job")
    schema = f"{config.catalog}.churn"
    told = {one["name"]: one["default"] for one in job["parameters"]}
    assert job["name"] == f"{stack}-churn-batch"
    assert told == {
        "model": f"{schema}.advanced_mlops_churn",
        "alias": "champion",
        "input_table": f"{schema}.advanced_churn_cust_ids",
        "output_table": f"{schema}.advanced_churn_offline_inference",
        "result_type": "string",
        "prediction_column": "prediction",
        "broadcast": "false",
        "warehouse_id": config.warehouse_id,
    }
    (cluster,) = job["jobClusters"]
    assert cluster["newCluster"]["sparkConf"] == {"spark.databricks.io.cache.enabled": "true"}
    assert "-ml-" in cluster["newCluster"]["sparkVersion"]
    (task,) = job["tasks"]
    assert [one["pypi"]["package"] for one in task["libraries"]] == config.batch.packages
    parameters = task["notebookTask"]["baseParameters"]
    # What the job says is what the notebook reads: by its own parser.
    assert set(parameters["parameter_names"].split(",")) == {*told, *OF_THE_RUN}
    run = {"run_id": "12", "moment": "2026-11-27T04:00:00.000000"}
    request = BatchRequest.from_parameters({**told, **run})
    assert (request.alias, request.moment) == ("champion", datetime(2026, 11, 27, 4, tzinfo=UTC))


def test_a_batch_job_without_a_consumer_is_refused_with_the_fix() -> None:
    content = yaml.safe_load((FOLDER / "Pulumi.local.yaml").read_text())["config"]["churn-serving:serving"]
    with pytest.raises(StackConfigError, match=r"add model\.consumers: \{batch: <alias>\}"):
        config_of("local", model={**content["model"], "consumers": {"realtime": "production"}})


def test_the_cluster_is_the_stack_files() -> None:
    batch = BatchConfig.model_validate(
        {
            "inputTable": "i", "outputTable": "o", "folder": "/Workspace/x", "broadcast": True,
            "cluster": {
                "nodeTypeId": "big", "workers": 2, "maxWorkers": 8, "deltaCache": False,
                "sparkConf": {"spark.sql.shuffle.partitions": "400"},
            },
        }
    )  # fmt: skip
    job = batch_scoring_job(
        batch, name="j", notebook=NOTEBOOK, model="c.s.m", alias="a", input_table="c.s.i", output_table="c.s.o",
        warehouse_id="w",
    )  # fmt: skip
    (cluster,) = job.computes
    assert isinstance(cluster, ClusterArgs)
    assert (cluster.num_workers, cluster.max_workers) == (2, 8)
    assert cluster.spark_conf == {"spark.databricks.io.cache.enabled": "false", "spark.sql.shuffle.partitions": "400"}
    assert job.parameters["broadcast"] == "true"
    assert isinstance(job.tasks[0].work, NotebookTaskArgs)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alias": "a", "version": "1"}, "give exactly one of them"),
        ({}, "give exactly one of them"),
        ({"version": "champion"}, "not a number; an alias goes into alias"),
        ({"alias": "a", "result_type": "text"}, "result_type is 'text': use string, double"),
        ({"alias": "a", "output_table": "s.o"}, "output_table is 's.o', not of the form"),
        ({"alias": "a", "run_id": "7; DROP"}, "run_id is '7; DROP': letters, digits"),
        ({"alias": "a", "broadcast": "maybe"}, "use true or false"),
        ({"alias": "a", "moment": "noon"}, "moment is 'noon', not a time"),
        ({"alias": "a", "speed": "9"}, "no parameter speed"),
        ({"alias": "a", "model": ""}, "needs model"),
    ],
)
def test_a_request_that_cannot_be_is_refused_by_name(changes: dict[str, str], message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        BatchRequest.from_parameters({**REQUIRED, **changes})


def test_a_moment_is_kept_in_utc_and_needs_a_zone() -> None:
    given = BatchRequest.from_parameters({**REQUIRED, "alias": "a", "moment": "2026-11-27T10:00:00+05:45"})
    assert given.moment == datetime(2026, 11, 27, 4, 15, tzinfo=UTC)
    with pytest.raises(PipelineError, match="has no time zone"):
        BatchRequest(**REQUIRED, alias="a", moment=datetime(2026, 11, 27))
    zone = timezone(timedelta(hours=1))
    assert BatchRequest(**REQUIRED, alias="a", moment=datetime(2026, 11, 27, tzinfo=zone)).moment is not None


def _looked_up(feature: str, key: str) -> dict[str, Any]:
    return {"source": "feature_store", "table_name": "t", "feature_name": feature, "lookup_key": [key]}


def test_features_come_after_what_they_are_made_of_wherever_they_stand_in_the_spec() -> None:
    computed = {"source": "on_demand_feature", "udf_name": "c.s.f", "input_bindings": {"a": "zone", "b": "rate"}}
    plan = plan_of(
        {
            "input_columns": [
                {"key": computed},
                {"last": _looked_up("last", "key")},
                {"rate": _looked_up("rate", "zone")},
                {"zone": {"source": "training_data", "include": False}},
            ]
        }
    )
    kinds = [
        ("computed", step.output) if isinstance(step, OnDemand) else ("looked up", *step.key) for step in plan.steps
    ]
    assert kinds == [("looked up", "zone"), ("computed", "key"), ("looked up", "key")]
    assert all(isinstance(step, Lookup | OnDemand) for step in plan.steps)
    assert (plan.sent, plan.model_columns) == (("zone",), ("key", "last", "rate"))


def test_a_spec_that_cannot_be_carried_out_is_refused() -> None:
    circle = {"input_columns": [{"a": _looked_up("a", "b")}, {"b": _looked_up("b", "a")}]}
    with pytest.raises(PipelineError, match="Features a, b need columns"):
        plan_of(circle)
    with pytest.raises(PipelineError, match="comes from 'stream'"):
        plan_of({"input_columns": [{"a": {"source": "stream"}}]})


def test_the_documented_client_is_kept_as_an_alternative_with_the_result_type_given() -> None:
    text = (NOTEBOOK.parent / "score_batch.py").read_text()
    (call,) = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "score_batch"
    ]
    assert {word.arg for word in call.keywords} == {"model_uri", "df", "result_type"}
    assert "NOT RUN" in text
    assert "overwrite(fn.col(RUN) == request.run_id)" in text
