"""The Files API: files of models by their model's privileges, of volumes by READ VOLUME and WRITE VOLUME, artifacts of
runs by their experiment's permissions.

Source: page "Files API" with the privileges that each path asks for (`/Volumes`, `/Models`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from workspace.access.rules import Rights, Rule
from workspace.access.tracking_rules import EDIT, KIND, READ
from workspace.errors import ApiError, permission_denied
from workspace.http import Call
from workspace.unity_catalog.privileges import Privileges
from workspace.unity_catalog.securables import CATALOG, FUNCTION, SCHEMA, VOLUME

FILES = "/api/2.0/fs/files"
DIRECTORIES = "/api/2.0/fs/directories"
_ARTIFACTS = ("WorkspaceInternal", "Mlflow", "Artifacts")
_UNITY = {"Models": (FUNCTION, "EXECUTE", "CREATE_MODEL_VERSION"), "Volumes": (VOLUME, "READ_VOLUME", "WRITE_VOLUME")}


class FileRules:
    """What each call of the Files API needs, by the path it names."""

    def __init__(self, privileges: Privileges, rights: Rights) -> None:
        self._privileges = privileges
        self._rights = rights

    def all(self) -> list[Rule]:
        reads = [f"GET {FILES}/{{path:path}}", f"GET {DIRECTORIES}/{{path:path}}"]
        writes = [
            *(f"{method} {FILES}/{{path:path}}" for method in ("PUT", "DELETE", "POST")),
            *(f"{method} {DIRECTORIES}/{{path:path}}" for method in ("PUT", "DELETE")),
        ]
        urls = {"create-download-url": False, "create-upload-url": True}
        urls |= dict.fromkeys(("create-upload-part-urls", "create-abort-upload-url"), True)
        by_path = [(route, False) for route in reads] + [(route, True) for route in writes]
        return [
            *(
                Rule(
                    method=route.partition(" ")[0],
                    path=route.partition(" ")[2],
                    check=self._checked(writes=changes),
                    for_admins=True,
                )
                for route, changes in by_path
            ),
            *(
                Rule(
                    method="POST",
                    path=f"/api/2.0/fs/{name}",
                    check=self._checked(writes=changes),
                    reads_body=True,
                    for_admins=True,
                )
                for name, changes in urls.items()
            ),
        ]

    def _checked(self, *, writes: bool) -> Callable[[Call], None]:
        def check(call: Call) -> None:
            for path in set(_paths(call)):
                self._check(call, [part for part in path.split("/") if part], writes=writes)

        return check

    def _check(self, call: Call, parts: list[str], *, writes: bool) -> None:
        if tuple(parts[:3]) == _ARTIFACTS:
            if not call.caller.admin:
                self._check_artifacts(call, parts, writes=writes)
        elif parts[:1] and parts[0] in _UNITY:
            kind, read, write = _UNITY[parts[0]]
            try:
                if len(parts) >= 4:
                    full_name = ".".join(parts[1:4]).lower()
                    self._privileges.require(call.caller, write if writes else read, kind, full_name)
                elif len(parts) > 1:
                    container = SCHEMA if len(parts) == 3 else CATALOG
                    self._privileges.require_read(call.caller, container, ".".join(parts[1:]).lower())
                elif not self._privileges.is_metastore_admin(call.caller):
                    raise permission_denied(f"User {call.caller.user_name} cannot list /{parts[0]} as a whole.")
            except ApiError as error:
                # What is missing is refused by the service, in its own words.
                if error.status not in (400, 404):
                    raise

    def _check_artifacts(self, call: Call, parts: list[str], *, writes: bool) -> None:
        if len(parts) < 4:
            raise permission_denied(f"User {call.caller.user_name} cannot list the artifacts of all experiments.")
        self._rights.require(call.caller, EDIT if writes else READ, KIND, parts[3])


def _paths(call: Call) -> Iterator[str]:
    """Every API path in the request."""
    for source in (call.path, call.query, call.body):
        if isinstance(source.get("path"), str):
            yield source["path"]
