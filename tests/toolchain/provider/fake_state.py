"""A workspace for tests: answers like the one the official plugin was recorded against, and keeps every request.

Ids are ``<kind>-<number>``, counted from 1, so that recorded placeholders can be turned into them.
"""

import copy
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.toolchain.provider.fake_tables import TableStore

WORKSPACE_ID = 6051921418418893
ME = "me@example.com"
NOW = 1_700_000_000_000
NOW_TEXT = "2026-01-01T00:00:00Z"
METASTORE = "metastoreId-1"

JsonObject = dict[str, object]


class RefusedError(Exception):
    """An error answer."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass
class Request:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    body: JsonObject


def missing(what: str = "object") -> RefusedError:
    return RefusedError(404, "RESOURCE_DOES_NOT_EXIST", f"{what} does not exist")


@dataclass
class Fake:
    """The state and the rules. ``refuse`` makes the next request of that method and path fail with a status."""

    objects: dict[str, JsonObject] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    refuse: dict[tuple[str, str], int] = field(default_factory=dict)
    tables: TableStore = field(default_factory=TableStore)
    refusal: str = "Endpoint is being updated"
    deployment: str = "NOT_UPDATING"
    has_metadata: bool = True
    route: Callable[["Fake", Request], JsonObject] = field(default=lambda fake, request: {})
    lock: threading.Lock = field(default_factory=threading.Lock)

    def new_id(self, kind: str) -> str:
        self.counts[kind] += 1
        return f"{kind}-{self.counts[kind]}"

    def answer(self, request: Request) -> JsonObject:
        if request.path == "/.well-known/databricks-config":
            return {"workspace_id": str(WORKSPACE_ID)} if self.has_metadata else {}
        self.requests.append(copy.deepcopy(request))
        status = self.refuse.pop((request.method, request.path), 0)
        if status:
            code = {409: "RESOURCE_CONFLICT", 404: "RESOURCE_DOES_NOT_EXIST"}.get(status, "BAD_REQUEST")
            raise RefusedError(status, code, self.refusal)
        return self.route(self, request)

    def get(self, key: str) -> JsonObject:
        if key not in self.objects:
            raise missing(key)
        return self.objects[key]

    def put(self, key: str, value: JsonObject) -> JsonObject:
        if key in self.objects:
            raise RefusedError(409, "ALREADY_EXISTS", f"{key} exists")
        self.objects[key] = value
        return value

    def drop(self, key: str) -> JsonObject:
        self.get(key)
        del self.objects[key]
        return {}
