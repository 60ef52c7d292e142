"""The registry as Unity Catalog speaks it: `/api/2.1/unity-catalog/models...` (databricks-sdk, mlflow's "native").

Versions are numbers here, and `aliases` are answered only to `include_aliases=true`. `aliases` in a body is ignored, as
by the service: aliases have routes of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.routing import BaseRoute

from workspace.errors import invalid, not_implemented
from workspace.http import Call, Json, api
from workspace.mlflow_api.credentials import temporary_credentials
from workspace.mlflow_api.entities import ModelVersion, RegisteredModel, tags_of
from workspace.mlflow_api.names import ModelName, parse_alias, parse_version
from workspace.mlflow_api.registry import Registry, page_limit

UC = "/api/2.1/unity-catalog"
MODEL = UC + "/models/{full_name}"
VERSION = MODEL + "/versions/{version}"
ALIAS = MODEL + "/aliases/{alias}"


class NativeDialect:
    """Routes over a `Registry`; `require_schema` raises ApiError 404 for a schema that is not there."""

    def __init__(self, registry: Registry, metastore_id: str, require_schema: Callable[[str, str], object]) -> None:
        self._registry = registry
        self._metastore_id = metastore_id
        self._require_schema = require_schema

    def routes(self) -> list[BaseRoute]:
        return [
            api("POST", UC + "/models", self._create_model),
            api("GET", UC + "/models", self._list_models),
            api("POST", UC + "/models/versions", self._create_version),
            api("POST", UC + "/temporary-model-version-credentials", self._credentials),
            api("GET", MODEL, self._get_model),
            api("PATCH", MODEL, self._update_model),
            api("DELETE", MODEL, self._delete_model),
            api("GET", MODEL + "/versions", self._list_versions),
            api("GET", VERSION, self._get_version),
            api("PATCH", VERSION, self._update_version),
            api("DELETE", VERSION, self._delete_version),
            api("PATCH", VERSION + "/finalize", self._finalize_version),
            api("GET", ALIAS, self._get_by_alias),
            api("PUT", ALIAS, self._set_alias),
            api("DELETE", ALIAS, self._delete_alias),
            api("PATCH", UC + "/securable-tags/FUNCTION/{full_name}", self._tag_model),
            api("PATCH", UC + "/subentity-tags/FUNCTION/{full_name}/{version}", self._tag_version),
        ]

    # --- models ------------------------------------------------------------------------------------------------------

    def _create_model(self, call: Call) -> Json:
        name = _name_in_body(call, "name")
        self._require_schema(name.catalog, name.schema)
        model = self._registry.create_model(
            name,
            comment=str(call.body.get("comment") or ""),
            tags=tags_of(call.body.get("tags")),
            deployment_job_id=str(call.body.get("deployment_job_id") or ""),
            by=call.caller.user_name,
        )
        return self._model(model, aliases=False)

    def _list_models(self, call: Call) -> Json:
        models, after = self._registry.models(
            catalog=call.query.get("catalog_name"),
            schema=call.query.get("schema_name"),
            limit=page_limit(call.query.get("max_results")),
            after=call.query.get("page_token", ""),
        )
        body: Json = {"registered_models": [self._model(model, aliases=False) for model in models]}
        return body | ({"next_page_token": after} if after else {})

    def _get_model(self, call: Call) -> Json:
        return self._model(self._registry.model(_name(call)), aliases=_flag(call, "include_aliases"))

    def _update_model(self, call: Call) -> Json:
        if call.body.get("new_name") not in (None, "", _name(call).model, _name(call).full):
            raise not_implemented("PATCH", f"{UC}/models/{call.path['full_name']} with new_name")
        fields = ("comment", "owner", "deployment_job_id")
        changes = {field: str(call.body[field]) for field in fields if call.body.get(field) is not None}
        return self._model(self._registry.update_model(_name(call), by=call.caller.user_name, **changes), aliases=False)

    def _delete_model(self, call: Call) -> Json:
        self._registry.delete_model(_name(call))
        return {}

    def _tag_model(self, call: Call) -> Json:
        add, remove = _tag_changes(call)
        self._registry.tag_model(_name(call), add=add, remove=remove, by=call.caller.user_name)
        return {}

    # --- versions ----------------------------------------------------------------------------------------------------

    def _create_version(self, call: Call) -> Json:
        (source,) = call.require("source")
        version = self._registry.create_version(
            _name_in_body(call, "model_name"),
            source=str(source),
            run_id=str(call.body.get("run_id") or ""),
            comment=str(call.body.get("comment") or ""),
            tags=tags_of(call.body.get("tags")),
            by=call.caller.user_name,
            run_workspace_id=str(call.body.get("run_tracking_server_id") or ""),
            model_id=str(call.body.get("model_id") or ""),
            dependencies=_dependencies(call),
        )
        return self._version(version, aliases=False)

    def _credentials(self, call: Call) -> Json:
        (version,) = call.require("version")
        writes = call.body.get("operation") == "READ_WRITE_MODEL_VERSION"
        name = _name_in_body(call, "model_name")
        return temporary_credentials(self._registry, name, parse_version(version), writes=writes)

    def _finalize_version(self, call: Call) -> Json:
        version = self._registry.finalize_version(_name(call), _version(call), by=call.caller.user_name)
        return self._version(version, aliases=False)

    def _get_version(self, call: Call) -> Json:
        version = self._registry.version(_name(call), _version(call))
        return self._version(version, aliases=_flag(call, "include_aliases"))

    def _list_versions(self, call: Call) -> Json:
        versions, after = self._registry.versions(
            name=_name(call), limit=page_limit(call.query.get("max_results")), after=position(call)
        )
        body: Json = {"model_versions": [self._version(version, aliases=False) for version in versions]}
        return body | ({"next_page_token": str(after)} if after else {})

    def _update_version(self, call: Call) -> Json:
        comment = call.body.get("comment")
        version = self._registry.update_version(
            _name(call), _version(call), comment=None if comment is None else str(comment), by=call.caller.user_name
        )
        return self._version(version, aliases=False)

    def _delete_version(self, call: Call) -> Json:
        self._registry.delete_version(_name(call), _version(call), by=call.caller.user_name)
        return {}

    def _tag_version(self, call: Call) -> Json:
        add, remove = _tag_changes(call)
        self._registry.tag_version(_name(call), _version(call), add=add, remove=remove, by=call.caller.user_name)
        return {}

    # --- aliases -----------------------------------------------------------------------------------------------------

    def _get_by_alias(self, call: Call) -> Json:
        version = self._registry.version_by_alias(_name(call), parse_alias(call.path["alias"]))
        return self._version(version, aliases=_flag(call, "include_aliases"))

    def _set_alias(self, call: Call) -> Json:
        name, alias = _name(call), parse_alias(call.path["alias"])
        (version,) = call.require("version_num")
        self._registry.set_alias(name, alias, parse_version(version), by=call.caller.user_name)
        return self._alias(self._registry.model(name), alias, parse_version(version))

    def _delete_alias(self, call: Call) -> Json:
        self._registry.delete_alias(_name(call), parse_alias(call.path["alias"]), by=call.caller.user_name)
        return {}

    # --- answers -----------------------------------------------------------------------------------------------------

    def _model(self, model: RegisteredModel, *, aliases: bool) -> Json:
        body: Json = {
            **_parts(model.name, "name"),
            "full_name": model.full_name,
            "id": model.id,
            "metastore_id": self._metastore_id,
            "owner": model.owner,
            "comment": model.comment,
            "storage_location": f"dbfs:{model.name.folder}",
            "created_at": model.created_at,
            "created_by": model.created_by,
            "updated_at": model.updated_at,
            "updated_by": model.updated_by,
            "browse_only": False,
            "tags": _tag_list(model.tags),
        }
        if model.deployment_job_id:
            body["deployment_job_id"] = model.deployment_job_id
        if aliases:
            body["aliases"] = [self._alias(model, alias, number) for alias, number in model.aliases.items()]
        return body

    def _version(self, version: ModelVersion, *, aliases: bool) -> Json:
        body: Json = {
            **_parts(version.name, "model_name"),
            "version": version.version,
            "id": version.id,
            "metastore_id": self._metastore_id,
            "status": version.status,
            "source": version.source,
            "comment": version.comment,
            "storage_location": version.storage_location,
            "created_at": version.created_at,
            "created_by": version.created_by,
            "updated_at": version.updated_at,
            "updated_by": version.updated_by,
            "browse_only": False,
            "tags": _tag_list(version.tags),
        }
        optional = {"run_id": version.run_id, "model_id": version.model_id}
        body |= {field: value for field, value in optional.items() if value}
        if version.run_workspace_id.isdigit():
            body["run_workspace_id"] = int(version.run_workspace_id)
        if version.dependencies:
            body["model_version_dependencies"] = {"dependencies": version.dependencies}
        if aliases:
            numbered = [{"alias_name": alias, "version_num": version.version} for alias in version.aliases]
            body["aliases"] = [alias | _parts(version.name, "model_name") for alias in numbered]
        return body

    def _alias(self, model: RegisteredModel, alias: str, version: int) -> Json:
        return {"alias_name": alias, "version_num": version, **_parts(model.name, "model_name")}


def position(call: Call) -> int:
    """Where a page of versions begins: the token of a version listing is an offset."""
    token = call.query.get("page_token") or "0"
    if not token.isdigit():
        raise invalid(f"Invalid page_token {token!r}: it is not one that a listing answered with")
    return int(token)


def _name(call: Call) -> ModelName:
    return ModelName.parse(call.path["full_name"])


def _name_in_body(call: Call, model_field: str) -> ModelName:
    catalog, schema, model = call.require("catalog_name", "schema_name", model_field)
    return ModelName.of(str(catalog), str(schema), str(model))


def _version(call: Call) -> int:
    return parse_version(call.path["version"])


def _flag(call: Call, name: str) -> bool:
    return call.query.get(name, "false").lower() == "true"


def _tag_list(tags: Any) -> list[Json]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def _dependencies(call: Call) -> list[Json]:
    given = (call.optional_object("model_version_dependencies") or {}).get("dependencies") or []
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise invalid(f"model_version_dependencies.dependencies must be a list of objects, received {given!r}")
    return given


def _tag_changes(call: Call) -> tuple[dict[str, str], list[str]]:
    changes = call.optional_object("changes") or {}
    removed = changes.get("remove") or []
    if not isinstance(removed, list):
        raise invalid(f"changes.remove must be a list of keys, received {removed!r}")
    return tags_of(changes.get("add_tags")), [str(key) for key in removed]


def _parts(name: ModelName, model_field: str) -> Json:
    return {"catalog_name": name.catalog, "schema_name": name.schema, model_field: name.model}
