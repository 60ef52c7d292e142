"""Why Lakebase behaves as it does (workspace/parity.py)."""

from __future__ import annotations

from workspace.parity import Behaviour, Source

_SDK = "databricks-sdk 0.156"
_PAGE = "Serve lakehouse data with synced tables"
_ROOT = "/api/2.0/postgres"
_PROJECT = f"{_ROOT}/projects/{{project}}"
_BRANCH = f"{_PROJECT}/branches/{{branch}}"
_ENDPOINT = f"{_BRANCH}/endpoints/{{endpoint}}"
_SYNCED = f"{_ROOT}/synced_tables/{{table}}"
_TESTS = "tests/workspace/test_lakebase.py::"


def _client(path: str, behaviour: str, symbol: str, test: str) -> Behaviour:
    return Behaviour(
        path=path,
        behaviour=behaviour,
        source=Source.CLIENT,
        reference=f"{_SDK} `postgres.{symbol}`",
        test=_TESTS + test,
    )


BEHAVIOURS: tuple[Behaviour, ...] = (
    Behaviour(
        path=f"POST {_ROOT}/projects",
        behaviour="A project comes with the branch `production` and an endpoint that reads and writes.",
        source=Source.PROVIDER_SOURCE,
        reference="databricks_postgres_branch, databricks_postgres_endpoint (`replace_existing`)",
        test=f"{_TESTS}test_a_project_comes_with_its_branch_and_its_endpoint",
    ),
    Behaviour(
        path=f"POST {_ROOT}/projects",
        behaviour="The endpoint is called `primary`; hosts resolve nowhere, as nothing speaks Postgres here.",
        source=Source.ASSUMPTION,
        reference="the name of the implicit endpoint is not documented",
        test=f"{_TESTS}test_a_project_comes_with_its_branch_and_its_endpoint",
    ),
    Behaviour(
        path=f"POST {_ROOT}/projects",
        behaviour="A taken id is 409 ALREADY_EXISTS.",
        source=Source.PROVIDER_SOURCE,
        reference="databricks CLI, libs/testserver (postgres)",
        test=f"{_TESTS}test_a_project_is_made_once_and_changed_by_mask",
    ),
    Behaviour(
        path=f"POST {_ROOT}/projects",
        behaviour="Ids have 1 to 63 lower case letters, digits and hyphens, a letter first.",
        source=Source.ASSUMPTION,
        reference="the ids of the API's examples look so",
        test=f"{_TESTS}test_an_id_that_cannot_be_is_refused",
    ),
    _client(
        f"GET {_ROOT}/projects",
        "All projects, on one page.",
        "ListProjectsResponse",
        "test_a_project_comes_with_its_branch_and_its_endpoint",
    ),
    Behaviour(
        path=f"GET {_PROJECT}",
        behaviour="Answers show the status, not the spec that was sent.",
        source=Source.PROVIDER_SOURCE,
        reference="databricks_postgres_project: spec is kept from the state",
        test=f"{_TESTS}test_a_project_comes_with_its_branch_and_its_endpoint",
    ),
    _client(
        f"PATCH {_PROJECT}",
        "Only what update_mask names changes; pg_version cannot.",
        "PostgresAPI.update_project",
        "test_a_project_is_made_once_and_changed_by_mask",
    ),
    Behaviour(
        path=f"DELETE {_PROJECT}",
        behaviour="A protected branch holds its project and its endpoints.",
        source=Source.CLIENT,
        reference=f"{_SDK} `postgres.BranchSpec` (is_protected)",
        test=f"{_TESTS}test_a_protected_branch_holds_its_project_and_its_endpoints",
    ),
    Behaviour(
        path=f"DELETE {_PROJECT}",
        behaviour="Synced tables hold their branch and project; what is deleted is gone at once.",
        source=Source.ASSUMPTION,
        reference="the service keeps deleted projects for a while unless `purge` is set; not implemented here",
        test=f"{_TESTS}test_a_deleted_synced_table_leaves_nothing_and_frees_its_branch",
    ),
    _client(
        f"POST {_PROJECT}/branches",
        "A branch is made of the default one or of source_branch; ttl, expire_time and no_expiry exclude each other.",
        "BranchSpec",
        "test_a_branch_is_made_of_another_and_may_expire",
    ),
    Behaviour(
        path=f"POST {_PROJECT}/branches",
        behaviour="An expired branch stays: expire_time is shown and has no effect.",
        source=Source.ASSUMPTION,
        reference="known gap; nothing in a stack depends on it",
        test=f"{_TESTS}test_a_branch_is_made_of_another_and_may_expire",
    ),
    _client(
        f"GET {_PROJECT}/branches",
        "The branches of a project.",
        "ListBranchesResponse",
        "test_a_project_comes_with_its_branch_and_its_endpoint",
    ),
    _client(
        f"GET {_BRANCH}",
        "current_state is INIT with pending_state READY until the operation is done.",
        "BranchStatus",
        "test_an_operation_is_done_when_its_time_has_come",
    ),
    _client(
        f"PATCH {_BRANCH}",
        "Protection can be taken off.",
        "PostgresAPI.update_branch",
        "test_a_protected_branch_holds_its_project_and_its_endpoints",
    ),
    Behaviour(
        path=f"DELETE {_BRANCH}",
        behaviour="What came with its parent cannot be deleted alone: 400 with the marker MANAGED_BY_PARENT.",
        source=Source.PROVIDER_SOURCE,
        reference="databricks_postgres_branch: takes the marker for deleted",
        test=f"{_TESTS}test_what_belongs_to_its_parent_goes_with_it_and_not_alone",
    ),
    _client(
        f"POST {_BRANCH}/endpoints",
        "A branch has one READ_WRITE endpoint; compute limits and suspension time are held to.",
        "EndpointSpec",
        "test_a_branch_has_one_endpoint_that_writes_and_limits_that_hold",
    ),
    _client(
        f"GET {_BRANCH}/endpoints",
        "The endpoints of a branch.",
        "ListEndpointsResponse",
        "test_a_project_comes_with_its_branch_and_its_endpoint",
    ),
    _client(
        f"GET {_ENDPOINT}",
        "current_state is ACTIVE, or IDLE where the endpoint is disabled; a deleted one is 404.",
        "EndpointStatus",
        "test_a_branch_has_one_endpoint_that_writes_and_limits_that_hold",
    ),
    _client(
        f"PATCH {_ENDPOINT}",
        "What the mask does not name stays as it is.",
        "PostgresAPI.update_endpoint",
        "test_a_branch_has_one_endpoint_that_writes_and_limits_that_hold",
    ),
    Behaviour(
        path=f"DELETE {_ENDPOINT}",
        behaviour="The endpoint that came with the project goes with it only.",
        source=Source.PROVIDER_SOURCE,
        reference="databricks_postgres_endpoint: takes the marker for deleted",
        test=f"{_TESTS}test_what_belongs_to_its_parent_goes_with_it_and_not_alone",
    ),
    Behaviour(
        path=f"POST {_ROOT}/synced_tables",
        behaviour="The key is declared by the synced table; the source needs none, and the feed unless SNAPSHOT.",
        source=Source.DOCUMENTATION,
        reference=_PAGE,
        test=f"{_TESTS}test_modes_that_follow_changes_need_the_change_data_feed",
    ),
    Behaviour(
        path=f"POST {_ROOT}/synced_tables",
        behaviour="postgres_database is required; missing objects are made unless that is forbidden.",
        source=Source.CLIENT,
        reference=f"{_SDK} `postgres.SyncedTableSyncedTableSpec`",
        test=f"{_TESTS}test_a_synced_table_that_cannot_be_is_refused_in_words",
    ),
    Behaviour(
        path=f"POST {_ROOT}/synced_tables",
        behaviour="Of rows that share a key the timeseries key picks the newest.",
        source=Source.DOCUMENTATION,
        reference=_PAGE,
        test=f"{_TESTS}test_of_rows_that_share_a_key_the_timeseries_key_picks_the_newest",
    ),
    Behaviour(
        path=f"POST {_ROOT}/synced_tables",
        behaviour="Without a timeseries key they fail the sync.",
        source=Source.DOCUMENTATION,
        reference=_PAGE,
        test=f"{_TESTS}test_without_a_timeseries_key_rows_that_share_a_key_fail_the_sync",
    ),
    Behaviour(
        path=f"POST {_ROOT}/synced_tables",
        behaviour="Rows with a NULL in the key are left out.",
        source=Source.DOCUMENTATION,
        reference=_PAGE,
        test=f"{_TESTS}test_rows_with_a_null_key_stay_out",
    ),
    Behaviour(
        path=f"POST {_ROOT}/synced_tables",
        behaviour="A copy changes with a sync and not before; CONTINUOUS syncs by itself.",
        source=Source.DOCUMENTATION,
        reference=_PAGE,
        test=f"{_TESTS}test_a_synced_table_changes_with_a_sync_and_not_before",
    ),
    Behaviour(
        path=f"POST {_ROOT}/synced_tables",
        behaviour="Bin-packed pipelines, extra columns and type overrides are refused with 501.",
        source=Source.ASSUMPTION,
        reference="the service takes them; here they would have no effect",
        test=f"{_TESTS}test_a_synced_table_that_cannot_be_is_refused_in_words",
    ),
    Behaviour(
        path=f"POST {_ROOT}/synced_tables",
        behaviour="The operation is done when the table is made, not when its first sync has ended.",
        source=Source.ASSUMPTION,
        reference="the status tells of the sync, which may take hours",
        test=f"{_TESTS}test_a_synced_table_changes_with_a_sync_and_not_before",
    ),
    Behaviour(
        path=f"POST {_ROOT}/synced_tables",
        behaviour="Model serving looks features up in a synced table of their source like in a published one.",
        source=Source.ASSUMPTION,
        reference="both are Lakebase tables; the page names published tables only",
        test=f"{_TESTS}test_a_synced_table_is_no_published_one",
    ),
    _client(
        f"GET {_SYNCED}",
        "State, pipeline, last processed version, and times of the last sync.",
        "SyncedTableSyncedTableStatus",
        "test_the_status_tells_how_far_the_copy_is",
    ),
    _client(
        f"DELETE {_SYNCED}",
        "Deletes the copy, its pipeline and its entry in Unity Catalog.",
        "PostgresAPI.delete_synced_table",
        "test_a_deleted_synced_table_leaves_nothing_and_frees_its_branch",
    ),
    *(
        _client(
            f"GET {path}/operations/{{operation}}",
            "An operation is done once the provisioning time is over, and ends with the resource.",
            "Operation",
            "test_an_operation_is_done_when_its_time_has_come",
        )
        for path in (_PROJECT, _BRANCH, _ENDPOINT, _SYNCED)
    ),
)
