"""Tags of entities: catalogs, schemas, tables, volumes, and columns of tables.

Sources: databricks-sdk 0.156 `catalog.EntityTagAssignmentsAPI`; page "Apply tags to Unity Catalog securable objects"
(at most 50 tags on an object, keys of at most 255 and values of at most 1000 characters).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from workspace.documents import Document, Documents
from workspace.errors import ApiError, already_exists, invalid, not_found
from workspace.unity_catalog import names
from workspace.unity_catalog.securables import CATALOG, SCHEMA, TABLE, VOLUME, Securables
from workspace.unity_catalog.table import Table

COLUMNS = "columns"
KINDS = {"catalogs": CATALOG, "schemas": SCHEMA, "tables": TABLE, "volumes": VOLUME, COLUMNS: TABLE}
MOST = 50
_KIND = "entity_tags"
_KEY = re.compile(r"[^.,\-=/:\s]([^.,\-=/:]{0,253}[^.,\-=/:\s])?")
_LONGEST_VALUE = 1000


class Tags:
    """Tag assignments by entity. They go with their entity: one made anew under the same name has none."""

    def __init__(self, documents: Documents, securables: Securables, table: Callable[[str], Table]) -> None:
        self._documents = documents
        self._securables = securables
        self._table = table

    def holder(self, entity_type: str, entity_name: str) -> tuple[str, str]:
        """Kind and full name of the securable that carries the tags (of a column: its table). ApiError 400, 404."""
        if entity_type not in KINDS:
            raise invalid(f"entity_type '{entity_type}' is not valid: one of {', '.join(sorted(KINDS))}")
        name = entity_name.lower()
        if entity_type == COLUMNS:
            table, _, column = entity_name.rpartition(".")
            names.split(table, 3, TABLE)
            if self._table(table.lower()).column(column) is None:
                raise not_found(f"Column '{column}' of table '{table}' does not exist.")
            name = table.lower()
        return KINDS[entity_type], name

    def list(self, entity_type: str, entity_name: str) -> list[Document]:
        """The assignments of an entity, by key."""
        document = self._documents.get(_KIND, self._key(entity_type, entity_name))
        if document is None or document["identity"] != self._identity(entity_type, entity_name):
            return []
        tags: dict[str, Document] = document["tags"]
        return [tags[key] for key in sorted(tags)]

    def get(self, entity_type: str, entity_name: str, key: str) -> Document:
        """Raises ApiError 404 where the entity has no such tag."""
        found = [tag for tag in self.list(entity_type, entity_name) if tag["tag_key"] == key]
        if not found:
            raise not_found(f"Tag assignment with tag key {key} does not exist on {entity_type} {entity_name}.")
        return found[0]

    def create(self, body: Mapping[str, Any], who: str) -> Document:
        """Raises ApiError 409 where the entity has the tag already, 400 for a key or value that cannot be."""
        entity_type, entity_name, key = (str(body[name]) for name in ("entity_type", "entity_name", "tag_key"))
        there = {tag["tag_key"] for tag in self.list(entity_type, entity_name)}
        if key in there:
            raise already_exists(f"Tag assignment with tag key {key} already exists on {entity_type} {entity_name}.")
        if len(there) >= MOST:
            raise ApiError(400, "RESOURCE_EXHAUSTED", f"An entity has at most {MOST} tags; {entity_name} has them all.")
        return self._put(entity_type, entity_name, key, body.get("tag_value"), who)

    def update(self, entity_type: str, entity_name: str, key: str, value: object, who: str) -> Document:
        self.get(entity_type, entity_name, key)
        return self._put(entity_type, entity_name, key, value, who)

    def delete(self, entity_type: str, entity_name: str, key: str) -> None:
        self.get(entity_type, entity_name, key)
        self._documents.update(_KIND, self._key(entity_type, entity_name), lambda document: document["tags"].pop(key))

    def _put(self, entity_type: str, entity_name: str, key: str, value: object, who: str) -> Document:
        if not _KEY.fullmatch(key):
            raise invalid(
                f"tag_key '{key}' is not valid: 1 to 255 characters, none of them . , - = / :, no space at its ends"
            )
        text = "" if value is None else str(value)
        if len(text) > _LONGEST_VALUE:
            raise invalid(f"tag_value has {len(text)} characters; {_LONGEST_VALUE} are allowed")
        tag: Document = {
            "entity_type": entity_type,
            "entity_name": entity_name,
            "tag_key": key,
            **({"tag_value": text} if text else {}),
            "update_time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "updated_by": who,
        }
        identity = self._identity(entity_type, entity_name)
        self._documents.insert(_KIND, self._key(entity_type, entity_name), {"identity": identity, "tags": {}})

        def apply(document: Document) -> None:
            if document["identity"] != identity:
                document.update(identity=identity, tags={})
            document["tags"][key] = tag

        self._documents.update(_KIND, self._key(entity_type, entity_name), apply)
        return tag

    def _key(self, entity_type: str, entity_name: str) -> str:
        return f"{entity_type}:{entity_name.lower()}"

    def _identity(self, entity_type: str, entity_name: str) -> str:
        return self._securables.find(*self.holder(entity_type, entity_name)).identity
