"""The registry as mlflow's client speaks it by default: `/api/2.0/mlflow/unity-catalog/...`.

Versions are strings here, and objects come wrapped (`{"model_version": {...}}`). Source of the shapes: mlflow's
`databricks_uc_registry_messages.proto`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from starlette.routing import BaseRoute

from workspace.errors import invalid, not_implemented
from workspace.http import Call, Json, api
from workspace.mlflow_api.credentials import temporary_credentials
from workspace.mlflow_api.entities import ModelVersion, RegisteredModel, tags_of
from workspace.mlflow_api.names import ModelName, parse_alias, parse_version
from workspace.mlflow_api.native import position
from workspace.mlflow_api.registry import Registry, page_limit

UC = "/api/2.0/mlflow/unity-catalog"
MODELS = UC + "/registered-models"
VERSIONS = UC + "/model-versions"
_FILTER = re.compile(r"""\s*(name|run_id)\s*=\s*(['"])([^'"]*)\2\s*""")


class LegacyDialect:
    """Routes over a `Registry`; `require_schema` raises ApiError 404 for a schema that is not there."""

    def __init__(self, registry: Registry, require_schema: Callable[[str, str], object]) -> None:
        self._registry = registry
        self._require_schema = require_schema

    def routes(self) -> list[BaseRoute]:
        return [
            api("POST", MODELS + "/create", self._create_model),
            api("PATCH", MODELS + "/update", self._update_model),
            api("DELETE", MODELS + "/delete", self._delete_model),
            api("GET", MODELS + "/get", self._get_model),
            api("GET", MODELS + "/search", self._search_models),
            api("POST", MODELS + "/alias", self._set_alias),
            api("DELETE", MODELS + "/alias", self._delete_alias),
            api("GET", MODELS + "/alias", self._get_by_alias),
            api("POST", MODELS + "/set-tag", self._set_model_tag),
            api("DELETE", MODELS + "/delete-tag", self._delete_model_tag),
            api("GET", MODELS + ":is-databricks-sdk-models-artifact-repository-enabled", self._artifact_way),
            api("POST", VERSIONS + "/create", self._create_version),
            api("PATCH", VERSIONS + "/update", self._update_version),
            api("DELETE", VERSIONS + "/delete", self._delete_version),
            api("GET", VERSIONS + "/get", self._get_version),
            api("GET", VERSIONS + "/search", self._search_versions),
            api("POST", VERSIONS + "/generate-temporary-credentials", self._credentials),
            api("GET", VERSIONS + "/get-download-uri", self._download_uri),
            api("POST", VERSIONS + "/finalize", self._finalize_version),
            api("POST", VERSIONS + "/set-tag", self._set_version_tag),
            api("DELETE", VERSIONS + "/delete-tag", self._delete_version_tag),
            api("POST", VERSIONS + "/emit-lineage", self._emit_lineage),
        ]

    # --- models ------------------------------------------------------------------------------------------------------

    def _create_model(self, call: Call) -> Json:
        name = _name(call)
        self._require_schema(name.catalog, name.schema)
        model = self._registry.create_model(
            name,
            comment=str(call.body.get("description") or ""),
            tags=tags_of(call.body.get("tags")),
            deployment_job_id=str(call.body.get("deployment_job_id") or ""),
            by=call.caller.user_name,
        )
        return {"registered_model": _model(model)}

    def _update_model(self, call: Call) -> Json:
        if call.body.get("new_name"):
            raise not_implemented("PATCH", f"{MODELS}/update with new_name")
        fields = {"description": "comment", "deployment_job_id": "deployment_job_id"}
        changes = {ours: str(call.body[theirs]) for theirs, ours in fields.items() if call.body.get(theirs) is not None}
        return {
            "registered_model": _model(self._registry.update_model(_name(call), by=call.caller.user_name, **changes))
        }

    def _delete_model(self, call: Call) -> Json:
        self._registry.delete_model(_name(call))
        return {}

    def _get_model(self, call: Call) -> Json:
        return {"registered_model": _model(self._registry.model(_name(call)))}

    def _search_models(self, call: Call) -> Json:
        if call.query.get("filter"):
            raise invalid("Searching registered models in the Unity Catalog does not support a filter")
        limit = page_limit(call.query.get("max_results"))
        models, after = self._registry.models(
            catalog=None, schema=None, limit=limit, after=call.query.get("page_token", "")
        )
        return {"registered_models": [_model(model) for model in models], **_next_page(after)}

    def _set_model_tag(self, call: Call) -> Json:
        (key,) = call.require("key")
        tag = {str(key): str(call.body.get("value") or "")}
        self._registry.tag_model(_name(call), add=tag, remove=(), by=call.caller.user_name)
        return {}

    def _delete_model_tag(self, call: Call) -> Json:
        self._registry.tag_model(_name(call), add={}, remove=[_field(call, "key")], by=call.caller.user_name)
        return {}

    # --- versions ----------------------------------------------------------------------------------------------------

    def _create_version(self, call: Call) -> Json:
        (source,) = call.require("source")
        version = self._registry.create_version(
            _name(call),
            source=str(source),
            run_id=str(call.body.get("run_id") or ""),
            comment=str(call.body.get("description") or ""),
            tags=tags_of(call.body.get("tags")),
            by=call.caller.user_name,
            run_workspace_id=str(call.body.get("run_tracking_server_id") or ""),
            model_id=str(call.body.get("model_id") or ""),
            dependencies=_dependencies(call.body.get("model_version_dependencies")),
        )
        return {"model_version": _version_body(version)}

    def _credentials(self, call: Call) -> Json:
        writes = call.body.get("operation") == "MODEL_VERSION_OPERATION_READ_WRITE"
        return {"credentials": temporary_credentials(self._registry, _name(call), _version(call), writes=writes)}

    def _finalize_version(self, call: Call) -> Json:
        version = self._registry.finalize_version(_name(call), _version(call), by=call.caller.user_name)
        return {"model_version": _version_body(version)}

    def _get_version(self, call: Call) -> Json:
        return {"model_version": _version_body(self._registry.version(_name(call), _version(call)))}

    def _download_uri(self, call: Call) -> Json:
        return {"artifact_uri": self._registry.version(_name(call), _version(call)).storage_location}

    def _search_versions(self, call: Call) -> Json:
        given = call.query.get("filter", "")
        parsed = _FILTER.fullmatch(given)
        if parsed is None:
            raise invalid(
                f"Unsupported filter query: {given!r}. Please specify your filter parameter in the format "
                "`name = 'catalog_name.schema_name.model_name'` or `run_id = '...'`."
            )
        field, value = parsed[1], parsed[3]
        versions, after = self._registry.versions(
            name=ModelName.parse(value) if field == "name" else None,
            run_id=value if field == "run_id" else None,
            limit=page_limit(call.query.get("max_results")),
            after=position(call),
        )
        return {"model_versions": [_version_body(version) for version in versions], **_next_page(after)}

    def _update_version(self, call: Call) -> Json:
        comment = call.body.get("description")
        version = self._registry.update_version(
            _name(call), _version(call), comment=None if comment is None else str(comment), by=call.caller.user_name
        )
        return {"model_version": _version_body(version)}

    def _delete_version(self, call: Call) -> Json:
        self._registry.delete_version(_name(call), _version(call), by=call.caller.user_name)
        return {}

    def _set_version_tag(self, call: Call) -> Json:
        (key,) = call.require("key")
        tag = {str(key): str(call.body.get("value") or "")}
        self._registry.tag_version(_name(call), _version(call), add=tag, remove=(), by=call.caller.user_name)
        return {}

    def _delete_version_tag(self, call: Call) -> Json:
        key = _field(call, "key")
        self._registry.tag_version(_name(call), _version(call), add={}, remove=[key], by=call.caller.user_name)
        return {}

    def _emit_lineage(self, call: Call) -> Json:
        """Accepted for a version that exists. The workspace keeps no lineage, and no API of it answers with any."""
        self._registry.version(_name(call), _version(call))
        return {}

    def _artifact_way(self, _: Call) -> Json:
        """False: mlflow then goes by presigned URLs. Its own setting for the Files API works as well."""
        return {"is_databricks_sdk_models_artifact_repository_enabled": False}

    # --- aliases -----------------------------------------------------------------------------------------------------

    def _set_alias(self, call: Call) -> Json:
        name, alias = _name(call), parse_alias(call.body.get("alias"))
        self._registry.set_alias(name, alias, _version(call), by=call.caller.user_name)
        return {}

    def _delete_alias(self, call: Call) -> Json:
        self._registry.delete_alias(_name(call), parse_alias(_field(call, "alias")), by=call.caller.user_name)
        return {}

    def _get_by_alias(self, call: Call) -> Json:
        version = self._registry.version_by_alias(_name(call), parse_alias(call.query.get("alias")))
        return {"model_version": _version_body(version)}


def _field(call: Call, name: str) -> str:
    """A required field: GET carries it in the query, the other methods in the body (DELETE too)."""
    value = call.body.get(name, call.query.get(name))
    if value in (None, ""):
        raise invalid(f"Missing required field: {name}")
    return str(value)


def _name(call: Call) -> ModelName:
    return ModelName.parse(_field(call, "name"))


def _version(call: Call) -> int:
    return parse_version(_field(call, "version"))


def _tag_list(tags: Mapping[str, str]) -> list[Json]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def _next_page(after: object) -> Json:
    return {"next_page_token": str(after)} if after else {}


def _dependencies(value: Any) -> list[Json]:
    """This dialect's dependencies in Unity Catalog's form; mlflow's client, too, drops the kinds without one."""
    given = value or []
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        raise invalid(f"model_version_dependencies must be a list of objects, received {value!r}")
    forms = {
        "DATABRICKS_VECTOR_INDEX": lambda name: {"table": {"table_full_name": name}},
        "DATABRICKS_TABLE": lambda name: {"table": {"table_full_name": name}},
        "DATABRICKS_UC_FUNCTION": lambda name: {"function": {"function_full_name": name}},
        "DATABRICKS_UC_CONNECTION": lambda name: {"connection": {"connection_name": name}},
    }
    return [forms[str(item["type"])](item.get("name")) for item in given if str(item.get("type")) in forms]


def _model(model: RegisteredModel) -> Json:
    return {
        "name": model.full_name,
        "creation_timestamp": model.created_at,
        "last_updated_timestamp": model.updated_at,
        "user_id": model.created_by,
        "description": model.comment,
        "aliases": [{"alias": alias, "version": str(number)} for alias, number in model.aliases.items()],
        "tags": _tag_list(model.tags),
        "deployment_job_id": model.deployment_job_id,
    }


def _version_body(version: ModelVersion) -> Json:
    return {
        "name": version.full_name,
        "version": str(version.version),
        "creation_timestamp": version.created_at,
        "last_updated_timestamp": version.updated_at,
        "user_id": version.created_by,
        "description": version.comment,
        "source": version.source,
        "run_id": version.run_id,
        "run_tracking_server_id": version.run_workspace_id,
        "status": version.status,
        "status_message": version.status_message,
        "storage_location": version.storage_location,
        "aliases": [{"alias": alias, "version": str(version.version)} for alias in version.aliases],
        "tags": _tag_list(version.tags),
        "model_id": version.model_id,
    }
