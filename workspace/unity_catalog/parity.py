"""Why Unity Catalog behaves as it does (workspace/parity.py)."""

from __future__ import annotations

from workspace.parity import Behaviour, Source

_SDK = "databricks-sdk 0.156 `catalog"
_PRIVILEGES_PAGE = "page 'Unity Catalog privileges and securable objects'"
_BASE = "/api/2.1/unity-catalog"
_TESTS = "tests/workspace/test_unity_catalog.py::"
_GRANTS = "tests/workspace/test_unity_catalog_grants.py::"
_PRIVILEGES = "tests/workspace/test_unity_catalog_privileges.py::"
_OBJECTS = "tests/workspace/test_unity_catalog_objects.py::"


def _of(path: str, behaviour: str, source: Source, reference: str, test: str) -> Behaviour:
    return Behaviour(path=path, behaviour=behaviour, source=source, reference=reference, test=test)


BEHAVIOURS: tuple[Behaviour, ...] = (
    _of(
        f"{_BASE}/catalogs/...",
        "A catalog comes with a schema `default`, which may be deleted (the provider does).",
        Source.PROVIDER_SOURCE,
        "terraform-provider-databricks `catalog/resource_catalog.go`",
        f"{_TESTS}test_a_catalog_comes_with_a_default_schema_that_may_be_deleted",
    ),
    _of(
        f"{_BASE}/catalogs/...",
        "One that is not empty goes by force only, with all that is in it.",
        Source.CLIENT,
        f"{_SDK}.CatalogsAPI.delete`",
        f"{_TESTS}test_a_catalog_with_a_schema_is_deleted_by_force_only",
    ),
    _of(
        f"{_BASE}/catalogs/...",
        "A list shows the catalogs that the caller owns or may use.",
        Source.DOCUMENTATION,
        f"{_SDK}.CatalogsAPI.list`",
        f"{_PRIVILEGES}test_lists_show_what_their_reader_may_see",
    ),
    _of(
        f"{_BASE}/catalogs/...",
        "CREATE CATALOG on the metastore makes, ownership or MANAGE changes and deletes.",
        Source.DOCUMENTATION,
        f"{_SDK}.CatalogsAPI`, {_PRIVILEGES_PAGE}",
        f"{_PRIVILEGES}test_containers_are_changed_and_dropped_by_their_owner_only",
    ),
    _of(
        f"{_BASE}/schemas/...",
        "Names do not tell cases apart; missing ones are 404 naming catalog or schema.",
        Source.DOCUMENTATION,
        "page 'Names' of the SQL language manual",
        f"{_TESTS}test_what_is_missing_is_named",
    ),
    _of(
        f"{_BASE}/schemas/...",
        "'Schema x is not empty. The schema has n tables(s), n functions(s), n volumes(s)'.",
        Source.CLIENT,
        "seen in answers of a workspace; models count among the functions",
        f"{_TESTS}test_a_schema_with_a_table_is_deleted_by_force_only_and_the_table_with_it",
    ),
    _of(
        f"GET {_BASE}/tables/{{full_name}}",
        "Columns with types, constraints, properties, owner, ids.",
        Source.CLIENT,
        f"{_SDK}.TableInfo`",
        f"{_TESTS}test_a_table_reads_back_in_full",
    ),
    _of(
        f"GET {_BASE}/tables/{{full_name}}",
        "SELECT, BROWSE, ownership of the table or of what is above it reads about a table.",
        Source.DOCUMENTATION,
        f"{_SDK}.TablesAPI.get`",
        f"{_PRIVILEGES}test_lists_show_what_their_reader_may_see",
    ),
    _of(
        f"GET {_BASE}/tables",
        "max_results and page_token page; omit_columns and omit_properties leave out.",
        Source.CLIENT,
        f"{_SDK}.TablesAPI.list`",
        f"{_TESTS}test_listing_tables_goes_page_by_page",
    ),
    _of(
        f"GET {_BASE}/tables/{{full_name}}/exists",
        "`table_exists`.",
        Source.CLIENT,
        f"{_SDK}.TableExistsResponse`",
        f"{_TESTS}test_exists_and_delete",
    ),
    _of(
        f"PATCH {_BASE}/tables/{{full_name}}",
        "Only the owner of a table is changed here.",
        Source.DOCUMENTATION,
        f"{_SDK}.TablesAPI.update`",
        f"{_PRIVILEGES}test_containers_are_changed_and_dropped_by_their_owner_only",
    ),
    _of(
        f"DELETE {_BASE}/tables/{{full_name}}",
        "Ownership or MANAGE; what is made anew under the name has another id and no grants.",
        Source.DOCUMENTATION,
        f"{_SDK}.TablesAPI.delete`",
        f"{_TESTS}test_a_table_made_anew_has_another_id",
    ),
    _of(
        f"GET {_BASE}/table-summaries",
        "Names by LIKE patterns, those that the caller may see.",
        Source.DOCUMENTATION,
        f"{_SDK}.TablesAPI.list_summaries`",
        f"{_PRIVILEGES}test_lists_show_what_their_reader_may_see",
    ),
    _of(
        f"POST {_BASE}/constraints",
        "Primary keys, with a timeseries column, and foreign keys to them; nothing checks rows against them.",
        Source.DOCUMENTATION,
        f"{_SDK}.TableConstraintsAPI`; page 'Declare constraints'",
        f"{_OBJECTS}test_keys_are_declared_shown_and_dropped",
    ),
    _of(
        f"DELETE {_BASE}/constraints/{{full_name}}",
        "A primary key that is referred to goes with cascade only.",
        Source.DOCUMENTATION,
        f"{_SDK}.TableConstraintsAPI.delete`",
        f"{_OBJECTS}test_keys_are_declared_shown_and_dropped",
    ),
    _of(
        f"{_BASE}/volumes/...",
        "Managed volumes, their files below /Volumes; a new name takes files and grants along.",
        Source.PROVIDER_SOURCE,
        "terraform-provider-databricks `catalog/resource_volume.go` (new_name)",
        f"{_OBJECTS}test_a_volume_reads_back_holds_files_and_takes_them_along",
    ),
    _of(
        f"{_BASE}/volumes/...",
        "External volumes are refused: there is no cloud storage.",
        Source.ASSUMPTION,
        "the embedded workspace's own limit",
        f"{_OBJECTS}test_a_volume_is_refused_where_it_cannot_be",
    ),
    _of(
        f"{_BASE}/entity-tag-assignments/...",
        "Tags of catalogs, schemas, tables, columns and volumes; APPLY TAG sets them; they go with their entity.",
        Source.DOCUMENTATION,
        f"{_SDK}.EntityTagAssignmentsAPI`; page 'Apply tags to Unity Catalog securable objects'",
        f"{_OBJECTS}test_tags_are_set_changed_listed_and_removed",
    ),
    _of(
        f"{_BASE}/permissions/{{securable_type}}/{{full_name}}",
        "Changes add and remove by principal, all or none; privileges that do not apply are 400.",
        Source.PROVIDER_SOURCE,
        "terraform-provider-databricks `catalog/permissions`",
        f"{_GRANTS}test_one_change_that_is_refused_leaves_the_others_out",
    ),
    _of(
        f"GET/PATCH {_BASE}/permissions/{{securable_type}}/{{full_name}}",
        "Models are granted on as `function`.",
        Source.PROVIDER_SOURCE,
        "terraform-provider-databricks `catalog/permissions` (model: function)",
        f"{_GRANTS}test_models_are_granted_on_as_functions",
    ),
    _of(
        f"PATCH {_BASE}/permissions/{{securable_type}}/{{full_name}}",
        "The workspace's groups `users` and `admins` are no principals: PRINCIPAL_DOES_NOT_EXIST.",
        Source.CLIENT,
        "seen in answers of workspaces: 'Could not find principal with name users'",
        f"{_PRIVILEGES}test_groups_of_the_workspace_are_no_principals_of_the_catalog",
    ),
    _of(
        f"PATCH {_BASE}/permissions/{{securable_type}}/{{full_name}}",
        "Any other name that the directory does not have is taken for one of the account's.",
        Source.ASSUMPTION,
        "the service refuses unknown names; the embedded workspace has no account to look them up in",
        f"{_GRANTS}test_privileges_are_added_and_removed_by_principal",
    ),
    _of(
        f"GET {_BASE}/permissions/{{securable_type}}/{{full_name}}",
        "Those who may not manage an object see their own grants on it.",
        Source.DOCUMENTATION,
        "page 'SHOW GRANTS'",
        f"{_PRIVILEGES}test_grants_are_shown_whole_to_managers_and_to_others_their_own",
    ),
    _of(
        f"GET {_BASE}/effective-permissions/{{securable_type}}/{{full_name}}",
        "Direct and inherited privileges; an inherited one names where it comes from.",
        Source.CLIENT,
        f"{_SDK}.EffectivePrivilege`",
        f"{_GRANTS}test_effective_permissions_name_where_they_come_from",
    ),
    _of(
        f"GET {_BASE}/privilege-assignments/{{securable_type}}/{{full_name}}",
        "The paged form; a page size below 150 is 400.",
        Source.CLIENT,
        f"{_SDK}.GrantsAPI.list`",
        f"{_PRIVILEGES}test_grants_are_shown_whole_to_managers_and_to_others_their_own",
    ),
    _of(
        f"GET {_BASE}/effective-privilege-assignments/{{securable_type}}/{{full_name}}",
        "The paged form, as `effective_privilege_assignments`.",
        Source.CLIENT,
        f"{_SDK}.GrantsAPI.list_effective`",
        f"{_PRIVILEGES}test_grants_are_shown_whole_to_managers_and_to_others_their_own",
    ),
    _of(
        f"GET {_BASE}/tables/{{full_name}}",
        "403 'User does not have USE CATALOG on Catalog x.', with details of domain unity-catalog.databricks.com.",
        Source.CLIENT,
        "seen in answers of a workspace: Azure/spark-cdm-connector issue 149",
        f"{_PRIVILEGES}test_a_refusal_carries_the_details_that_the_service_sends",
    ),
    _of(
        "POST /api/2.0/sql/statements",
        "USE CATALOG, USE SCHEMA, then the privilege itself; '[INSUFFICIENT_PERMISSIONS] ... SQLSTATE: 42501'.",
        Source.DOCUMENTATION,
        f"{_PRIVILEGES_PAGE}; error class INSUFFICIENT_PERMISSIONS",
        f"{_PRIVILEGES}test_each_missing_privilege_on_the_way_is_named_in_turn",
    ),
    _of(
        "POST /api/2.0/sql/statements",
        "GRANT, REVOKE and SHOW GRANTS on catalogs, schemas, tables, views, volumes, functions and the metastore.",
        Source.DOCUMENTATION,
        "pages 'GRANT', 'REVOKE', 'SHOW GRANTS'",
        f"{_GRANTS}test_sql_grants_shows_and_revokes",
    ),
    _of(
        "POST /api/2.0/sql/statements",
        "Grants on a container hold for what is in it, also for what comes later.",
        Source.DOCUMENTATION,
        _PRIVILEGES_PAGE,
        f"{_PRIVILEGES}test_a_grant_on_a_container_holds_for_what_is_in_it_and_comes_later",
    ),
    _of(
        "POST /api/2.0/sql/statements",
        "ALL PRIVILEGES is everything but MANAGE and EXTERNAL USE SCHEMA.",
        Source.DOCUMENTATION,
        _PRIVILEGES_PAGE,
        f"{_PRIVILEGES}test_all_privileges_is_everything_but_manage",
    ),
    _of(
        "POST /api/2.0/sql/statements",
        "Owners have every privilege on what is theirs; the metastore's admin manages all and reads none of it.",
        Source.DOCUMENTATION,
        "page 'Manage Unity Catalog object ownership'",
        f"{_PRIVILEGES}test_what_somebody_makes_is_his_also_against_the_metastore_s_admin",
    ),
    _of(
        "POST /api/2.0/sql/statements",
        "MODIFY adds rows; UPDATE, DELETE and MERGE need SELECT as well; DROP and constraints need MANAGE.",
        Source.DOCUMENTATION,
        f"{_PRIVILEGES_PAGE}; page 'ALTER TABLE'",
        f"{_PRIVILEGES}test_a_reader_changes_nothing",
    ),
    _of(
        "POST /api/2.0/sql/statements",
        "A view is read with SELECT on the view; that its owner still has the tables below is not checked again.",
        Source.ASSUMPTION,
        "the service checks the owner's privileges, too, each time",
        f"{_PRIVILEGES}test_a_view_shows_what_its_reader_may_not_read_directly",
    ),
    _of(
        "GET /api/2.0/sql/statements/{id}",
        "A statement is seen by whoever sent it, 404 to others.",
        Source.ASSUMPTION,
        "the page says that results are for the user who ran the statement",
        f"{_PRIVILEGES}test_nobody_sees_the_statements_of_others",
    ),
    _of(
        f"GET {_BASE}/functions/{{name}}",
        "Functions that users define are called with EXECUTE, dropped with MANAGE.",
        Source.DOCUMENTATION,
        _PRIVILEGES_PAGE,
        f"{_OBJECTS}test_a_function_is_called_by_those_who_may_execute_it",
    ),
    _of(
        f"POST {_BASE}/temporary-table-credentials",
        "READ needs SELECT on the table, READ_WRITE MODIFY too; the answer has the table's address and a time.",
        Source.CLIENT,
        f"{_SDK}.TemporaryTableCredentialsAPI`",
        f"{_OBJECTS}test_credentials_for_a_table_are_for_those_who_may_read_or_write_it",
    ),
    _of(
        "POST /api/2.0/unity-catalog/temporary-table-credentials",
        "Storage is a folder of this machine, so that no cloud's credentials come along; EXTERNAL USE SCHEMA, which "
        "engines from outside need, is not asked for: who asks is Spark on this machine, which stands for a cluster.",
        Source.ASSUMPTION,
        "a cluster gets its credentials without that privilege",
        f"{_OBJECTS}test_credentials_for_a_table_are_for_those_who_may_read_or_write_it",
    ),
    _of(
        f"GET {_BASE}/current-metastore-assignment",
        "One metastore, `main` as its default catalog.",
        Source.CLIENT,
        f"{_SDK}.MetastoresAPI.current`",
        f"{_TESTS}test_a_fresh_workspace_has_the_main_catalog",
    ),
    _of(
        f"GET {_BASE}/current-metastore-assignment",
        "Nobody but its owner has privileges on `main` from the start.",
        Source.ASSUMPTION,
        "workspaces differ in what their first catalog gives to all users",
        f"{_PRIVILEGES}test_each_missing_privilege_on_the_way_is_named_in_turn",
    ),
    _of(
        f"GET {_BASE}/metastore_summary",
        "The metastore's id, owned by the workspace's owner.",
        Source.CLIENT,
        f"{_SDK}.MetastoresAPI.summary`",
        f"{_TESTS}test_the_metastore_is_one_and_the_same",
    ),
)
