"""Online stores and published tables: what is registered, and what is refused before anything is."""

from __future__ import annotations

from typing import Any

import pytest

from components.lakebase import LakebaseStore, LakebaseStoreArgs
from components.online_store import FeatureOnlineStore, FeatureOnlineStoreArgs
from components.online_table import FeatureOnlineTable, FeatureOnlineTableArgs, LakebaseTargetArgs
from tests.unit.recording import Recording, record


def table_args(**changes: Any) -> FeatureOnlineTableArgs:
    values: dict[str, Any] = {
        "source_table": "p03.e2e_demo_simon.trip_pickup_features",
        "online_store": "taxi-online-staging",
        "primary_keys": ["pickup_zip", "rounded_pickup_datetime"],
        **changes,
    }
    return FeatureOnlineTableArgs(**values)


def build(**changes: Any) -> Recording:
    return record(lambda: FeatureOnlineTable("pickup", table_args(**changes)).published.id)


def published(recording: Recording) -> dict[str, Any]:
    # Mocks show every dynamic resource under the one type that Pulumi knows.
    return next(resource.inputs for resource in recording.resources if "source_table" in resource.inputs)


def test_the_online_name_is_the_sources_with_online_behind_it() -> None:
    assert published(build())["online_table"] == "p03.e2e_demo_simon.trip_pickup_features_online"


def test_another_online_name_is_kept_to_the_letter() -> None:
    name = "p03.churn.advanced_churn_feature_table_online_table"
    assert published(build(online_table=name))["online_table"] == name


def test_primary_keys_keep_their_order() -> None:
    assert published(build())["primary_keys"] == ["pickup_zip", "rounded_pickup_datetime"]


def test_readers_get_select_on_the_copy_and_nothing_else() -> None:
    grants = build(readers=["sp-serving"]).one(":Grants")
    assert grants["table"] == "p03.e2e_demo_simon.trip_pickup_features_online"
    assert grants["grants"] == [{"principal": "sp-serving", "privileges": ["SELECT"]}]


def test_without_readers_no_grants_are_touched() -> None:
    assert build().of_type(":Grants") == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source_table": "default.features"}, "has 2 parts instead of three"),
        ({"primary_keys": []}, "published without primary keys"),
        ({"online_table": "features_online"}, "has 1 part instead of three"),
    ],
)
def test_a_broken_name_or_key_is_refused_before_anything_is_registered(changes: dict[str, Any], message: str) -> None:
    def broken() -> None:
        with pytest.raises(ValueError, match=message):
            FeatureOnlineTable("pickup", table_args(**changes))

    assert record(broken).resources == []


def test_a_store_has_the_stated_name_capacity_and_replicas() -> None:
    args = FeatureOnlineStoreArgs(name="taxi-online-prod", capacity="CU_2", read_replica_count=1)
    store = record(lambda: FeatureOnlineStore("features", args).store.id).one(":OnlineStore")
    assert store == {"name": "taxi-online-prod", "capacity": "CU_2", "readReplicaCount": 1}


def test_a_negative_number_of_replicas_is_refused() -> None:
    def broken() -> None:
        with pytest.raises(ValueError, match="cannot be negative"):
            FeatureOnlineStore("features", FeatureOnlineStoreArgs(name="store", read_replica_count=-1))

    assert record(broken).resources == []


BRANCH = "projects/shop/branches/production"


def test_a_table_of_lakebase_is_synced_into_its_branch_and_waited_for() -> None:
    recording = build(online_store=None, lakebase=LakebaseTargetArgs(branch=BRANCH), publish_mode="CONTINUOUS")
    synced = recording.one(":PostgresSyncedTable")
    assert synced["syncedTableId"] == "p03.e2e_demo_simon.trip_pickup_features_online"
    assert synced["spec"] == {
        "branch": BRANCH,
        "postgresDatabase": "databricks_postgres",
        "createDatabaseObjectsIfMissing": True,
        "sourceTableFullName": "p03.e2e_demo_simon.trip_pickup_features",
        "primaryKeyColumns": ["pickup_zip", "rounded_pickup_datetime"],
        "schedulingPolicy": "CONTINUOUS",
        "newPipelineSpec": {"storageCatalog": "p03", "storageSchema": "e2e_demo_simon"},
    }
    waited = published(recording)
    assert waited["synced_by"] == "pipeline-of-the-sync"
    assert waited["publish_mode"] == "CONTINUOUS"


def test_the_age_of_what_the_copy_holds_is_a_limit_of_the_publication() -> None:
    assert published(build(max_commit_age_seconds=3600.0))["max_commit_age_seconds"] == 3600.0


@pytest.mark.parametrize("changes", [{"online_store": None}, {"lakebase": LakebaseTargetArgs(branch=BRANCH)}])
def test_exactly_one_backend_is_named(changes: dict[str, Any]) -> None:
    def broken() -> None:
        with pytest.raises(ValueError, match="set exactly one of online_store and lakebase"):
            FeatureOnlineTable("pickup", table_args(**changes))

    assert record(broken).resources == []


def test_a_lakebase_store_names_the_branch_that_its_project_comes_with() -> None:
    branches: list[str] = []
    recording = record(
        lambda: LakebaseStore("shop", LakebaseStoreArgs(project_id="shop", max_cu=4)).branch.apply(branches.append)
    )
    assert branches == [BRANCH]
    assert recording.one(":PostgresProject")["spec"] == {
        "displayName": "shop",
        "pgVersion": 17,
        "defaultEndpointSettings": {"autoscalingLimitMinCu": 1.0, "autoscalingLimitMaxCu": 4},
    }


@pytest.mark.parametrize(
    ("changes", "message"), [({"project_id": "Shop"}, "lower case"), ({"min_cu": 2, "max_cu": 1}, "the least first")]
)
def test_a_lakebase_project_that_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LakebaseStoreArgs(**{"project_id": "shop", **changes})
