"""What the registry and tracking do, and why it is believed that Databricks does so (`workspace/parity.py`)."""

from __future__ import annotations

from workspace.parity import Behaviour, Source

_REGISTRY = "tests/workspace/test_registry.py::"
_MLFLOW = "tests/workspace/test_registry_mlflow.py::"
_TRACKING = "tests/workspace/test_tracking.py::"
_TRAINING = "tests/workspace/test_mlflow_training.py::"
_LEGACY = "/api/2.0/mlflow/unity-catalog"
_UC = "/api/2.1/unity-catalog"
_STORE = "mlflow 3.17 store/_unity_catalog/registry/rest_store.py"
_NATIVE = "databricks-sdk 0.156 catalog.RegisteredModelsAPI, ModelVersionsAPI; mlflow 3.17 uc_native"
_REST = "mlflow 3.17 store/tracking/rest_store.py"


def _of(path: str, behaviour: str, source: Source, reference: str, test: str) -> Behaviour:
    return Behaviour(path=path, behaviour=behaviour, source=source, reference=reference, test=test)


DOCUMENTED, CLIENT, PROVIDER, ASSUMED = (
    Source.DOCUMENTATION,
    Source.CLIENT,
    Source.PROVIDER_SOURCE,
    Source.ASSUMPTION,
)

BEHAVIOURS: tuple[Behaviour, ...] = (
    _of(
        f"{_LEGACY}/registered-models/...",
        "A model is one in both dialects and in the SDK's; its name has three parts.",
        CLIENT,
        _STORE,
        _REGISTRY + "test_a_model_is_the_same_in_every_dialect",
    ),
    _of(
        f"{_LEGACY}/registered-models:is-databricks-sdk-models-artifact-repository-enabled",
        "mlflow is told to use presigned URLs, and can use the Files API.",
        CLIENT,
        _STORE,
        _MLFLOW + "test_models_travel_by_the_files_api_too",
    ),
    _of(
        f"{_LEGACY}/model-versions/...",
        "A version is pending until its files are there and it is finalized.",
        CLIENT,
        _STORE,
        _REGISTRY + "test_a_version_is_pending_until_its_files_are_there_and_it_is_finalized",
    ),
    _of(
        f"POST {_LEGACY}/model-versions/finalize",
        "A version without a signature fails.",
        DOCUMENTED,
        "Manage model lifecycle in Unity Catalog: signature required",
        _REGISTRY + "test_a_version_that_is_no_model_with_a_signature_fails",
    ),
    _of(
        f"POST {_LEGACY}/model-versions/create",
        "A version is copied to a model of another catalog, with files of its own.",
        CLIENT,
        "mlflow 3.17 MlflowClient.copy_model_version",
        _TRAINING + "test_a_model_is_promoted_by_copy_to_another_catalog",
    ),
    _of(
        f"POST/GET/DELETE {_LEGACY}/registered-models/alias",
        "An alias is not told apart by case; one that is missing is named, with one error code in both dialects.",
        DOCUMENTED,
        "Model aliases in Unity Catalog",
        _REGISTRY + "test_an_alias_is_one_whichever_client_moves_it_and_however_it_is_spelt",
    ),
    _of(
        f"PUT {_UC}/models/{{full_name}}/aliases/{{alias}}",
        "Reserved and malformed aliases are refused.",
        CLIENT,
        "mlflow 3.17 utils/validation.py (latest, v<number>)",
        _REGISTRY + "test_reserved_and_malformed_aliases_are_refused",
    ),
    _of(
        f"GET/DELETE {_UC}/models/{{full_name}}/aliases/{{alias}}",
        "An alias that is not there is RESOURCE_DOES_NOT_EXIST.",
        CLIENT,
        _NATIVE,
        _REGISTRY + "test_what_is_missing_is_named_with_one_error_code_in_both_dialects",
    ),
    _of(
        f"POST/PATCH {_UC}/models/...",
        "`aliases` in the body of a model has no effect.",
        PROVIDER,
        "facts of the provider: RegisteredModel.aliases is dropped silently",
        _REGISTRY + "test_aliases_in_a_body_have_no_effect",
    ),
    _of(
        f"POST {_UC}/models",
        "A name is taken once, whatever its case; its schema must be there.",
        CLIENT,
        _NATIVE,
        _REGISTRY + "test_a_name_is_taken_once_whatever_its_case",
    ),
    _of(
        f"GET {_UC}/models",
        "Models are listed by schema, page by page.",
        CLIENT,
        _NATIVE,
        _REGISTRY + "test_models_are_listed_by_schema_page_by_page",
    ),
    _of(
        f"GET {_UC}/models/...",
        "Aliases are shown with include_aliases only.",
        CLIENT,
        _NATIVE,
        _REGISTRY + "test_aliases_are_shown_only_on_request",
    ),
    _of(
        f"DELETE {_UC}/models/...",
        "A deleted version takes its aliases along, and its number never returns.",
        DOCUMENTED,
        "Manage model lifecycle in Unity Catalog",
        _REGISTRY + "test_a_deleted_version_takes_its_aliases_along_and_its_number_never_returns",
    ),
    _of(
        f"PATCH {_UC}/models/{{full_name}}/versions/{{version}}/finalize",
        "The files of a READY version do not change.",
        DOCUMENTED,
        "Manage model lifecycle in Unity Catalog",
        _REGISTRY + "test_the_files_of_a_ready_version_do_not_change",
    ),
    _of(
        f"POST {_UC}/temporary-model-version-credentials",
        "Credentials lead to the Files API, by which models travel.",
        ASSUMED,
        "There is no cloud storage to give credentials for.",
        _MLFLOW + "test_models_travel_by_the_files_api_too",
    ),
    _of(
        f"PATCH {_UC}/securable-tags/FUNCTION/{{full_name}}",
        "Tags are the same in both dialects.",
        CLIENT,
        _NATIVE,
        _REGISTRY + "test_tags_are_the_same_in_both_dialects",
    ),
    _of(
        f"PATCH {_UC}/subentity-tags/FUNCTION/{{full_name}}/{{version}}",
        "A tag that is set again has the newer value.",
        CLIENT,
        _NATIVE,
        _REGISTRY + "test_a_tag_that_is_set_again_has_the_newer_value",
    ),
    _of(
        "/api/2.0/mlflow/experiments/...",
        "An experiment has an absolute path that is its own; it is found, changed, deleted.",
        DOCUMENTED,
        "Organize training runs with MLflow experiments",
        _TRACKING + "test_an_experiment_is_found_by_name_changed_and_deleted",
    ),
    _of(
        "POST /api/2.0/mlflow/experiments/create",
        "There is no default experiment.",
        DOCUMENTED,
        "Organize training runs with MLflow experiments",
        _TRACKING + "test_there_is_no_experiment_that_nobody_chose",
    ),
    _of(
        "/api/2.0/mlflow/runs/...",
        "A run keeps parameters, metrics by step, tags, data and models, and how it ended.",
        CLIENT,
        _REST,
        _TRACKING + "test_a_run_keeps_what_is_logged_to_it",
    ),
    _of(
        "POST /api/2.0/mlflow/runs/search",
        "Runs are found by metrics, parameters and tags; deleted ones are not.",
        CLIENT,
        _REST,
        _TRAINING + "test_a_run_is_found_by_what_it_logged",
    ),
    _of(
        "POST /api/2.0/mlflow/runs/log-parameter",
        "A parameter is logged once.",
        CLIENT,
        _REST,
        _TRACKING + "test_a_parameter_is_logged_once",
    ),
    _of(
        "GET /api/2.0/mlflow/metrics/get-history",
        "A metric has its history by step.",
        CLIENT,
        _REST,
        _TRAINING + "test_a_run_is_found_by_what_it_logged",
    ),
    _of(
        "GET /api/2.0/mlflow/artifacts/list",
        "Artifacts of runs go through the Files API and come back.",
        CLIENT,
        "mlflow 3.17 store/artifact/dbfs_artifact_repo.py, databricks_artifact_repo.py",
        _TRACKING + "test_artifacts_go_through_the_files_api_and_come_back",
    ),
    _of(
        "/api/2.0/mlflow/logged-models/...",
        "A logged model is created, finalized, found, tagged and deleted.",
        CLIENT,
        _REST,
        _TRACKING + "test_a_logged_model_is_created_finalized_found_and_deleted",
    ),
    _of(
        "GET /api/2.0/mlflow/runs/get",
        "What is missing is RESOURCE_DOES_NOT_EXIST.",
        CLIENT,
        _REST,
        _TRACKING + "test_what_is_missing_is_a_missing_resource",
    ),
)
