"""Catalogs and schemas, and what makes a schema full."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any

from workspace.documents import Document, Documents
from workspace.errors import ApiError, invalid
from workspace.unity_catalog import names
from workspace.unity_catalog.securables import CATALOG, FUNCTION, SCHEMA, TABLE, VOLUME, Contents

# Unity Catalog counts models among the functions.
_COUNTED = {TABLE: "tables", FUNCTION: "functions", VOLUME: "volumes"}
DEFAULT_SCHEMA = "default"
INFORMATION_SCHEMA = "information_schema"

_CHANGEABLE = {
    CATALOG: ("comment", "owner", "properties", "isolation_mode", "enable_predictive_optimization", "options"),
    SCHEMA: ("comment", "owner", "properties", "enable_predictive_optimization"),
}
# Fields of a request that this workspace carries out as the identity of the object or not at all; anything else is
# refused.
_CREATABLE = {
    CATALOG: ("name", "comment", "properties", "storage_root", "isolation_mode", "enable_predictive_optimization"),
    SCHEMA: ("name", "catalog_name", "comment", "properties", "storage_root", "enable_predictive_optimization"),
}
_ISOLATION_MODES = ("OPEN", "ISOLATED")


class Containers:
    """Catalogs and schemas by name, in lower case."""

    def __init__(self, documents: Documents, metastore_id: str) -> None:
        self._documents = documents
        self._metastore_id = metastore_id
        self._contents: list[Contents] = []

    def add_contents(self, contents: Contents) -> None:
        """Make schemas know of one more kind of object in them."""
        self._contents.append(contents)

    def create_catalog(self, body: Mapping[str, Any], owner: str) -> Document:
        """A catalog with its `default` schema, as Unity Catalog makes it."""
        _check_fields(CATALOG, body, _CREATABLE[CATALOG])
        name = names.identifier(body["name"], CATALOG)
        catalog = self._new(body, owner) | {
            "name": name,
            "full_name": name,
            "catalog_id": str(uuid.uuid4()),
            "catalog_type": "MANAGED_CATALOG",
            "securable_type": "CATALOG",
            "isolation_mode": _isolation_mode(body.get("isolation_mode", "OPEN")),
            "browse_only": False,
            "provisioning_info": {"state": "ACTIVE"},
        }
        if not self._documents.insert(CATALOG, name, catalog):
            raise names.taken(CATALOG, name)
        self.create_schema(
            {"name": DEFAULT_SCHEMA, "catalog_name": name, "comment": "Default schema (auto-created)"}, owner
        )
        return catalog

    def create_schema(self, body: Mapping[str, Any], owner: str) -> Document:
        _check_fields(SCHEMA, body, _CREATABLE[SCHEMA])
        catalog = self.catalog(names.identifier(body["catalog_name"], CATALOG))
        name = names.identifier(body["name"], SCHEMA)
        full_name = f"{catalog['name']}.{name}"
        if name == INFORMATION_SCHEMA:
            raise invalid(f"Schema name '{name}' is reserved")
        schema = self._new(body, owner) | {
            "name": name,
            "full_name": full_name,
            "catalog_name": catalog["name"],
            "catalog_type": catalog["catalog_type"],
            "schema_id": str(uuid.uuid4()),
            "browse_only": False,
        }
        if not self._documents.insert(SCHEMA, full_name, schema):
            raise ApiError(400, "SCHEMA_ALREADY_EXISTS", f"Schema '{name}' already exists")
        return schema

    def catalog(self, name: str) -> Document:
        """Raises ApiError 404 naming the catalog."""
        found = self._documents.get(CATALOG, name.strip("`").lower())
        if found is None:
            raise names.missing(CATALOG, name)
        return found

    def schema(self, catalog: str, name: str) -> Document:
        """Raises ApiError 404 naming the catalog or the schema, whichever is missing."""
        found = self._documents.get(SCHEMA, f"{catalog}.{name}".lower())
        if found is None:
            self.catalog(catalog)
            raise names.missing(SCHEMA, f"{catalog}.{name}")
        return found

    def has_schema(self, catalog: str, name: str) -> bool:
        return self._documents.get(SCHEMA, f"{catalog}.{name}".lower()) is not None

    def catalogs(self) -> list[Document]:
        return [document for _, document in self._documents.list(CATALOG)]

    def schemas(self, catalog: str) -> list[Document]:
        """Raises ApiError 404 where there is no such catalog."""
        name = self.catalog(catalog)["name"]
        return [document for _, document in self._documents.list(SCHEMA, f"{name}.")]

    def change(self, kind: str, full_name: str, body: Mapping[str, Any], who: str) -> Document:
        """PATCH: the named fields take the given values, the others stay."""
        key = full_name.strip("`").lower()
        body = {name: value for name, value in body.items() if name not in ("name", "full_name") or value != key}
        _check_fields(kind, body, _CHANGEABLE[kind])
        if "isolation_mode" in body:
            _isolation_mode(body["isolation_mode"])

        def apply(document: Document) -> None:
            document.update(body)
            document.update(updated_at=int(time.time() * 1000), updated_by=who)

        changed = self._documents.update(kind, key, apply)
        if changed is None:
            raise names.missing(kind, full_name)
        return changed

    def delete_schema(self, full_name: str, *, force: bool) -> None:
        """Delete a schema; one that is not empty only with `force`, and then with all that is in it."""
        catalog, name = names.split(full_name, 2, SCHEMA)
        key = self.schema(catalog, name)["full_name"]
        found = [(contents, contents.names(key)) for contents in self._contents]
        counts = dict.fromkeys(_COUNTED.values(), 0)
        for contents, inside in found:
            counts[_COUNTED[contents.securable]] += len(inside)
        if any(counts.values()) and not force:
            listed = ", ".join(f"{count} {kind}(s)" for kind, count in counts.items())
            raise ApiError(400, "INVALID_STATE", f"Schema '{key}' is not empty. The schema has {listed}")
        for contents, inside in found:
            for object_name in inside:
                contents.drop(object_name)
        self._documents.delete(SCHEMA, key)

    def delete_catalog(self, name: str, *, force: bool) -> None:
        """Delete a catalog; one with schemas beside an empty `default` only with `force`."""
        key = self.catalog(name)["name"]
        schemas = self.schemas(key)
        full = [s["name"] for s in schemas if s["name"] != DEFAULT_SCHEMA or self._occupied(s["full_name"])]
        if full and not force:
            raise ApiError(
                400,
                "INVALID_STATE",
                f"Catalog '{key}' is not empty. The catalog has {len(full)} schema(s): {', '.join(full)}",
            )
        for schema in schemas:
            self.delete_schema(schema["full_name"], force=force)
        self._documents.delete(CATALOG, key)

    def _occupied(self, full_name: str) -> bool:
        return any(contents.names(full_name) for contents in self._contents)

    def _new(self, body: Mapping[str, Any], owner: str) -> Document:
        now = int(time.time() * 1000)
        given = {
            name: body[name]
            for name in ("comment", "properties", "storage_root", "enable_predictive_optimization")
            if body.get(name) is not None
        }
        return {
            "enable_predictive_optimization": "INHERIT",
            **given,
            "owner": owner,
            "metastore_id": self._metastore_id,
            "created_at": now,
            "created_by": owner,
            "updated_at": now,
            "updated_by": owner,
        }


def _isolation_mode(mode: str) -> str:
    if mode not in _ISOLATION_MODES:
        raise invalid(f"isolation_mode '{mode}' is not valid: one of {', '.join(_ISOLATION_MODES)}")
    return mode


def _check_fields(kind: str, body: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
    for name in body:
        if name not in allowed and body[name] is not None:
            raise invalid(
                f"the embedded workspace does not carry out '{name}' of a {kind}; it knows {', '.join(allowed)}"
            )
