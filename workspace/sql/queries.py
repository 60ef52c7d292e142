"""Saved queries: `/api/2.0/sql/queries`, as databricks-sdk's QueriesAPI and the Databricks provider use it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from workspace.documents import Document, Documents
from workspace.errors import already_exists, invalid, not_found
from workspace.http import Json

KIND = "sql_query"
ACTIVE, TRASHED = "ACTIVE", "TRASHED"
_FIELDS = (
    *("display_name", "query_text", "warehouse_id", "description", "parent_path", "catalog", "schema", "tags"),
    *("parameters", "run_as_mode", "apply_auto_limit"),
)
_CHANGEABLE = (*(name for name in _FIELDS if name != "parent_path"), "owner_user_name")
# A query keeps where it was made; the API answers it only to those who ask for the query itself.
_DEFAULT_PAGE = 20


@dataclass(frozen=True)
class SavedQuery:
    """What a job needs of a saved query."""

    query_text: str
    catalog: str | None
    schema: str | None


class Queries:
    """Saved queries by id."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def create(self, body: Mapping[str, Any], user: str) -> Json:
        asked = _query_of(body)
        if not asked.get("query_text") and asked.get("query_text") != "":
            raise invalid("Missing required field: query.query_text")
        name = asked.get("display_name") or "Untitled query"
        parent = asked.get("parent_path") or f"/Workspace/Users/{user}"
        name = self._free_name(name, parent, None, resolve=bool(body.get("auto_resolve_display_name")))
        now = _now()
        query: Document = {
            "run_as_mode": "OWNER",
            **{field: asked[field] for field in _FIELDS if asked.get(field) is not None},
            "id": str(uuid.uuid4()),
            "display_name": name,
            "parent_path": parent,
            "lifecycle_state": ACTIVE,
            "owner_user_name": user,
            "last_modifier_user_name": user,
            "create_time": now,
            "update_time": now,
        }
        self._documents.put(KIND, query["id"], query)
        return query

    def get(self, query_id: str) -> Document:
        """Also a trashed one, as the service answers; ApiError 404 where there never was one."""
        found = self._documents.get(KIND, query_id)
        if found is None:
            raise not_found(f"Query {query_id} does not exist.")
        return found

    def owner(self, query_id: str) -> str | None:
        """The user name of a query's owner; None where there is none, or it is in the trash."""
        found = self._documents.get(KIND, query_id)
        active = found is not None and found["lifecycle_state"] == ACTIVE
        return str(found["owner_user_name"]) if found is not None and active else None

    def saved(self, query_id: str) -> SavedQuery:
        """A query that can be run; ApiError 404 where it is missing or in the trash."""
        found = self.get(query_id)
        if found["lifecycle_state"] == TRASHED:
            raise not_found(f"Query {query_id} is in the trash.")
        return SavedQuery(found["query_text"], found.get("catalog"), found.get("schema"))

    def list(self, page_size: int, page_token: str) -> Json:
        """Active queries; the token is the id of the last one of the page before."""
        rest = [q for key, q in self._documents.list(KIND) if q["lifecycle_state"] == ACTIVE and key > page_token]
        size = page_size or _DEFAULT_PAGE
        page = [{name: value for name, value in q.items() if name != "parent_path"} for q in rest[:size]]
        return {"results": page, **({"next_page_token": page[-1]["id"]} if len(rest) > size else {})}

    def change(self, query_id: str, body: Mapping[str, Any], user: str) -> Json:
        """PATCH: the fields of `update_mask` take the values of `query`; those that it leaves out lose theirs."""
        current = self.get(query_id)
        asked = _query_of(body)
        mask = [name.strip() for name in str(body.get("update_mask") or "").split(",") if name.strip()]
        if not mask:
            raise invalid("Missing required field: update_mask")
        names = list(asked) if mask == ["*"] else mask
        unknown = [name for name in names if name not in _CHANGEABLE]
        if unknown:
            raise invalid(f"update_mask names {unknown}; a query's fields that change are {', '.join(_CHANGEABLE)}")
        values = {name: asked.get(name) for name in names}
        if "display_name" in values:
            resolve = bool(body.get("auto_resolve_display_name"))
            name = values["display_name"] or "Untitled query"
            values["display_name"] = self._free_name(name, current["parent_path"], query_id, resolve=resolve)

        def apply(query: Document) -> None:
            for name, value in values.items():
                if value is None or value == []:
                    query.pop(name, None)
                else:
                    query[name] = value
            query.update(update_time=_now(), last_modifier_user_name=user)

        changed = self._documents.update(KIND, query_id, apply)
        if changed is None:
            raise not_found(f"Query {query_id} does not exist.")
        return changed

    def trash(self, query_id: str) -> None:
        def apply(query: Document) -> None:
            query["lifecycle_state"] = TRASHED

        if self._documents.update(KIND, query_id, apply) is None:
            raise not_found(f"Query {query_id} does not exist.")

    def _free_name(self, name: str, parent: str, own_id: str | None, *, resolve: bool) -> str:
        """Names are unique in a folder; `resolve` takes the next free one."""
        taken = {
            query["display_name"]
            for key, query in self._documents.list(KIND)
            if query["parent_path"] == parent and query["lifecycle_state"] == ACTIVE and key != own_id
        }
        if name not in taken:
            return name
        if not resolve:
            raise already_exists(f"Node named '{name}' already exists in {parent}")
        return next(f"{name} ({number})" for number in range(1, len(taken) + 2) if f"{name} ({number})" not in taken)


def _query_of(body: Mapping[str, Any]) -> Mapping[str, Any]:
    query = body.get("query")
    if not isinstance(query, dict):
        raise invalid("Missing required field: query")
    return query


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
