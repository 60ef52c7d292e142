"""Pulumi's mocks, recording what a component registers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pulumi
from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks, set_mocks

COMPUTED: dict[str, dict[str, Any]] = {
    "databricks:index/postgresProject:PostgresProject": {"name": "projects/shop"},
    "databricks:index/postgresSyncedTable:PostgresSyncedTable": {"status": {"pipelineId": "pipeline-of-the-sync"}},
    "databricks:index/sqlTable:SqlTable": {"tableId": "table-uuid"},
    "databricks:index/modelServing:ModelServing": {
        "endpointUrl": "https://host/serving-endpoints/ep/invocations",
        "servingEndpointId": "opaque-id",
    },
    "databricks:index/modelServingProvisionedThroughput:ModelServingProvisionedThroughput": {
        "servingEndpointId": "opaque-id",
    },
    "databricks:index/qualityMonitor:QualityMonitor": {
        "profileMetricsTableName": "c.s.profile",
        "driftMetricsTableName": "c.s.drift",
        "dashboardId": "dashboard",
    },
    "databricks:index/dataQualityMonitor:DataQualityMonitor": {
        "dataProfilingConfig": {
            "outputSchemaId": "schema-uuid",
            "profileMetricsTableName": "c.s.profile",
            "driftMetricsTableName": "c.s.drift",
            "dashboardId": "dashboard",
        },
    },
}


class Recording(Mocks):
    """Every resource that was registered: type, name, inputs."""

    def __init__(self) -> None:
        self.resources: list[MockResourceArgs] = []

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        self.resources.append(args)
        return f"{args.name}-id", {**args.inputs, **COMPUTED.get(args.typ, {})}

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise AssertionError(f"no component calls a function, this one called {args.token}")

    def of_type(self, ending: str) -> list[dict[str, Any]]:
        """Inputs of the resources whose type ends so, in the order of their names."""
        found = [resource for resource in self.resources if resource.typ.endswith(ending)]
        return [resource.inputs for resource in sorted(found, key=lambda resource: resource.name)]

    def one(self, ending: str) -> dict[str, Any]:
        found = self.of_type(ending)
        assert len(found) == 1, f"{len(found)} resources of type {ending}"
        return found[0]


def fresh_event_loop() -> None:
    """A new current event loop, which says nothing of failed outputs that nobody waited for.

    They are told of when they are collected as garbage, at any time; writing their traceback parses source, and a parse
    within a parse ends both on Python 3.11 ("AST constructor recursion depth mismatch").
    """
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(_but_for_what_nobody_waited_for)
    asyncio.set_event_loop(loop)


def _but_for_what_nobody_waited_for(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    if "never retrieved" not in str(context.get("message")):
        loop.default_exception_handler(context)


def record(build: Callable[[], Any]) -> Recording:
    """Run a piece of a Pulumi program under mocks and wait until all it registered is there."""
    fresh_event_loop()
    recording = Recording()
    set_mocks(recording, project="taxi-serving", stack="staging", preview=False)

    pulumi.runtime.test(build)()  # type: ignore[no-untyped-call]  # pulumi ships this decorator without types
    return recording
