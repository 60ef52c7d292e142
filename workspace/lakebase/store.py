"""Projects, branches and endpoints of Lakebase, as documents by their resource name."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from workspace.clock import Clock
from workspace.documents import Documents
from workspace.errors import invalid, invalid_state, not_found
from workspace.http import Json
from workspace.lakebase import names
from workspace.lakebase.errors import ManagedByParentError
from workspace.lakebase.specs import (
    READ_WRITE,
    an_object,
    branch_status,
    endpoint_status,
    project_status,
    timestamp,
)

PROJECT, BRANCH, ENDPOINT = "lakebase_project", "lakebase_branch", "lakebase_endpoint"
# What comes with every project.
DEFAULT_BRANCH, DEFAULT_ENDPOINT = "production", "primary"
READY = {PROJECT: None, BRANCH: "READY", ENDPOINT: "ACTIVE"}


class LakebaseStore:
    """Stores and shows resources; `synced_tables` gives the names of the tables synced into a branch."""

    def __init__(self, documents: Documents, clock: Clock, synced_tables: Callable[[str], list[str]]) -> None:
        self._documents = documents
        self._clock = clock
        self._synced_tables = synced_tables

    def create_project(self, project_id: str, body: Json, owner: str, due: float) -> str:
        """A project with its branch and its endpoint; its name. ApiError 409 where the id is taken."""
        name, branch = names.project(project_id), names.branch(project_id, DEFAULT_BRANCH)
        status = project_status(an_object("spec", body.get("spec")), project_id, owner, branch)
        protected = bool(an_object("initial_branch_spec", body.get("initial_branch_spec")).get("is_protected"))
        endpoint_spec = {
            **{key: value for key, value in status["default_endpoint_settings"].items() if key != "pg_settings"},
            **an_object("initial_endpoint_spec", body.get("initial_endpoint_spec")),
            "endpoint_type": READ_WRITE,
        }
        endpoint = names.endpoint(project_id, DEFAULT_BRANCH, DEFAULT_ENDPOINT)
        uid = str(uuid.uuid4())
        made_branch = branch_status({"is_protected": protected}, DEFAULT_BRANCH, None, self._clock.now())
        made_endpoint = endpoint_status(endpoint_spec, DEFAULT_ENDPOINT, uid)
        with self._documents.transaction():
            if not self._documents.insert(PROJECT, name, self._new(name, status, due)):
                raise names.already_exists(name)
            self._put_new(BRANCH, branch, {**made_branch, "default": True}, due, parent=name)
            self._put_new(ENDPOINT, endpoint, made_endpoint, due, parent=branch, uid=uid)
        return name

    def create_branch(self, parent: str, branch_id: str, spec: Json, due: float, *, replace: bool) -> str:
        """A branch of a project; `replace` takes over the one that exists, instead of ApiError 409."""
        project = self.document(PROJECT, parent)
        name = f"{parent}/branches/{branch_id}"
        source = str(spec.get("source_branch") or project["status"]["default_branch"])
        if self._documents.get(BRANCH, name) is not None:
            if not replace:
                raise names.already_exists(name)
            return self.update(BRANCH, name, spec, due)
        self.document(BRANCH, source)
        status = branch_status(spec, branch_id, source, self._clock.now())
        self._put_new(BRANCH, name, {**status, "default": False}, due, parent=parent)
        return name

    def create_endpoint(self, parent: str, endpoint_id: str, spec: Json, due: float, *, replace: bool) -> str:
        """An endpoint of a branch, which has one that writes at most."""
        self.document(BRANCH, parent)
        name, uid = f"{parent}/endpoints/{endpoint_id}", str(uuid.uuid4())
        if self._documents.get(ENDPOINT, name) is not None:
            if not replace:
                raise names.already_exists(name)
            return self.update(ENDPOINT, name, spec, due)
        status = endpoint_status(spec, endpoint_id, uid)
        writers = [one for one in self.all(ENDPOINT, parent) if one["status"]["endpoint_type"] == READ_WRITE]
        if status["endpoint_type"] == READ_WRITE and writers:
            raise invalid(f"'{parent}' already has the {READ_WRITE} endpoint '{writers[0]['name']}'; it can have one")
        self._put_new(ENDPOINT, name, status, due, parent=parent, uid=uid)
        return name

    def update(self, kind: str, name: str, spec: Json, due: float) -> str:
        """Change what `spec` names; the rest stays. ApiError 404, 400."""

        def change(document: Json) -> None:
            before, short_id = document["status"], name.rpartition("/")[2]
            if kind == PROJECT:
                after = project_status(spec, short_id, before["owner"], before["default_branch"], before)
                self.document(BRANCH, after["default_branch"])
            elif kind == BRANCH:
                after = branch_status(spec, short_id, before.get("source_branch"), self._clock.now(), before)
            else:
                after = endpoint_status(spec, short_id, document["uid"], before)
            document.update(status=after, due=due, updated_at=self._clock.now())

        if self._documents.update(kind, name, change) is None:
            raise _missing(name)
        return name

    def delete(self, kind: str, name: str) -> None:
        """ApiError 404; 400 for what belongs to its parent, is protected, or is still in use."""
        document = self.document(kind, name)
        if kind == PROJECT:
            self._refuse_in_use(name)
        if kind == BRANCH:
            if document["status"]["default"]:
                raise ManagedByParentError(name, document["parent"])
            self._refuse_in_use(name)
            children = [one["name"] for one in self.all(BRANCH, document["parent"]) if _source(one) == name]
            if children:
                raise invalid_state(f"Branch '{name}' cannot be deleted: {', '.join(children)} were made of it.")
        if kind == ENDPOINT:
            if name.endswith(f"/branches/{DEFAULT_BRANCH}/endpoints/{DEFAULT_ENDPOINT}"):
                raise ManagedByParentError(name, document["parent"])
            self._refuse_protected(name, document["parent"])
        with self._documents.transaction():
            for child_kind in (BRANCH, ENDPOINT):
                for key, _ in self._documents.list(child_kind, f"{name}/"):
                    self._documents.delete(child_kind, key)
            self._documents.delete(kind, name)

    def document(self, kind: str, name: str) -> Json:
        found = self._documents.get(kind, name)
        if found is None:
            raise _missing(name)
        return found

    def all(self, kind: str, parent: str = "") -> list[Json]:
        """The resources of a kind below a parent, as clients see them."""
        return [self._shown(kind, found) for _, found in self._documents.list(kind, f"{parent}/" if parent else "")]

    def show(self, kind: str, name: str) -> Json:
        return self._shown(kind, self.document(kind, name))

    def _refuse_in_use(self, name: str) -> None:
        """A protected branch, or one that tables are synced into, holds itself and its project."""
        own = [name] if self._documents.get(BRANCH, name) is not None else []
        for branch in [*own, *(key for key, _ in self._documents.list(BRANCH, f"{name}/"))]:
            self._refuse_protected(name, branch)
            if tables := self._synced_tables(branch):
                raise invalid_state(
                    f"'{name}' cannot be deleted: {', '.join(tables)} are synced into branch '{branch}'. Delete the "
                    "synced tables first."
                )

    def _refuse_protected(self, name: str, branch: str) -> None:
        if self.document(BRANCH, branch)["status"]["is_protected"]:
            raise invalid_state(
                f"'{name}' cannot be deleted: branch '{branch}' is protected. Set its spec.is_protected to false first."
            )

    def _new(self, name: str, status: Json, due: float, *, parent: str | None = None, uid: str | None = None) -> Json:
        now = self._clock.now()
        return {
            "name": name,
            "parent": parent,
            "uid": uid or str(uuid.uuid4()),
            "status": status,
            "created_at": now,
            "updated_at": now,
            "due": due,
        }

    def _put_new(self, kind: str, name: str, status: Json, due: float, *, parent: str, uid: str | None = None) -> None:
        if not self._documents.insert(kind, name, self._new(name, status, due, parent=parent, uid=uid)):
            raise names.already_exists(name)

    def _shown(self, kind: str, document: Json) -> Json:
        status = dict(document["status"])
        ready = READY[kind]
        if ready is not None:
            settled = self._clock.now() >= document["due"]
            is_new = document["updated_at"] == document["created_at"]
            if kind == ENDPOINT and settled and status["disabled"]:
                ready = "IDLE"
            status["current_state"] = ready if settled or not is_new else "INIT"
            if not settled:
                status["pending_state"] = ready
        shown: Json = {
            "name": document["name"],
            "uid": document["uid"],
            "status": status,
            "create_time": timestamp(document["created_at"]),
            "update_time": timestamp(document["updated_at"]),
        }
        return {**shown, "parent": document["parent"]} if document["parent"] else shown


def _source(branch: Json) -> str | None:
    source: str | None = branch["status"].get("source_branch")
    return source


def _missing(name: str) -> Exception:
    return not_found(f"'{name}' does not exist.")
