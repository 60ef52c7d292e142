"""Lakebase Autoscaling through databricks-sdk: projects, branches, endpoints, and tables synced from Delta."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from databricks.sdk import WorkspaceClient, errors
from databricks.sdk.common.lro import LroOptions
from databricks.sdk.common.types.fieldmask import FieldMask
from databricks.sdk.core import Config
from databricks.sdk.errors import AlreadyExists, BadRequest, InvalidParameterValue, InvalidState, NotFound
from databricks.sdk.service.postgres import (
    Branch,
    BranchSpec,
    Endpoint,
    EndpointSpec,
    EndpointType,
    InitialBranchSpec,
    Project,
    ProjectSpec,
    SyncedTable,
    SyncedTableSyncedTableSpec,
)
from databricks.sdk.service.postgres import SyncedTableState as Synced
from databricks.sdk.service.postgres import SyncedTableSyncedTableSpecSyncedTableSchedulingPolicy as Policy
from google.protobuf.duration_pb2 import Duration

from tests.support.feature_serving import eventually, rows
from tests.support.served import served
from workspace.clock import Clock
from workspace.feature_store.routes import FeatureStore
from workspace.http import Service
from workspace.lakebase import Lakebase
from workspace.settings import Settings
from workspace.state import State
from workspace.unity_catalog import Column, Tables, UnityCatalog

SOURCE, COPY = "main.ml.features", "main.ml.features_synced"
PRODUCTION = "projects/shop/branches/production"
SOON = LroOptions(timeout=timedelta(seconds=20))
TRIGGERED, CONTINUOUS, SNAPSHOT = Policy.TRIGGERED, Policy.CONTINUOUS, Policy.SNAPSHOT


class Shop:
    """A workspace with a Delta table and Lakebase, reached by `client`."""

    def __init__(self, state: State) -> None:
        self.clock = Clock(state)
        catalog = UnityCatalog(state)
        if not catalog.containers.has_schema("main", "ml"):
            catalog.containers.create_schema({"catalog_name": "main", "name": "ml"}, "me@example.com")
        self.tables: Tables = catalog.tables
        self.features = FeatureStore(state, catalog, self.clock)
        self.services: list[Service] = [
            Settings(state),
            self.clock,
            self.features,
            Lakebase(state, catalog, self.features, self.clock),
        ]
        self.client: WorkspaceClient

    def put(self, *values: tuple[int, str]) -> None:
        self.tables.append(SOURCE, rows(self.tables, SOURCE, [{"k": k, "v": v} for k, v in values]))

    def value(self, key: int) -> object:
        return self.features.lookup(SOURCE, {"k": key}, ["v"])["v"]

    def sync(self, name: str = COPY) -> None:
        status = self.table(name).status
        assert status is not None
        assert status.pipeline_id is not None
        self.client.pipelines.start_update(status.pipeline_id)
        self.reaches(Synced.SYNCED_TABLE_ONLINE_NO_PENDING_UPDATE, name)

    def table(self, name: str = COPY) -> SyncedTable:
        return self.client.postgres.get_synced_table(f"synced_tables/{name}")

    def state(self, name: str = COPY) -> Synced | None:
        status = self.table(name).status
        return status.detailed_state if status else None

    def reaches(self, state: Synced, name: str = COPY) -> None:
        eventually(lambda: self.state(name) is state)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    state = State(tmp_path / "state")
    try:
        made = Shop(state)
        with served(state, made.services) as client:
            made.client = client
            yield made
    finally:
        state.close()


def project(shop: Shop, **spec: Any) -> Project:
    made = shop.client.postgres.create_project(Project(spec=ProjectSpec(**spec)), "shop")
    return made.wait(SOON)


def masked(path: str) -> FieldMask:
    mask = FieldMask()  # type: ignore[no-untyped-call]
    mask.paths = [path]
    return mask


def spec(mode: Policy = TRIGGERED, **more: Any) -> SyncedTableSyncedTableSpec:
    fields: dict[str, Any] = {
        "branch": PRODUCTION,
        "postgres_database": "databricks_postgres",
        "primary_key_columns": ["k"],
        "scheduling_policy": mode,
        "source_table_full_name": SOURCE,
        **more,
    }
    return SyncedTableSyncedTableSpec(**fields)


def synced(shop: Shop, mode: Policy = TRIGGERED, **more: Any) -> SyncedTable:
    """The rows 1 and 2, synced; the source declares no primary key, the synced table does."""
    project(shop)
    feed = {"delta.enableChangeDataFeed": "true"}
    shop.tables.create(SOURCE, [Column("k", "int"), Column("v", "string")], properties=feed)
    shop.put((1, "one"), (2, "two"))
    made = shop.client.postgres.create_synced_table(SyncedTable(spec=spec(mode, **more)), COPY).wait(SOON)
    online = (
        Synced.SYNCED_TABLE_ONLINE_CONTINUOUS_UPDATE
        if mode is CONTINUOUS
        else Synced.SYNCED_TABLE_ONLINE_NO_PENDING_UPDATE
    )
    shop.reaches(online)
    return made


def test_a_project_comes_with_its_branch_and_its_endpoint(shop: Shop) -> None:
    made = project(shop, display_name="The shop")
    assert made.name == "projects/shop"
    assert made.status is not None
    assert (made.status.display_name, made.status.pg_version, made.status.owner) == ("The shop", 17, "me@example.com")
    assert made.status.default_branch == PRODUCTION
    assert made.spec is None, "what was sent is not in answers"
    (branch,) = shop.client.postgres.list_branches("projects/shop")
    assert branch.status is not None
    assert (branch.name, branch.parent, branch.status.default) == (PRODUCTION, "projects/shop", True)
    (endpoint,) = shop.client.postgres.list_endpoints(PRODUCTION)
    assert endpoint.status is not None
    assert endpoint.status.endpoint_type is EndpointType.ENDPOINT_TYPE_READ_WRITE
    assert endpoint.status.hosts is not None
    assert str(endpoint.status.hosts.host).endswith(".postgres.invalid")
    assert [one.name for one in shop.client.postgres.list_projects()] == ["projects/shop"]


def test_an_operation_is_done_when_its_time_has_come(shop: Shop) -> None:
    shop.client.api_client.do("PUT", "/_workspace/settings", body={"lakebase_provisioning_seconds": 300})
    operation = shop.client.postgres.create_project(Project(), "shop")
    assert not operation.done()
    (branch,) = shop.client.postgres.list_branches("projects/shop")
    assert branch.status is not None
    assert (str(branch.status.current_state), str(branch.status.pending_state)) == (
        "BranchStatusState.INIT",
        "BranchStatusState.READY",
    )
    shop.clock.advance(300)
    assert operation.wait(SOON).name == "projects/shop"
    (branch,) = shop.client.postgres.list_branches("projects/shop")
    assert branch.status is not None
    assert (str(branch.status.current_state), branch.status.pending_state) == ("BranchStatusState.READY", None)


def test_operations_and_resources_outlive_the_server(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    before = Shop(state)
    with served(state, before.services) as client:
        client.api_client.do("PUT", "/_workspace/settings", body={"lakebase_provisioning_seconds": 300})
        name = client.postgres.create_project(Project(), "shop").name()
    state.close()
    state = State(tmp_path / "state")
    after = Shop(state)
    with served(state, after.services) as client:
        assert client.postgres.get_operation(name).done is False
        after.clock.advance(300)
        assert client.postgres.get_operation(name).done is True
        assert client.postgres.get_branch(PRODUCTION).name == PRODUCTION
    state.close()


def test_a_project_is_made_once_and_changed_by_mask(shop: Shop) -> None:
    project(shop)
    with pytest.raises(AlreadyExists):
        project(shop)
    changed = Project(spec=ProjectSpec(display_name="renamed", enable_pg_native_login=True))
    mask = masked("spec.display_name")
    made = shop.client.postgres.update_project("projects/shop", changed, mask).wait(SOON)
    assert made.status is not None
    assert (made.status.display_name, made.status.enable_pg_native_login) == ("renamed", False)
    other, whole = Project(spec=ProjectSpec(pg_version=16)), masked("spec")
    with pytest.raises(InvalidParameterValue, match="pg_version of a project cannot be changed from 17 to 16"):
        shop.client.postgres.update_project("projects/shop", other, whole)


@pytest.mark.parametrize("project_id", ["Shop", "1shop", "shop-", "s" * 64, ""])
def test_an_id_that_cannot_be_is_refused(shop: Shop, project_id: str) -> None:
    with pytest.raises(InvalidParameterValue, match="project_id"):
        shop.client.postgres.create_project(Project(), project_id)


def test_what_belongs_to_its_parent_goes_with_it_and_not_alone(shop: Shop) -> None:
    project(shop)
    endpoint = f"{PRODUCTION}/endpoints/primary"
    for name, delete in ((PRODUCTION, "delete_branch"), (endpoint, "delete_endpoint")):
        with pytest.raises(BadRequest, match="managed by") as caught:
            getattr(shop.client.postgres, delete)(name)
        # How the provider knows that it need not delete it.
        assert "MANAGED_BY_PARENT" in {
            value for info in caught.value.get_error_info() for value in (info.metadata or {}).values()
        }
    shop.client.postgres.delete_project("projects/shop").wait(SOON)
    for get, name in ((shop.client.postgres.get_branch, PRODUCTION), (shop.client.postgres.get_endpoint, endpoint)):
        with pytest.raises(NotFound):
            get(name)


def test_a_protected_branch_holds_its_project_and_its_endpoints(shop: Shop) -> None:
    protected = Project(initial_branch_spec=InitialBranchSpec(is_protected=True))
    shop.client.postgres.create_project(protected, "shop").wait(SOON)
    reader = Endpoint(spec=EndpointSpec(endpoint_type=EndpointType.ENDPOINT_TYPE_READ_ONLY))
    shop.client.postgres.create_endpoint(PRODUCTION, reader, "reads").wait(SOON)
    with pytest.raises(InvalidState, match="is protected"):
        shop.client.postgres.delete_endpoint(f"{PRODUCTION}/endpoints/reads")
    with pytest.raises(InvalidState, match="is protected"):
        shop.client.postgres.delete_project("projects/shop")
    free = Branch(spec=BranchSpec(is_protected=False))
    shop.client.postgres.update_branch(PRODUCTION, free, masked("spec.is_protected")).wait(SOON)
    shop.client.postgres.delete_project("projects/shop").wait(SOON)


def test_a_branch_is_made_of_another_and_may_expire(shop: Shop) -> None:
    project(shop)
    made = shop.client.postgres.create_branch(
        "projects/shop", Branch(spec=BranchSpec(ttl=Duration(seconds=3600))), "dev"
    ).wait(SOON)
    assert made.status is not None
    assert (made.status.source_branch, made.status.default) == (PRODUCTION, False)
    assert made.status.expire_time is not None
    left = made.status.expire_time.ToDatetime(UTC) - datetime.now(UTC)
    assert timedelta(minutes=58) < left <= timedelta(hours=1)
    both = Branch(spec=BranchSpec(ttl=Duration(seconds=60), no_expiry=True))
    with pytest.raises(InvalidParameterValue, match="exclude each other"):
        shop.client.postgres.create_branch("projects/shop", both, "other")
    with pytest.raises(AlreadyExists):
        shop.client.postgres.create_branch("projects/shop", Branch(), "dev")
    # Taken over instead of refused: how a program manages what came with the project.
    taken = Branch(spec=BranchSpec(is_protected=True))
    again = shop.client.postgres.create_branch("projects/shop", taken, "production", replace_existing=True).wait(SOON)
    assert again.status is not None
    assert (again.status.is_protected, again.status.default) == (True, True)
    lost = Branch(spec=BranchSpec(source_branch="projects/shop/branches/absent"))
    with pytest.raises(NotFound, match="branches/absent"):
        shop.client.postgres.create_branch("projects/shop", lost, "lost")


def test_a_branch_has_one_endpoint_that_writes_and_limits_that_hold(shop: Shop) -> None:
    project(shop)

    def endpoint(endpoint_id: str, kind: EndpointType, **more: Any) -> Endpoint:
        wanted = Endpoint(spec=EndpointSpec(endpoint_type=kind, **more))
        return shop.client.postgres.create_endpoint(PRODUCTION, wanted, endpoint_id).wait(SOON)

    reader, writer = EndpointType.ENDPOINT_TYPE_READ_ONLY, EndpointType.ENDPOINT_TYPE_READ_WRITE
    made = endpoint("reads", reader, autoscaling_limit_min_cu=2, autoscaling_limit_max_cu=8, no_suspension=True)
    assert made.status is not None
    assert (made.status.autoscaling_limit_max_cu, made.status.suspend_timeout_duration) == (8, None)
    with pytest.raises(InvalidParameterValue, match="it can have one"):
        endpoint("second", writer)
    with pytest.raises(InvalidParameterValue, match="more than 16 above"):
        endpoint("wide", reader, autoscaling_limit_min_cu=1, autoscaling_limit_max_cu=32)
    with pytest.raises(InvalidParameterValue, match="60s to 604800s"):
        endpoint("short", reader, suspend_timeout_duration=Duration(seconds=5))
    off = Endpoint(spec=EndpointSpec(endpoint_type=reader, disabled=True))
    name = f"{PRODUCTION}/endpoints/reads"
    disabled = shop.client.postgres.update_endpoint(name, off, masked("spec.disabled")).wait(SOON)
    assert disabled.status is not None
    assert (disabled.status.disabled, str(disabled.status.current_state)) == (True, "EndpointStatusState.IDLE")
    assert disabled.status.autoscaling_limit_max_cu == 8
    shop.client.postgres.delete_endpoint(name).wait(SOON)
    with pytest.raises(NotFound):
        shop.client.postgres.get_endpoint(name)


@pytest.mark.parametrize("mode", [SNAPSHOT, TRIGGERED])
def test_a_synced_table_changes_with_a_sync_and_not_before(shop: Shop, mode: Policy) -> None:
    made = synced(shop, mode)
    assert made.name == f"synced_tables/{COPY}"
    assert made.uid == shop.tables.get(COPY).table_id
    assert [shop.value(key) for key in (1, 2, 3)] == ["one", "two", None]
    shop.tables.delta(SOURCE).update(predicate="k = 1", updates={"v": "'changed'"})
    shop.tables.delta(SOURCE).delete("k = 2")
    shop.put((3, "three"))
    assert [shop.value(key) for key in (1, 2, 3)] == ["one", "two", None]
    shop.sync()
    assert [shop.value(key) for key in (1, 2, 3)] == ["changed", None, "three"]


def test_a_continuous_synced_table_follows_its_source(shop: Shop) -> None:
    shop.client.api_client.do("PUT", "/_workspace/settings", body={"continuous_sync_poll_seconds": 0.02})
    synced(shop, CONTINUOUS)
    shop.put((3, "three"))
    eventually(lambda: shop.value(3) == "three")


def test_the_status_tells_how_far_the_copy_is(shop: Shop) -> None:
    synced(shop)
    status = shop.table().status
    assert status is not None
    assert (status.last_processed_commit_version, status.project) == (1, "projects/shop")
    assert status.last_sync is not None
    assert status.last_sync.sync_start_time is not None
    assert status.last_sync.delta_table_sync_info is not None
    assert status.last_sync.delta_table_sync_info.delta_commit_time is not None
    committed = status.last_sync.delta_table_sync_info.delta_commit_time.ToMilliseconds()
    assert committed <= status.last_sync.sync_start_time.ToMilliseconds()
    assert shop.table().spec is None


def test_of_rows_that_share_a_key_the_timeseries_key_picks_the_newest(shop: Shop) -> None:
    project(shop)
    columns = [Column("k", "int"), Column("at", "timestamp"), Column("v", "string")]
    shop.tables.create(SOURCE, columns, properties={"delta.enableChangeDataFeed": "true"})
    days = [{"k": 1, "at": datetime(2024, 1, day, tzinfo=UTC), "v": f"day {day}"} for day in (2, 3, 1)]
    shop.tables.append(SOURCE, rows(shop.tables, SOURCE, days))
    wanted = SyncedTable(spec=spec(timeseries_key="at"))
    shop.client.postgres.create_synced_table(wanted, COPY).wait(SOON)
    shop.reaches(Synced.SYNCED_TABLE_ONLINE_NO_PENDING_UPDATE)
    assert shop.value(1) == "day 3"
    assert shop.tables.get(COPY).timeseries == "at"


def test_without_a_timeseries_key_rows_that_share_a_key_fail_the_sync(shop: Shop) -> None:
    synced(shop)
    shop.put((1, "again"))
    status = shop.table().status
    assert status is not None
    shop.client.pipelines.start_update(str(status.pipeline_id))
    shop.reaches(Synced.SYNCED_TABLE_ONLINE_PIPELINE_FAILED)
    assert shop.value(1) == "one"


def test_rows_with_a_null_key_stay_out(shop: Shop) -> None:
    synced(shop)
    nobody = pa.Table.from_pylist(
        [{"k": None, "v": "nobody"}], schema=pa.schema([("k", pa.int32()), ("v", pa.string())])
    )
    shop.tables.append(SOURCE, nobody)
    shop.put((3, "three"))
    shop.sync()
    assert shop.value(3) == "three"


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"branch": None}, InvalidParameterValue, "spec.branch"),
        ({"branch": "projects/shop/branches/absent"}, NotFound, "branches/absent"),
        ({"postgres_database": None}, InvalidParameterValue, "spec.postgres_database"),
        ({"primary_key_columns": []}, InvalidParameterValue, "spec.primary_key_columns"),
        ({"primary_key_columns": ["x"]}, InvalidParameterValue, "column 'x'"),
        ({"timeseries_key": "x"}, InvalidParameterValue, "column 'x'"),
        ({"primary_key_columns": ["k"], "timeseries_key": "k"}, InvalidParameterValue, "beside the timeseries_key"),
        ({"source_table_full_name": "main.ml.absent"}, NotFound, "main.ml.absent"),
        ({"existing_pipeline_id": "p"}, errors.NotImplemented, "spec.existing_pipeline_id"),
        (
            {"create_database_objects_if_missing": False, "postgres_database": "other"},
            InvalidParameterValue,
            "schema 'ml' of database 'other' does not exist",
        ),
    ],
)
def test_a_synced_table_that_cannot_be_is_refused_in_words(
    shop: Shop, change: dict[str, Any], error: type[Exception], words: str
) -> None:
    project(shop)
    feed = {"delta.enableChangeDataFeed": "true"}
    shop.tables.create(SOURCE, [Column("k", "int"), Column("v", "string")], properties=feed)
    with pytest.raises(error, match=words):
        shop.client.postgres.create_synced_table(SyncedTable(spec=spec(**change)), COPY)
    assert shop.tables.find(COPY) is None
    with pytest.raises(NotFound):
        shop.table()


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("projects?project_id=other", {"spec": 3}, "spec must be an object, received 3"),
        ("projects?project_id=other", {"initial_endpoint_spec": "x"}, "initial_endpoint_spec must be an object"),
        (
            "projects?project_id=other",
            {"spec": {"default_endpoint_settings": []}},
            "default_endpoint_settings must be an object",
        ),
        ("projects?project_id=other", {"spec": {"colour": "red"}}, "unknown field 'colour' of project spec"),
        (
            "projects/shop/branches?branch_id=b",
            {"spec": {"ttl": "99999999999999s"}},
            "ttl '99999999999999s' is not valid",
        ),
    ],
)
def test_a_body_of_another_form_is_refused_naming_the_field(
    shop: Shop, path: str, body: dict[str, Any], words: str
) -> None:
    project(shop)
    with pytest.raises(InvalidParameterValue, match=words):
        shop.client.api_client.do("POST", f"/api/2.0/postgres/{path}", body=body)


def test_modes_that_follow_changes_need_the_change_data_feed(shop: Shop) -> None:
    project(shop)
    shop.tables.create(SOURCE, [Column("k", "int"), Column("v", "string")])
    for mode in (TRIGGERED, CONTINUOUS):
        with pytest.raises(InvalidParameterValue, match="no change data feed"):
            shop.client.postgres.create_synced_table(SyncedTable(spec=spec(mode)), COPY)
    shop.client.postgres.create_synced_table(SyncedTable(spec=spec(SNAPSHOT)), COPY).wait(SOON)


def test_a_deleted_synced_table_leaves_nothing_and_frees_its_branch(shop: Shop) -> None:
    synced(shop)
    status = shop.table().status
    assert status is not None
    with pytest.raises(InvalidState, match=COPY):
        shop.client.postgres.delete_project("projects/shop")
    shop.client.postgres.delete_synced_table(f"synced_tables/{COPY}").wait(SOON)
    with pytest.raises(NotFound):
        shop.table()
    with pytest.raises(NotFound):
        shop.client.pipelines.get(str(status.pipeline_id))
    assert shop.tables.find(COPY) is None
    with pytest.raises(Exception, match="not published"):
        shop.value(1)
    shop.client.postgres.delete_project("projects/shop").wait(SOON)


def test_a_synced_table_is_no_published_one(shop: Shop) -> None:
    synced(shop)
    with pytest.raises(NotFound):
        shop.client.feature_store.delete_online_table(COPY)
    with pytest.raises(NotFound):
        shop.client.database.get_synced_database_table(COPY)
    assert shop.value(1) == "one"


def test_the_paths_need_a_token(shop: Shop) -> None:
    host = shop.client.config.host
    stranger = WorkspaceClient(config=Config(host=host, token="dapi-unknown", retry_timeout_seconds=2))
    with pytest.raises((errors.Unauthenticated, errors.PermissionDenied)):
        stranger.postgres.get_project("projects/shop")
