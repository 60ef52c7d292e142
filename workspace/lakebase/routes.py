"""`/api/2.0/postgres/...`: paths to functions. Every write answers with the operation that carries it out.

Source: databricks-sdk 0.156 `postgres.PostgresAPI`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from starlette.routing import BaseRoute

from workspace.clock import Clock
from workspace.errors import invalid
from workspace.http import Call, Handler, Json, api
from workspace.lakebase.names import checked_id
from workspace.lakebase.operations import Operations
from workspace.lakebase.specs import an_object
from workspace.lakebase.store import BRANCH, ENDPOINT, PROJECT, LakebaseStore
from workspace.lakebase.synced_tables import PREFIX, OnlineStorage, SyncedTables
from workspace.settings import Settings
from workspace.state import State

if TYPE_CHECKING:
    from workspace.unity_catalog.tables import Tables

ROOT = "/api/2.0/postgres"
_KINDS = {1: PROJECT, 2: BRANCH, 3: ENDPOINT}
_LISTS = {PROJECT: "projects", BRANCH: "branches", ENDPOINT: "endpoints"}
# What a project's update may name besides its spec: the provider sends both, though they matter at creation only.
_INITIAL = ("initial_branch_spec", "initial_endpoint_spec")


class HasTables(Protocol):
    @property
    def tables(self) -> Tables: ...


class Lakebase:
    """Projects, branches, endpoints and synced tables of one workspace."""

    def __init__(self, state: State, catalog: HasTables, storage: OnlineStorage, clock: Clock) -> None:
        self._documents = state.documents
        self._synced = SyncedTables(catalog.tables, storage, clock)
        self._store = LakebaseStore(state.documents, clock, self._synced.of_branch)
        self._operations = Operations(state.documents, Settings(state), clock, self._show)

    def routes(self) -> list[BaseRoute]:
        project = f"{ROOT}/projects/{{project}}"
        branch = f"{project}/branches/{{branch}}"
        endpoint = f"{branch}/endpoints/{{endpoint}}"
        synced = f"{ROOT}/{PREFIX}{{table}}"
        routes = [
            api("POST", f"{ROOT}/projects", self._create_project),
            api("GET", f"{ROOT}/projects", self._listing(PROJECT)),
            api("POST", f"{project}/branches", self._create_branch),
            api("GET", f"{project}/branches", self._listing(BRANCH)),
            api("POST", f"{branch}/endpoints", self._create_endpoint),
            api("GET", f"{branch}/endpoints", self._listing(ENDPOINT)),
            api("POST", f"{ROOT}/synced_tables", self._create_synced),
            api("GET", synced, lambda call: self._show(_name(call))),
            api("DELETE", synced, self._delete),
        ]
        for one in (project, branch, endpoint):
            routes += [
                api("GET", one, lambda call: self._show(_name(call))),
                api("PATCH", one, self._update),
                api("DELETE", one, self._delete),
            ]
        for one in (project, branch, endpoint, synced):
            routes.append(api("GET", f"{one}/operations/{{operation}}", self._operation))
        return list(routes)

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def _create_project(self, call: Call) -> Json:
        project_id = checked_id("project_id", call.query.get("project_id"))
        with self._documents.transaction():
            name = self._store.create_project(project_id, call.body, call.caller.user_name, self._operations.due())
            return self._operations.start(name)

    def _create_branch(self, call: Call) -> Json:
        branch_id = checked_id("branch_id", call.query.get("branch_id"))
        with self._documents.transaction():
            name = self._store.create_branch(
                _name(call), branch_id, _spec(call), self._operations.due(), replace=_replaces(call)
            )
            return self._operations.start(name)

    def _create_endpoint(self, call: Call) -> Json:
        endpoint_id = checked_id("endpoint_id", call.query.get("endpoint_id"))
        with self._documents.transaction():
            name = self._store.create_endpoint(
                _name(call), endpoint_id, _spec(call), self._operations.due(), replace=_replaces(call)
            )
            return self._operations.start(name)

    def _create_synced(self, call: Call) -> Json:
        spec = _spec(call)
        branch = spec.get("branch")
        if not branch:
            raise invalid("Missing required field: spec.branch")
        self._store.document(BRANCH, str(branch))
        return self._operations.start(
            self._synced.create(call.query.get("synced_table_id"), spec, call.caller.user_name)
        )

    def _update(self, call: Call) -> Json:
        name = _name(call)
        with self._documents.transaction():
            self._store.update(_kind(name), name, _masked(call), self._operations.due())
            return self._operations.start(name)

    def _delete(self, call: Call) -> Json:
        name = _name(call)
        if name.startswith(PREFIX):
            self._synced.delete(name)
        else:
            self._store.delete(_kind(name), name)
        return self._operations.start(name, deletes=True)

    def _operation(self, call: Call) -> Json:
        return self._operations.get(_name(call))

    def _show(self, name: str) -> Json:
        return self._synced.show(name) if name.startswith(PREFIX) else self._store.show(_kind(name), name)

    def _listing(self, kind: str) -> Handler:
        def listing(call: Call) -> Json:
            parent = _name(call)
            if kind != PROJECT:
                self._store.document(_kind(parent), parent)
            return {_LISTS[kind]: self._store.all(kind, parent if kind != PROJECT else "")}

        return listing


def _name(call: Call) -> str:
    """The resource that a path names; of a path that ends in a collection, the parent of the collection."""
    kinds = {
        "project": "projects",
        "branch": "branches",
        "endpoint": "endpoints",
        "table": "synced_tables",
        "operation": "operations",
    }
    return "/".join(f"{collection}/{call.path[kind]}" for kind, collection in kinds.items() if kind in call.path)


def _kind(name: str) -> str:
    return _KINDS[len(name.split("/")) // 2]


def _spec(call: Call) -> Json:
    return an_object("spec", call.body.get("spec"))


def _replaces(call: Call) -> bool:
    return call.query.get("replace_existing", "").lower() == "true"


def _masked(call: Call) -> Json:
    """The fields of the spec that `update_mask` names: `spec` or `*` for all of them, `spec.field` for one."""
    spec, mask = _spec(call), [path for path in call.query.get("update_mask", "").split(",") if path]
    if not mask:
        raise invalid("Missing required query parameter: update_mask")
    named: Json = {}
    for path in mask:
        if path in ("*", "spec"):
            named |= spec
        elif path.startswith("spec."):
            field = path.split(".")[1]
            if field not in spec:
                raise invalid(f"update_mask names '{path}', which the body does not have")
            named[field] = spec[field]
        elif path not in _INITIAL:
            raise invalid(f"update_mask '{path}' names no field that can be updated")
    return named
