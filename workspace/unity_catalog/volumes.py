"""Volumes: managed ones, whose files are in the Files API's tree.

Sources: databricks-sdk 0.156 `catalog.VolumesAPI`, `catalog.VolumeInfo`; page "What are Unity Catalog volumes?".
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from workspace.documents import Document, Documents
from workspace.errors import ApiError, invalid
from workspace.unity_catalog import names
from workspace.unity_catalog.grants import Grants
from workspace.unity_catalog.securables import VOLUME

MANAGED = "MANAGED"
_ROOT = "Volumes"
_CREATABLE = ("name", "catalog_name", "schema_name", "volume_type", "comment")
_CHANGEABLE = ("comment", "owner", "new_name")


class VolumeFiles(Protocol):
    """The part of the Files service that volumes need."""

    def path(self, api_path: str) -> Path: ...

    def remove_tree(self, api_path: str) -> None: ...

    def guard(self, root: str, check: Callable[[tuple[str, ...]], None]) -> None: ...


class Volumes:
    """Volumes by full name, in lower case."""

    def __init__(
        self,
        documents: Documents,
        metastore_id: str,
        files: VolumeFiles,
        require_schema: Callable[[str, str], object],
        grants: Grants,
    ) -> None:
        self._documents = documents
        self._metastore_id = metastore_id
        self._files = files
        self._require_schema = require_schema
        self._grants = grants
        files.guard(_ROOT, self._check_write)

    def create(self, body: Mapping[str, Any], owner: str) -> Document:
        """Raises ApiError 404 where the schema is missing, 400 for a taken name or a field that is not carried out."""
        kind = body.get("volume_type") or MANAGED
        if kind != MANAGED:
            raise invalid(
                f"the embedded workspace keeps volumes of type {MANAGED}, received '{kind}': it has no cloud storage"
            )
        _check_fields(body, _CREATABLE)
        catalog, schema = str(body["catalog_name"]).lower(), str(body["schema_name"]).lower()
        self._require_schema(catalog, schema)
        name = names.identifier(body["name"], VOLUME)
        full_name = f"{catalog}.{schema}.{name}"
        now = int(time.time() * 1000)
        volume: Document = {
            "name": name,
            "full_name": full_name,
            "catalog_name": catalog,
            "schema_name": schema,
            "volume_type": MANAGED,
            "volume_id": str(uuid.uuid4()),
            "metastore_id": self._metastore_id,
            "owner": owner,
            "created_at": now,
            "created_by": owner,
            "updated_at": now,
            "updated_by": owner,
            "browse_only": False,
            "storage_location": self._folder(full_name).as_uri(),
            **({"comment": body["comment"]} if body.get("comment") else {}),
        }
        # The folder first: a volume that is there can be written to, also after a kill between the two.
        self._folder(full_name).mkdir(parents=True, exist_ok=True)
        if not self._documents.insert(VOLUME, full_name, volume):
            raise names.taken(VOLUME, full_name)
        return volume

    def get(self, full_name: str) -> Document:
        """Raises ApiError 404 naming the volume."""
        found = self._documents.get(VOLUME, full_name.lower())
        if found is None:
            raise names.missing(VOLUME, full_name)
        return found

    def names(self, schema: str) -> list[str]:
        """Full names of the volumes in the schema of this full name."""
        return [key for key, _ in self._documents.list(VOLUME, f"{schema}.")]

    def change(self, full_name: str, body: Mapping[str, Any], who: str) -> Document:
        """PATCH: comment, owner, and a new name, to which files and grants move along."""
        volume = self.get(full_name)
        body = {key: value for key, value in body.items() if key != "name" or str(value).lower() != volume["full_name"]}
        _check_fields(body, _CHANGEABLE)
        changed: Document = dict(volume)
        changed.update({name: body[name] for name in ("comment", "owner") if name in body})
        changed.update(updated_at=int(time.time() * 1000), updated_by=who)
        new_name = names.identifier(body["new_name"], VOLUME) if body.get("new_name") else volume["name"]
        if new_name == volume["name"]:
            self._documents.put(VOLUME, volume["full_name"], changed)
            return changed
        target = f"{volume['catalog_name']}.{volume['schema_name']}.{new_name}"
        if self._documents.get(VOLUME, target) is not None:
            raise names.taken(VOLUME, target)
        self._files.remove_tree(_api_path(target))
        self._folder(volume["full_name"]).rename(self._folder(target))
        changed.update(name=new_name, full_name=target, storage_location=self._folder(target).as_uri())
        self._documents.put(VOLUME, target, changed)
        self._grants.move(VOLUME, volume["full_name"], target)
        self._documents.delete(VOLUME, volume["full_name"])
        return changed

    def delete(self, full_name: str) -> None:
        """Delete a volume with its files. Raises ApiError 404."""
        key = self.get(full_name)["full_name"]
        self._documents.delete(VOLUME, key)
        self._files.remove_tree(_api_path(key))

    def _folder(self, full_name: str) -> Path:
        return self._files.path(_api_path(full_name))

    def _check_write(self, segments: tuple[str, ...]) -> None:
        """Files are written below a volume that is there."""
        if len(segments) < 4:
            raise invalid(
                f"Invalid path: /{'/'.join(segments)}. Files of volumes have paths of the form "
                "/Volumes/<catalog>/<schema>/<volume>/<path>"
            )
        full_name = ".".join(segments[1:4])
        if self._documents.get(VOLUME, full_name) is None:
            raise ApiError(404, "NOT_FOUND", f"Volume '{full_name}' does not exist.")
        if len(segments) == 4:
            raise invalid(f"/{'/'.join(segments)} is a volume itself: change it through the volumes API")


def _api_path(full_name: str) -> str:
    return f"/{_ROOT}/{full_name.replace('.', '/')}"


def _check_fields(body: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
    for name in body:
        if name not in allowed and body[name] is not None:
            raise invalid(
                f"the embedded workspace does not carry out '{name}' of a volume; it knows {', '.join(allowed)}"
            )
