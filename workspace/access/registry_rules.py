"""Registered models of Unity Catalog, in both dialects of MLflow and the SDK's: securables of type FUNCTION.

Sources: docstrings of databricks-sdk 0.156 `catalog.RegisteredModelsAPI` and `catalog.ModelVersionsAPI`; page "Manage
model lifecycle in Unity Catalog" (CREATE MODEL VERSION, APPLY TAG). A name may come in path, query or body: whichever
the service takes, all that are there are checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from workspace.access.rules import Rule, listed, open_to_all
from workspace.errors import ApiError
from workspace.http import Call, Json
from workspace.unity_catalog.privileges import Privileges, schema_of
from workspace.unity_catalog.securables import FUNCTION, SCHEMA

NATIVE = "/api/2.1/unity-catalog"
LEGACY = "/api/2.0/mlflow/unity-catalog"
_MODEL = f"{NATIVE}/models/{{full_name}}"
_READ_WRITE = ("MODEL_VERSION_OPERATION_READ_WRITE", "READ_WRITE_MODEL_VERSION")

_Level = Callable[[Call, str], None]


class RegistryRules:
    """What each call on models needs; the metastore's admin manages all of them."""

    def __init__(self, privileges: Privileges) -> None:
        self._privileges = privileges

    def all(self) -> list[Rule]:
        legacy, versions = f"{LEGACY}/registered-models", f"{LEGACY}/model-versions"
        version, alias = f"{_MODEL}/versions/{{version}}", f"{_MODEL}/aliases/{{alias}}"
        by_level: dict[str, tuple[_Level, list[str]]] = {
            "create": (self._create, [f"POST {NATIVE}/models", f"POST {legacy}/create"]),
            "read": (
                self._read,
                [
                    *(f"GET {path}" for path in (f"{_MODEL}/versions", version, alias, _MODEL)),
                    *(f"GET {path}" for path in (f"{legacy}/get", f"{legacy}/alias", f"{versions}/get")),
                    f"GET {versions}/get-download-uri",
                    f"POST {versions}/emit-lineage",
                ],
            ),
            "manage": (
                self._manage,
                [
                    *(f"{method} {path}" for path in (version, _MODEL) for method in ("PATCH", "DELETE")),
                    *(f"{method} {alias}" for method in ("PUT", "DELETE")),
                    *(f"{method} {legacy}/alias" for method in ("POST", "DELETE")),
                    *(f"PATCH {path}/update" for path in (legacy, versions)),
                    *(f"DELETE {path}/delete" for path in (legacy, versions)),
                ],
            ),
            "tag": (
                self._tag,
                [
                    f"PATCH {NATIVE}/securable-tags/FUNCTION/{{full_name}}",
                    f"PATCH {NATIVE}/subentity-tags/FUNCTION/{{full_name}}/{{version}}",
                    *(f"POST {path}/set-tag" for path in (legacy, versions)),
                    *(f"DELETE {path}/delete-tag" for path in (legacy, versions)),
                ],
            ),
            "add version": (
                self._add_version,
                [
                    f"POST {NATIVE}/models/versions",
                    f"PATCH {version}/finalize",
                    f"POST {versions}/create",
                    f"POST {versions}/finalize",
                ],
            ),
            "files": (
                self._files,
                [
                    f"POST {NATIVE}/temporary-model-version-credentials",
                    f"POST {versions}/generate-temporary-credentials",
                ],
            ),
        }
        rules = [
            Rule(
                method=route.partition(" ")[0],
                path=route.partition(" ")[2],
                check=self._checked(level),
                reads_body=True,
                for_admins=True,
            )
            for level, routes in by_level.values()
            for route in routes
        ]
        lists = [
            (f"{NATIVE}/models", "registered_models"),
            (f"{legacy}/search", "registered_models"),
            (f"{versions}/search", "model_versions"),
        ]
        return [
            *(Rule(method="GET", path=path, show=listed(field, self._sees), for_admins=True) for path, field in lists),
            *open_to_all(f"GET {legacy}:is-databricks-sdk-models-artifact-repository-enabled"),
            *rules,
        ]

    def _checked(self, level: _Level) -> Callable[[Call], None]:
        def check(call: Call) -> None:
            for name in set(_names(call)):
                try:
                    level(call, name)
                except ApiError as error:
                    # What is missing, or no name at all, is refused by the service, to those who may look.
                    if error.status not in (400, 404):
                        raise
                    if error.status == 404:
                        self._look(call, name)

        return check

    def _look(self, call: Call, name: str) -> None:
        try:
            self._privileges.require_read(call.caller, SCHEMA, schema_of(name, "model"))
        except ApiError as error:
            if error.status != 404:
                raise

    def _create(self, call: Call, name: str) -> None:
        """CREATE MODEL, or CREATE FUNCTION, which was its name before."""
        schema = schema_of(name, "model")
        if not self._privileges.has(call.caller, "CREATE_FUNCTION", SCHEMA, schema):
            self._privileges.require_create(call.caller, "CREATE_MODEL", SCHEMA, schema)
        else:
            self._privileges.require_create(call.caller, "CREATE_FUNCTION", SCHEMA, schema)

    def _read(self, call: Call, name: str) -> None:
        self._privileges.require_read(call.caller, FUNCTION, name)

    def _manage(self, call: Call, name: str) -> None:
        self._privileges.require_manage(call.caller, FUNCTION, name)

    def _tag(self, call: Call, name: str) -> None:
        self._privileges.require(call.caller, "APPLY_TAG", FUNCTION, name)

    def _add_version(self, call: Call, name: str) -> None:
        self._privileges.require(call.caller, "CREATE_MODEL_VERSION", FUNCTION, name)

    def _files(self, call: Call, name: str) -> None:
        writes = call.body.get("operation") in _READ_WRITE
        self._privileges.require(call.caller, "CREATE_MODEL_VERSION" if writes else "EXECUTE", FUNCTION, name)

    def _sees(self, call: Call, entry: Json) -> bool:
        name = entry.get("full_name") or entry.get("name") or ""
        return self._privileges.sees(call.caller, FUNCTION, str(name).lower())


def _names(call: Call) -> Iterator[str]:
    """Every full name of a model in the request."""
    body = call.body
    for value in (call.path.get("full_name"), *(source.get(key) for source in (call.query, body) for key in _KEYS)):
        if isinstance(value, str) and value.count(".") == 2:
            yield value.lower()
    parts = [body.get("catalog_name"), body.get("schema_name"), body.get("model_name") or body.get("name")]
    if all(isinstance(part, str) and part for part in parts):
        yield ".".join(map(str, parts)).lower()


_KEYS = ("name", "full_name")
