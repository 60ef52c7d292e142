"""What files do, and why it is believed that Databricks does so (`workspace/parity.py`)."""

from __future__ import annotations

from workspace.parity import Behaviour, Source

_API = "tests/workspace/test_files_api.py::"
_WORKSPACE = "tests/workspace/test_files_workspace.py::"
_FILES = "databricks-sdk 0.156 mixins/files.py"
_PRESIGNED = "mlflow 3.17 store/artifact/presigned_url_artifact_repo.py"
_OBJECTS = "databricks-sdk 0.156 service/workspace.py"
_FILE = "/api/2.0/fs/files/{path}"
_DIRECTORY = "/api/2.0/fs/directories/{path}"


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
        f"PUT {_FILE}",
        "A file is written whole, with its parents; 409 ALREADY_EXISTS where it is there and overwrite is not true.",
        DOCUMENTED,
        "Files API: Upload a file",
        _API + "test_a_file_is_replaced_only_when_asked",
    ),
    _of(
        f"GET/HEAD {_FILE}",
        "A file is read as it was written.",
        CLIENT,
        _FILES,
        _API + "test_what_is_uploaded_is_what_is_downloaded",
    ),
    _of(
        f"DELETE {_FILE}",
        "A file that is not there is NOT_FOUND.",
        CLIENT,
        _PRESIGNED,
        _API + "test_a_path_that_is_not_there_is_not_found",
    ),
    _of(
        f"POST {_FILE}",
        "Large files come in parts, joined in their order; an abandoned upload is gone.",
        CLIENT,
        _FILES,
        _API + "test_an_upload_in_parts_is_joined_in_order",
    ),
    _of(
        f"GET {_DIRECTORY}",
        "A directory is listed page by page, each entry once.",
        CLIENT,
        _FILES,
        _API + "test_a_listing_has_every_entry_once_over_its_pages",
    ),
    _of(
        f"PUT {_DIRECTORY}",
        "A directory is made with its parents; not where a file is.",
        DOCUMENTED,
        "Files API: Create a directory",
        _API + "test_a_file_is_not_put_where_a_directory_is_nor_below_a_file",
    ),
    _of(
        f"HEAD/DELETE {_DIRECTORY}",
        "A directory is deleted only when it is empty (DIRECTORY_NOT_EMPTY).",
        DOCUMENTED,
        "Files API: Delete a directory",
        _API + "test_a_directory_is_deleted_only_when_it_is_empty",
    ),
    _of(
        f"GET/PUT {_FILE}",
        "Catalog, schema and object of a path are not told apart by case.",
        ASSUMED,
        "Unity Catalog stores its names in lower case.",
        _API + "test_names_in_unity_catalog_paths_are_not_told_apart_by_case",
    ),
    _of(
        "POST /api/2.0/fs/create-upload-url",
        "A presigned URL needs no token, for one method on one path.",
        CLIENT,
        _PRESIGNED,
        _API + "test_a_presigned_url_needs_no_token_and_serves_both_ways",
    ),
    _of(
        "POST /api/2.0/fs/create-download-url",
        "A presigned URL expires.",
        CLIENT,
        _PRESIGNED,
        _API + "test_a_presigned_url_expires",
    ),
    _of(
        "POST /api/2.0/fs/create-upload-part-urls",
        "Parts are uploaded by presigned URLs and told by their ETags.",
        CLIENT,
        _FILES,
        _API + "test_an_upload_in_parts_is_joined_in_order",
    ),
    _of(
        "POST /api/2.0/fs/create-abort-upload-url",
        "An upload that was aborted cannot be completed.",
        CLIENT,
        _FILES,
        _API + "test_an_abandoned_upload_in_parts_cannot_be_completed",
    ),
    _of(
        "POST /api/2.0/workspace/import",
        "SOURCE and JUPYTER make notebooks, RAW files; AUTO tells by extension and "
        "header, and drops a notebook's extension.",
        DOCUMENTED,
        "Workspace API: Import a workspace object",
        _WORKSPACE + "test_auto_makes_a_notebook_of_a_source_with_the_header_and_drops_its_extension",
    ),
    _of(
        "POST /api/2.0/workspace/import",
        "What is there is replaced only with overwrite, and keeps its id and type.",
        DOCUMENTED,
        "Workspace API: Import a workspace object",
        _WORKSPACE + "test_an_object_is_replaced_only_when_asked_and_keeps_its_id",
    ),
    _of(
        "POST /api/2.0/workspace/import",
        "A missing folder is refused until it is made; the answer has the object's id.",
        PROVIDER,
        "terraform-provider-databricks workspace/resource_notebook.go",
        _WORKSPACE + "test_an_import_into_a_missing_folder_is_refused_until_it_is_made",
    ),
    _of(
        "POST /api/2.0/workspace/import",
        "Content over 10 MB is MAX_NOTEBOOK_SIZE_EXCEEDED.",
        DOCUMENTED,
        "Workspace API: Import a workspace object",
        _WORKSPACE + "test_content_over_the_limit_is_refused",
    ),
    _of(
        "GET /api/2.0/workspace/export",
        "A notebook is exported as source with its header, or as Jupyter's JSON.",
        DOCUMENTED,
        "Export and import Databricks notebooks",
        _WORKSPACE + "test_a_jupyter_notebook_becomes_source_and_a_source_becomes_jupyter",
    ),
    _of(
        "GET /api/2.0/workspace/get-status",
        "A path is answered in the form in which it was asked for, with or without /Workspace.",
        ASSUMED,
        "Both forms name one object; which one is answered is not documented.",
        _WORKSPACE + "test_the_prefix_workspace_names_the_same_tree",
    ),
    _of(
        "GET /api/2.0/workspace/list",
        "One level is listed; a path that is not there is RESOURCE_DOES_NOT_EXIST.",
        CLIENT,
        _OBJECTS,
        _WORKSPACE + "test_a_listing_is_of_one_level_unless_it_is_recursive",
    ),
    _of(
        "POST /api/2.0/workspace/mkdirs",
        "Directories are made with their parents, as often as asked.",
        CLIENT,
        _OBJECTS,
        _WORKSPACE + "test_an_import_into_a_missing_folder_is_refused_until_it_is_made",
    ),
    _of(
        "POST /api/2.0/workspace/delete",
        "A directory with contents is deleted with recursive only (DIRECTORY_NOT_EMPTY).",
        CLIENT,
        _OBJECTS,
        _WORKSPACE + "test_a_directory_is_deleted_whole_only_when_asked",
    ),
)
