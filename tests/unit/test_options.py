"""What a caller says of a component as a whole reaches the children that it is for, or is told to do nothing."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_databricks
import pytest

from components.lakebase import LakebaseStore, LakebaseStoreArgs
from components.model_registration import ModelRegistration
from components.monitor import InferenceMonitor
from components.serving_endpoint import ServingEndpoint
from tests.unit import test_model_registration, test_monitor, test_serving_endpoint
from tests.unit.recording import record
from tests.unit.test_component_contract import BUILDERS

# The component's main resource: what `custom_timeouts` and `ignore_changes` are for.
MAIN = {
    "FeatureOnlineStore": "OnlineStore",
    "InferenceMonitor": "QualityMonitor",
    "LakebaseStore": "PostgresProject",
    "ModelRegistration": "RegisteredModel",
    "ProvisionedThroughputEndpoint": "ModelServingProvisionedThroughput",
    "RetrievalIndex": "VectorSearchIndex",
    "ServingEndpoint": "ModelServing",
    "TableMonitor": "QualityMonitor",
    "WorkflowJob": "Job",
}


class Options:
    """What every child was registered with, by the end of its type."""

    def __init__(self) -> None:
        self.of: dict[str, pulumi.ResourceOptions] = {}

    def note(self, resource: pulumi.ResourceTransformationArgs) -> None:
        self.of[resource.type_.rpartition(":")[2]] = resource.opts


def children(name: str, **options: Any) -> dict[str, pulumi.ResourceOptions]:
    seen = Options()
    record(lambda: BUILDERS[name](pulumi.ResourceOptions(transformations=[seen.note], **options)))
    seen.of.pop(name, None)
    return seen.of


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    told: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", lambda text, *_, **__: told.append(text))
    return told


@pytest.mark.parametrize("name", sorted(MAIN))
def test_times_and_ignored_changes_are_the_main_resources(name: str, warned: list[str]) -> None:
    made = children(name, custom_timeouts=pulumi.CustomTimeouts(create="3h", delete="9m"), ignore_changes=["comment"])
    main = made.pop(MAIN[name])
    assert main.ignore_changes == ["comment"]
    assert isinstance(main.custom_timeouts, pulumi.CustomTimeouts)
    assert (main.custom_timeouts.create, main.custom_timeouts.delete) == ("3h", "9m")
    assert all(not other.ignore_changes for other in made.values())
    assert not [text for text in warned if "no effect" in text]


@pytest.mark.parametrize("name", sorted(set(BUILDERS) - set(MAIN)))
def test_where_there_is_no_main_resource_the_caller_is_told(name: str, warned: list[str]) -> None:
    children(name, custom_timeouts=pulumi.CustomTimeouts(create="3h"), ignore_changes=["comment"])
    assert [text for text in warned if text.startswith("custom_timeouts, ignore_changes of a component")]


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_what_no_component_heeds_is_told(name: str, warned: list[str]) -> None:
    children(name, replace_on_changes=["x"], import_="id")
    assert [text for text in warned if text.startswith("replace_on_changes, import of a component")]


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_every_child_that_is_a_resource_of_the_plugin_gets_the_explicit_provider(name: str) -> None:
    def build() -> Any:
        provider = pulumi_databricks.Provider("other", host="https://other.example", token="t")
        return BUILDERS[name](pulumi.ResourceOptions(provider=provider))

    made = [one for one in record(build).resources if one.typ.startswith("databricks:index/")]
    assert made
    assert {one.typ for one in made if "::" not in (one.provider or "") or "other" not in (one.provider or "")} == set()


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_a_component_waits_for_what_an_output_brings(name: str) -> None:
    """`depends_on` may hold resources that are known late."""
    seen = Options()

    def build() -> None:
        first = pulumi_databricks.Schema("first", catalog_name="c", name="s")
        after = [pulumi.Output.from_input(first)]
        BUILDERS[name](pulumi.ResourceOptions(depends_on=after, transformations=[seen.note]))

    record(build)
    assert any(options.depends_on for options in seen.of.values())


def test_a_child_says_nothing_where_the_whole_component_may_be_protected_or_kept() -> None:
    seen = Options()
    options = pulumi.ResourceOptions(transformations=[seen.note])
    record(lambda: LakebaseStore("one", LakebaseStoreArgs(project_id="shop"), options))
    record(lambda: ModelRegistration("one", test_model_registration.args(protect=False), options))
    record(lambda: InferenceMonitor("one", test_monitor.args(keep_table=False), options))
    for kind in ("PostgresProject", "RegisteredModel", "SqlTable"):
        assert seen.of[kind].protect is None, kind
        assert seen.of[kind].retain_on_delete is None, kind


def test_a_postgres_of_another_version_takes_the_place_of_the_old_one_of_the_same_id() -> None:
    assert children("LakebaseStore")["PostgresProject"].delete_before_replace is True


@pytest.mark.parametrize("path", ["config", "config.trafficConfig"])
def test_an_endpoint_whose_config_is_ignored_in_part_is_refused(path: str) -> None:
    def broken() -> None:
        with pytest.raises(ValueError, match=f"ignores changes of {path}.*releases"):
            ServingEndpoint("fare", test_serving_endpoint.args(), pulumi.ResourceOptions(ignore_changes=[path]))

    assert record(broken).resources == []
