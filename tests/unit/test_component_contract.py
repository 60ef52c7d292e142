"""What every component keeps to, whatever it builds: children below it, real outputs, documented fields."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest

import components.dynamic.lookup_latency  # noqa: F401  # its arguments are held to the contract too
from components.alerts import (
    ServingAlerts,
)
from components.arguments import Arguments
from components.dashboard import ServingDashboard
from components.external_store import ExternalOnlineStore
from components.job import WorkflowJob
from components.lakebase import LakebaseStore, LakebaseStoreArgs
from components.model_registration import ModelRegistration
from components.monitor import InferenceMonitor
from components.online_store import FeatureOnlineStore, FeatureOnlineStoreArgs
from components.online_table import FeatureOnlineTable
from components.provisioned_throughput import (
    ProvisionedThroughputEndpoint,
)
from components.serving_endpoint import ServingEndpoint
from components.table_monitor import TableMonitor
from components.vector_index import RetrievalIndex
from components.workflow import MlWorkflow
from tests.unit import (
    test_alerts,
    test_dashboard,
    test_external_store,
    test_model_registration,
    test_monitor,
    test_online_features,
    test_provisioned_throughput,
    test_serving_endpoint,
    test_table_monitor,
    test_vector_index,
    test_workflow,
)
from tests.unit.recording import record

ROOT = Path(__file__).parents[2]
BUILDERS: dict[str, Callable[[pulumi.ResourceOptions], pulumi.ComponentResource]] = {
    "ExternalOnlineStore": lambda opts: ExternalOnlineStore("one", test_external_store.args(), opts),
    "FeatureOnlineStore": lambda opts: FeatureOnlineStore("one", FeatureOnlineStoreArgs(name="store"), opts),
    "FeatureOnlineTable": lambda opts: FeatureOnlineTable(
        "one", test_online_features.table_args(readers=["sp-serving"]), opts
    ),
    "LakebaseStore": lambda opts: LakebaseStore("one", LakebaseStoreArgs(project_id="shop"), opts),
    "MlWorkflow": lambda opts: MlWorkflow("one", test_workflow.args(), opts),
    "ModelRegistration": lambda opts: ModelRegistration("one", test_model_registration.args(), opts),
    "RetrievalIndex": lambda opts: RetrievalIndex("one", test_vector_index.args(), opts),
    "ServingDashboard": lambda opts: ServingDashboard("one", test_dashboard.args(), opts),
    "WorkflowJob": lambda opts: WorkflowJob("one", test_workflow.job(name="one"), opts),
    "ServingAlerts": lambda opts: ServingAlerts("one", test_alerts.args(), opts),
    "ServingEndpoint": lambda opts: ServingEndpoint("one", test_serving_endpoint.args(), opts),
    "TableMonitor": lambda opts: TableMonitor("one", test_table_monitor.args(), opts),
    "InferenceMonitor": lambda opts: InferenceMonitor("one", test_monitor.args(), opts),
    "ProvisionedThroughputEndpoint": lambda opts: ProvisionedThroughputEndpoint(
        "one", test_provisioned_throughput.args(), opts
    ),
}


def every_kind_of(cls: type) -> set[type]:
    """All classes below one, at any depth."""
    below: list[type] = cls.__subclasses__()
    return {found for child in below for found in {child, *every_kind_of(child)}}


ARGUMENTS = sorted(
    (cls for cls in every_kind_of(Arguments) if cls.__module__.startswith("components.")), key=lambda cls: cls.__name__
)


def component_classes() -> set[str]:
    """Every ComponentResource that the package defines, read from its source."""
    found = set()
    for file in (ROOT / "components").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef) and any(
                isinstance(base, ast.Attribute) and base.attr == "ComponentResource" for base in node.bases
            ):
                found.add(node.name)
    return found


def test_every_component_is_held_to_this_contract() -> None:
    assert component_classes() == set(BUILDERS)


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_every_child_has_the_component_as_its_parent(name: str) -> None:
    urns: list[str] = []

    def build() -> Any:
        component = BUILDERS[name](pulumi.ResourceOptions())
        values = [
            part
            for value in vars(component).values()
            for part in (value.values() if isinstance(value, dict) else [value])
        ]
        children = [value for value in values if isinstance(value, pulumi.CustomResource | pulumi.ComponentResource)]
        assert children
        return pulumi.Output.all(*(child.urn for child in children)).apply(urns.extend)

    record(build)
    assert urns
    assert all(f"databricks-serving:index:{name}$" in urn for urn in urns), urns


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_outputs_are_registered_and_not_empty(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    registered: list[tuple[pulumi.ComponentResource, dict[str, Any]]] = []
    monkeypatch.setattr(
        pulumi.ComponentResource, "register_outputs", lambda self, outputs: registered.append((self, outputs))
    )
    made: list[pulumi.ComponentResource] = []
    record(lambda: made.append(BUILDERS[name](pulumi.ResourceOptions())))
    assert [component for component, _ in registered].count(made[0]) == 1
    assert all(outputs for _, outputs in registered)


def test_every_class_that_describes_something_is_held_to_the_contract_of_arguments() -> None:
    written = {
        node.name
        for file in [*(ROOT / "components").glob("*.py"), *(ROOT / "components" / "dynamic").glob("*.py")]
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ClassDef) and node.name.endswith(("Args", "Permission"))
    }
    assert written <= {cls.__name__ for cls in ARGUMENTS}


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=lambda cls: cls.__name__)
def test_a_class_with_rules_of_its_own_has_its_fields_checked_first(arguments: type) -> None:
    own = vars(arguments).get("__post_init__")
    assert own is None or "        super().__post_init__()\n" in inspect.getsource(own)


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=lambda cls: cls.__name__)
def test_arguments_are_keyword_only_and_every_field_is_documented(arguments: type) -> None:
    parameters = list(inspect.signature(arguments).parameters.values())
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in parameters)
    # What a class has from another one is documented there.
    bodies = [ast.parse(inspect.getsource(cls)).body[0] for cls in arguments.__mro__ if issubclass(cls, Arguments)]
    documented = {
        before.target.id
        for body in bodies
        if isinstance(body, ast.ClassDef)
        for before, after in zip(body.body, body.body[1:], strict=False)
        if isinstance(before, ast.AnnAssign)
        and isinstance(before.target, ast.Name)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
    }
    assert documented == {parameter.name for parameter in parameters}
