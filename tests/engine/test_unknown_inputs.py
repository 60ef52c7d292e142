"""A preview in which nothing is known yet: every dynamic resource takes inputs that only an update can know.

What is not known is neither checked with a made-up value nor refused, and preview asks the workspace nothing about it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engine import EngineProject
from tests.support.rest_stub import TOKEN, RestStub, running

PROGRAM = """
import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider
from components.dynamic import (
    EndpointSettings, EndpointSettingsArgs, JobRun, JobRunArgs, ModelAlias, ModelAliasArgs, PublishedTable,
    PublishedTableArgs, SmokeCase, SmokeQuery, SmokeQueryArgs, SyncedTable, SyncedTableArgs,
)
from components.dynamic.lookup_latency import LookupLatency, LookupLatencyArgs
from components.dynamic.rollout_resource import TrafficRollout, TrafficRolloutArgs
from components.served_entity import ServedEntityArgs
from components.serving_endpoint import EndpointPermission, ServingEndpoint, ServingEndpointArgs


class Later(ResourceProvider):
    def create(self, props):
        return CreateResult("later", {"text": "x"})


class Made(Resource):
    text: pulumi.Output[str]

    def __init__(self, name):
        super().__init__(Later(), name, {"text": None})


late = Made("late").text
several = late.apply(lambda text: [text])
entity = ServedEntityArgs(
    model="c.s.m", version="1", traffic_percentage=100, scale_to_zero_enabled=True,
    environment_vars={"API_TOKEN": late, "MODE": late},
)
case = SmokeCase(name="one", payload={"dataframe_records": [{"k": 1}]})
record = {"record": {"k": 1}, "features": {"f": 1.0}}

PublishedTable("published", PublishedTableArgs(
    source_table=late, online_store=late, online_table=late, primary_keys=several, timeseries_key=late,
    publish_mode=late, warehouse_id=late, max_lag_seconds=5.0, triggers={"t": late}))
SyncedTable("synced", SyncedTableArgs(
    source_table=late, online_table=late, pipeline_id=late, primary_keys=several, triggers={"t": late}))
ModelAlias("alias", ModelAliasArgs(model=late, alias=late, version=late, evidence=late))
SmokeQuery("smoke", SmokeQueryArgs(
    endpoint_name=late, served_entities=several, queries=[case], versions={"m-1": late}, traffic={"m-1": 100}))
LookupLatency("lookups", LookupLatencyArgs(
    endpoint_name=late, served_entities=several, versions={"m-1": late}, **record))
EndpointSettings("settings", EndpointSettingsArgs(endpoint_name=late, on_update_failure=["a@b.example"]))
JobRun("run", JobRunArgs(job_id=late, triggers={"t": late}))
TrafficRollout("rollout", TrafficRolloutArgs(
    endpoint_name=late, endpoint_id=late, model=late, version=late, entity_name=late, queries=[case],
    scale_to_zero_enabled=True, environment_vars={"MODE": late}, payload_table=late, warehouse_id=late))
ServingEndpoint("endpoint", ServingEndpointArgs(
    name="ep", served_entities=[entity], run_as=late,
    permissions=[EndpointPermission(level="CAN_QUERY", service_principal=late)], notify_on_failure=["a@b.example"]))
"""
DYNAMIC = {
    "EndpointSettings",
    "JobRun",
    "LookupLatency",
    "ModelAlias",
    "PublishedTable",
    "SmokeQuery",
    "SyncedTable",
    "TrafficRollout",
}


@pytest.fixture
def stub() -> Iterator[RestStub]:
    with running(RestStub()) as stub:
        yield stub


def test_a_preview_of_what_is_not_known_yet_plans_everything_and_asks_nothing(stub: RestStub, tmp_path: Path) -> None:
    project = EngineProject.of_program(
        tmp_path / "project", PROGRAM, config={"databricks:host": stub.host}, environ={"DATABRICKS_TOKEN": TOKEN}
    )
    outcome = project.preview()
    assert outcome.ok, str(outcome)
    planned = {kind.rpartition(":")[2] for operation, kind in outcome.operations() if operation == "create"}
    assert planned >= DYNAMIC | {"ModelServing", "Grant", "Permissions"}
    assert stub.calls(reads=True) == []
