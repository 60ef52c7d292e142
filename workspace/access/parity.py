"""Why object permissions behave as they do (workspace/parity.py)."""

from __future__ import annotations

from workspace.parity import Behaviour, Source

_ACLS = "page 'Access control lists'"
_PROVIDER = "terraform-provider-databricks `permissions/permission_definitions.go`"
_PATH = "/api/2.0/permissions"
_TESTS = "tests/workspace/test_access.py::"
_SERVING = "tests/workspace/test_access_serving.py::"
_DATA = "tests/workspace/test_access_data.py::"
_ENFORCED = "tests/workspace/test_access_enforcement.py::"


def _of(path: str, behaviour: str, source: Source, reference: str, test: str) -> Behaviour:
    return Behaviour(path=path, behaviour=behaviour, source=source, reference=reference, test=test)


BEHAVIOURS: tuple[Behaviour, ...] = (
    _of(
        f"{_PATH}/...",
        "`object_type` is the string that the provider compares; old paths of warehouses and queries work, too.",
        Source.PROVIDER_SOURCE,
        _PROVIDER,
        f"{_TESTS}test_the_object_type_is_the_string_that_the_provider_compares",
    ),
    _of(
        f"{_PATH}/...",
        "PUT replaces all direct permissions, PATCH those of the principals it names; admins inherit CAN_MANAGE.",
        Source.PROVIDER_SOURCE,
        _PROVIDER,
        f"{_TESTS}test_put_replaces_what_was_there_and_patch_only_whom_it_names",
    ),
    _of(
        f"{_PATH}/...",
        "Reading and changing permissions needs CAN_MANAGE on the object.",
        Source.CLIENT,
        "databricks/cli `libs/testserver/jobs.go` for jobs; assumed to be alike for the others",
        f"{_SERVING}test_an_endpoint_is_seen_queried_and_managed_by_level",
    ),
    _of(
        f"{_PATH}/jobs/{{object_id}}",
        "Exactly one owner.",
        Source.PROVIDER_SOURCE,
        "databricks/cli issue 3849 ('The job must have exactly one owner')",
        f"{_TESTS}test_a_job_has_exactly_one_owner",
    ),
    _of(
        f"{_PATH}/serving-endpoints/{{object_id}}",
        "An endpoint is named by its id, never by its name.",
        Source.PROVIDER_SOURCE,
        f"{_PROVIDER}; the service refuses names (mondoohq/mql pull request 9770)",
        f"{_TESTS}test_an_endpoint_name_is_not_an_endpoint_id",
    ),
    _of(
        f"{_PATH}/...",
        "Names of principals are taken as they come: one that the directory does not have is one of the account's.",
        Source.ASSUMPTION,
        "the service refuses unknown names; the embedded workspace has no account to look them up in",
        f"{_TESTS}test_put_replaces_what_was_there_and_patch_only_whom_it_names",
    ),
    _of(
        f"{_PATH}/sql/warehouses/{{object_id}}",
        "All users may use the workspace's first warehouse until its permissions are set.",
        Source.ASSUMPTION,
        "what the starter warehouse gives is not published",
        f"{_ENFORCED}test_a_warehouse_is_used_by_those_who_may",
    ),
    _of(
        "GET /api/2.0/serving-endpoints/{name}",
        "Without CAN_VIEW: 403 \"User does not have permission 'View' on Endpoint x\"; `permission_level` is the "
        "caller's.",
        Source.CLIENT,
        "seen in answers of a workspace: databricks-demos/dbdemos issue 218",
        f"{_SERVING}test_an_endpoint_is_seen_queried_and_managed_by_level",
    ),
    _of(
        "POST /serving-endpoints/{name}/invocations",
        "CAN_QUERY is needed, on the direct and the OpenAI paths, too.",
        Source.DOCUMENTATION,
        f"{_ACLS}, section 'Serving endpoint ACLs'; the words are those of 'View'",
        f"{_SERVING}test_the_direct_and_the_openai_paths_ask_for_the_same_right",
    ),
    _of(
        "POST /api/2.0/serving-endpoints",
        "The endpoint's creator needs EXECUTE on what it serves and READ on its secrets, whoever changes it.",
        Source.DOCUMENTATION,
        "pages 'Create custom model serving endpoints', 'Configure access to resources from model serving endpoints'",
        f"{_SERVING}test_who_makes_an_endpoint_needs_execute_on_its_model_and_read_on_its_secrets",
    ),
    _of(
        "POST /api/2.0/serving-endpoints",
        "A secret that is not there fails the deployment; it is not refused at once.",
        Source.ASSUMPTION,
        "what the service does is not published",
        "tests/workspace/test_serving_updates.py::test_secret_reaches_the_model_and_nobody_else_and_a_missing_one_fails_the_deployment",
    ),
    _of(
        "POST /api/2.0/serving-endpoints",
        "An inference table needs CREATE TABLE in its schema.",
        Source.DOCUMENTATION,
        "page 'Enable inference tables'",
        f"{_SERVING}test_an_inference_table_needs_create_table_in_its_schema",
    ),
    _of(
        "GET /api/2.1/unity-catalog/models/{full_name}",
        "Models are securables of type FUNCTION: EXECUTE reads, MANAGE changes, APPLY TAG tags, in both dialects.",
        Source.DOCUMENTATION,
        "docstrings of databricks-sdk 0.156 `catalog.RegisteredModelsAPI`; words seen: 'Routine or Model'",
        f"{_DATA}test_a_model_is_made_read_and_changed_by_privilege_in_both_dialects",
    ),
    _of(
        "POST /api/2.1/unity-catalog/models/versions",
        "CREATE MODEL VERSION adds versions and their files.",
        Source.DOCUMENTATION,
        "page 'Manage model lifecycle in Unity Catalog'",
        f"{_DATA}test_versions_are_added_by_those_who_may_and_their_files_with_them",
    ),
    _of(
        "PATCH /api/2.1/unity-catalog/models/{full_name}",
        "`aliases` in bodies of POST and PATCH are ignored.",
        Source.PROVIDER_SOURCE,
        "terraform-provider-databricks pull request 5448, databricks/cli issue 4012",
        f"{_DATA}test_aliases_in_bodies_are_ignored",
    ),
    _of(
        "GET /api/2.0/fs/files/{path:path}",
        "Files of volumes need READ VOLUME and WRITE VOLUME, those of models the model's privileges.",
        Source.DOCUMENTATION,
        "page 'What are Unity Catalog volumes?'",
        f"{_DATA}test_files_of_a_volume_are_read_and_written_by_privilege",
    ),
    _of(
        "POST /api/2.0/feature-store/tables/{source}/publish",
        "SELECT on the source, CREATE TABLE where the copy goes.",
        Source.ASSUMPTION,
        "the page names the privileges on the source; those on the copy are what any new table needs",
        f"{_DATA}test_publishing_needs_the_source_and_a_place_for_the_copy",
    ),
    _of(
        "GET /api/2.0/mlflow/experiments/get",
        "\"User x does not have permission to 'View' experiment with id n\"; runs, models and artifacts are their "
        "experiment's.",
        Source.DOCUMENTATION,
        "knowledge base: 'PERMISSION_DENIED error when accessing MLflow experiment artifacts'",
        f"{_ENFORCED}test_an_experiment_is_its_maker_s_and_others_need_its_permissions",
    ),
    _of(
        "GET /api/2.2/jobs/get",
        "'User x does not have View or Admin or Manage Run or Owner permissions on job n'.",
        Source.CLIENT,
        "databricks/cli `libs/testserver/jobs.go`; the words for Manage Run are assumed",
        f"{_ENFORCED}test_a_job_is_seen_run_and_changed_by_level",
    ),
    _of(
        "POST /api/2.2/jobs/create",
        "Who is no admin gives a job no other identity than his own.",
        Source.ASSUMPTION,
        "the role 'user' of service principals is not kept",
        f"{_ENFORCED}test_nobody_but_admins_lets_a_job_run_as_somebody_else",
    ),
    _of(
        "GET /api/2.0/sql/queries/{id}",
        "CAN_VIEW, CAN_EDIT, CAN_MANAGE; lists show what the caller may view.",
        Source.DOCUMENTATION,
        f"{_ACLS}, section 'Query ACLs'; the words of the refusal are assumed",
        f"{_ENFORCED}test_a_saved_query_is_its_maker_s_and_others_need_its_permissions",
    ),
    _of(
        "POST /api/2.0/sql/statements",
        "CAN_USE on the warehouse.",
        Source.DOCUMENTATION,
        f"{_ACLS}, section 'SQL warehouse ACLs'; the words of the refusal are assumed",
        f"{_ENFORCED}test_a_warehouse_is_used_by_those_who_may",
    ),
    _of(
        "/_workspace/...",
        "The workspace's own paths are for admins; a path without a rule is 501 to all others.",
        Source.ASSUMPTION,
        "the embedded workspace's own paths, and its own refusal",
        f"{_ENFORCED}test_a_path_without_a_rule_is_refused_to_all_but_admins",
    ),
)
