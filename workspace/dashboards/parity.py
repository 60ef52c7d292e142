"""What the dashboards of this workspace do, and why it is believed that Databricks' do so."""

from __future__ import annotations

from workspace.parity import Behaviour, Source

ROOT = "/api/2.0/lakeview/dashboards"
TESTS = "tests/workspace/test_dashboards.py"

_SDK = "databricks.sdk.service.dashboards.LakeviewAPI"
_CLI = "databricks/cli `libs/testserver/dashboards.go`"
_PROVIDER = "`dashboards/resource_dashboard.go`"

_TABLE: tuple[tuple[str, str, Source, str, str], ...] = (
    (
        f"POST {ROOT}",
        "A draft is ACTIVE, its folder without /Workspace, its file ends in .lvdash.json; pages get a type.",
        Source.CLIENT,
        f"{_CLI}: DashboardCreate, transformSerializedDashboard",
        "test_a_draft_is_kept_as_the_service_rewrites_it",
    ),
    (
        f"POST {ROOT}",
        "dataset_catalog and dataset_schema are written into every dataset.",
        Source.CLIENT,
        f"{_SDK}.create; {_CLI}",
        "test_default_catalog_and_schema_go_into_the_datasets",
    ),
    (
        f"POST {ROOT}",
        "Without parent_path it is in the caller's home; a folder that is missing is 404 `Path (...) doesn't exist.`",
        Source.PROVIDER_SOURCE,
        f"{_PROVIDER}: isParentDoesntExistError; {_CLI}",
        "test_without_a_folder_it_is_in_the_home_and_a_folder_must_be_there",
    ),
    (
        f"POST {ROOT}",
        "A content that is no JSON object, or whose parts are no lists, is 400.",
        Source.ASSUMPTION,
        "the service keeps what it can show; its words for what it cannot are not published",
        "test_a_content_that_is_no_dashboard_is_refused",
    ),
    (
        f"POST {ROOT}",
        "Names are unique in a folder, and free again when the dashboard is in the trash.",
        Source.ASSUMPTION,
        "a dashboard is a file of the workspace tree, where names are unique",
        "test_a_name_is_taken_once_in_a_folder_and_free_again_after_the_trash",
    ),
    (
        f"POST {ROOT}",
        "A caller makes dashboards in his own home and in /Shared.",
        Source.ASSUMPTION,
        "the access rule of the workspace tree, which keeps no lists of folders",
        "test_others_see_and_change_it_as_its_permissions_say",
    ),
    (
        f"GET {ROOT}",
        "Summaries of active dashboards, with show_trashed of all; pages of page_size, no content, path or etag.",
        Source.CLIENT,
        f"{_SDK}.list; docstrings of Dashboard",
        "test_lists_are_paged_and_leave_the_content_out",
    ),
    (
        f"GET {ROOT}/{{id}}",
        "Also a trashed one is answered, as TRASHED; one that never was is 404.",
        Source.PROVIDER_SOURCE,
        f"{_PROVIDER}: Read",
        "test_a_trashed_dashboard_is_read_and_nothing_else",
    ),
    (
        f"GET {ROOT}/{{id}}",
        "CAN_READ sees it, CAN_EDIT changes and publishes it, CAN_MANAGE deletes it.",
        Source.DOCUMENTATION,
        'page "Access control lists", section "Dashboard ACLs"',
        "test_others_see_and_change_it_as_its_permissions_say",
    ),
    (
        f"PATCH {ROOT}/{{id}}",
        "Every change gives a new etag; a request that names an old one is refused, one without an etag is not.",
        Source.CLIENT,
        "databricks.sdk.service.dashboards.Dashboard.etag; that the answer is 409 ABORTED is an assumption",
        "test_every_change_gives_a_new_etag_and_an_old_one_is_a_conflict",
    ),
    (
        f"DELETE {ROOT}/{{id}}",
        "To the trash: nothing is published any more; a second time is 403.",
        Source.PROVIDER_SOURCE,
        f"{_PROVIDER}: Delete; {_CLI}: DashboardTrash",
        "test_a_trashed_dashboard_is_read_and_nothing_else",
    ),
    (
        f"POST {ROOT}/{{id}}/published",
        "The draft as it is becomes what all see; changes of the draft do not show until the next publication.",
        Source.CLIENT,
        f"{_SDK}.publish",
        "test_what_is_published_stays_until_it_is_published_again",
    ),
    (
        f"GET {ROOT}/{{id}}/published",
        "Where nothing is published: 404 `Unable to find published dashboard [id]`.",
        Source.CLIENT,
        f"{_CLI}: DashboardGetPublished",
        "test_what_is_published_stays_until_it_is_published_again",
    ),
    (
        f"DELETE {ROOT}/{{id}}/published",
        "Takes the publication away; 404 where there is none.",
        Source.CLIENT,
        f"{_SDK}.unpublish",
        "test_what_is_published_stays_until_it_is_published_again",
    ),
    (
        f"POST {ROOT}/{{id}}/revert",
        "The draft's content becomes what was published last.",
        Source.CLIENT,
        f"{_SDK}.revert",
        "test_what_is_published_stays_until_it_is_published_again",
    ),
    (
        ROOT + "/...",
        "Drafts and publications outlive a killed server.",
        Source.ASSUMPTION,
        "a service loses nothing that it has confirmed",
        "test_dashboards_outlive_a_kill",
    ),
)

BEHAVIOURS: tuple[Behaviour, ...] = tuple(
    Behaviour(path=path, behaviour=behaviour, source=source, reference=reference, test=f"{TESTS}::{test}")
    for path, behaviour, source, reference, test in _TABLE
)
