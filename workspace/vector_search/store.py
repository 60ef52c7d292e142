"""Endpoints and indexes as they are kept, and as the API shows them."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workspace.clock import Clock
from workspace.documents import Document, Documents
from workspace.errors import already_exists, invalid, not_found
from workspace.vector_search.specs import SPEC_OF
from workspace.vector_search.vectors import Vectors

_ENDPOINT, _INDEX = "vector_search_endpoint", "vector_search_index"
ENDPOINT_TYPES = ("STANDARD", "STORAGE_OPTIMIZED")
ONLINE, PROVISIONING = "ONLINE", "PROVISIONING"


class Endpoints:
    """Vector search endpoints by name; one is ONLINE a while after it was made, by the workspace's clock."""

    def __init__(self, documents: Documents, clock: Clock, provisioning_seconds: Callable[[], float]) -> None:
        self._documents = documents
        self._clock = clock
        self._provisioning_seconds = provisioning_seconds

    def create(self, name: str, endpoint_type: str, user_name: str) -> Document:
        if endpoint_type not in ENDPOINT_TYPES:
            raise invalid(f"endpoint_type must be one of {', '.join(ENDPOINT_TYPES)}; received {endpoint_type!r}")
        now = self._clock.now_ms()
        endpoint: Document = {
            "id": str(uuid.uuid4()),
            "name": name,
            "endpoint_type": endpoint_type,
            "creator": user_name,
            "creation_timestamp": now,
            "last_updated_timestamp": now,
            "last_updated_user": user_name,
            "custom_tags": [],
            "online_at": now + int(self._provisioning_seconds() * 1000),
        }
        if not self._documents.insert(_ENDPOINT, name, endpoint):
            raise already_exists(f"Vector search endpoint {name} already exists.")
        return endpoint

    def get(self, name: str) -> Document:
        endpoint = self._documents.get(_ENDPOINT, name)
        if endpoint is None:
            raise not_found(f"Vector search endpoint {name} not found.")
        return endpoint

    def all(self) -> list[Document]:
        return [endpoint for _, endpoint in self._documents.list(_ENDPOINT)]

    def set_tags(self, name: str, tags: list[Document]) -> None:
        self.get(name)
        self._documents.update(_ENDPOINT, name, lambda one: one.update(custom_tags=tags))

    def set_budget_policy(self, name: str, policy: str) -> Document:
        """Who is billed for it; policies themselves are an account's and not kept here."""
        self.get(name)

        def change(one: Document) -> None:
            one.update(budget_policy_id=policy, effective_budget_policy_id=policy)

        return self._documents.update(_ENDPOINT, name, change) or self.get(name)

    def delete(self, name: str) -> None:
        self.get(name)
        self._documents.delete(_ENDPOINT, name)

    def is_online(self, endpoint: Document) -> bool:
        return bool(self._clock.now_ms() >= endpoint["online_at"])

    def shown(self, endpoint: Document, num_indexes: int) -> Document:
        online = self.is_online(endpoint)
        status = (
            {"state": ONLINE, "message": "Endpoint is online."}
            if online
            else {"state": PROVISIONING, "message": "Endpoint is being provisioned."}
        )
        answer = {name: value for name, value in endpoint.items() if name != "online_at"}
        return {**answer, "endpoint_status": status, "num_indexes": num_indexes}


class Indexes:
    """Indexes by full name, with their vectors."""

    def __init__(self, documents: Documents, folder: Path) -> None:
        self._documents = documents
        self._folder = folder
        self._vectors: dict[str, Vectors] = {}
        self._lock = threading.Lock()

    def create(self, index: Document) -> Document:
        """Store a new index under an id of its own; ApiError 409 where its name is taken."""
        index = {**index, "id": str(uuid.uuid4())}
        if not self._documents.insert(_INDEX, _key(index["name"]), index):
            raise already_exists(f"Vector search index {index['name']} already exists.")
        return index

    def find(self, name: str) -> Document | None:
        return self._documents.get(_INDEX, _key(name))

    def get(self, name: str) -> Document:
        index = self.find(name)
        if index is None:
            raise not_found(f"Vector search index {name} not found.")
        return index

    def all(self, endpoint_name: str | None = None) -> list[Document]:
        found = [index for _, index in self._documents.list(_INDEX)]
        return [one for one in found if endpoint_name in (None, one["endpoint_name"])]

    def set_status(self, index: Document, *, ready: bool, state: str, message: str) -> None:
        """Note the status of an index, unless it was deleted or made anew meanwhile."""

        def change(one: Document) -> None:
            if one["id"] == index["id"]:
                one["status"] = {"ready": ready, "detailed_state": state, "message": message}

        self._documents.update(_INDEX, _key(index["name"]), change)

    def vectors(self, index: Document) -> Vectors:
        """The rows of an index: one object for all threads, as it keeps them in memory."""
        with self._lock:
            if index["id"] not in self._vectors:
                self._vectors[index["id"]] = Vectors(self._folder / f"{index['id']}.db")
            return self._vectors[index["id"]]

    def delete(self, name: str) -> None:
        index = self.get(name)
        self._documents.delete(_INDEX, _key(name))
        self.vectors(index).remove()
        self._vectors.pop(index["id"], None)

    def shown(self, index: Document, host: str, *, short: bool = False) -> Document:
        """`VectorIndex`, or `MiniVectorIndex` for lists."""
        fields = ("name", "endpoint_name", "endpoint_id", "primary_key", "index_type", "index_subtype", "creator")
        answer: dict[str, Any] = {name: index[name] for name in fields if index.get(name)}
        if short:
            return answer
        spec = SPEC_OF[index["index_type"]]
        status = {
            **index["status"],
            "indexed_row_count": self.vectors(index).count(),
            "index_url": f"{host}/api/2.0/vector-search/indexes/{index['name']}",
        }
        return {**answer, spec: index[spec], "status": status}


def _key(name: str) -> str:
    return name.lower()
