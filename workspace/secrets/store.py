"""What is kept of secrets, in a file of their own that nobody else on the machine can read.

Sources: databricks-sdk 0.156 `workspace.SecretsAPI` (names, limits, error codes); page "Secret management".
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workspace.clock import Clock
from workspace.documents import Document, Documents
from workspace.errors import ApiError, invalid, not_found

FILE = "secrets.db"
MOST_SCOPES = 1000
MOST_SECRETS = 1000
LONGEST_VALUE = 128 * 1024
PERMISSIONS = ("READ", "WRITE", "MANAGE")
"""The least first: who has one has those before it."""
_NAME = re.compile(r"[A-Za-z0-9_.@-]{1,128}")
_SCOPE, _SECRET, _ACL = "scope", "secret", "acl"


class SecretStore:
    """Scopes by name, secrets by scope and key, permissions by scope and principal."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        path = folder / FILE
        # Made before SQLite does, and with its mode: the files beside it get the same.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
        self._documents = Documents(path)
        self._clock = clock

    # --- scopes ------------------------------------------------------------------------------------------------------

    def create_scope(self, name: str, manager: str) -> None:
        """Raises ApiError 400 for a name that cannot be or is taken, or where there are 1000 scopes."""
        _check_name(name, "scope")
        if len(self.scopes()) >= MOST_SCOPES:
            raise _limit(f"a workspace has at most {MOST_SCOPES} secret scopes")
        if not self._documents.insert(_SCOPE, name, {"name": name, "backend_type": "DATABRICKS"}):
            raise ApiError(400, "RESOURCE_ALREADY_EXISTS", f"Scope {name} already exists!")
        self._documents.put(_ACL, f"{name}/{manager}", {"principal": manager, "permission": "MANAGE"})

    def scopes(self) -> list[Document]:
        return [document for _, document in self._documents.list(_SCOPE)]

    def has_scope(self, name: str) -> bool:
        return self._documents.get(_SCOPE, name) is not None

    def require_scope(self, name: str) -> None:
        """Raises ApiError 404."""
        if not self.has_scope(name):
            raise not_found(f"Scope {name} does not exist!")

    def delete_scope(self, name: str) -> None:
        """Delete a scope with what is in it."""
        self.require_scope(name)
        self._documents.delete(_SCOPE, name)
        for kind in (_SECRET, _ACL):
            for key, _ in self._documents.list(kind, f"{name}/"):
                self._documents.delete(kind, key)

    # --- secrets -----------------------------------------------------------------------------------------------------

    def put(self, scope: str, key: str, body: Mapping[str, Any]) -> None:
        """Write a secret over. `body` has `string_value`, or `bytes_value` in base64; no error repeats either."""
        _check_name(key, "key")
        value = _value(body)
        there = self._documents.list(_SECRET, f"{scope}/")
        if len(there) >= MOST_SECRETS and f"{scope}/{key}" not in {name for name, _ in there}:
            raise _limit(f"a secret scope has at most {MOST_SECRETS} secrets")
        encoded = base64.b64encode(value).decode()
        secret = {"key": key, "value": encoded, "last_updated_timestamp": self._clock.now_ms()}
        self._documents.put(_SECRET, f"{scope}/{key}", secret)

    def listed(self, scope: str) -> list[Document]:
        """Keys with when they were written, without values."""
        found = self._documents.list(_SECRET, f"{scope}/")
        return [{name: one[name] for name in ("key", "last_updated_timestamp")} for _, one in found]

    def get(self, scope: str, key: str) -> bytes | None:
        found = self._documents.get(_SECRET, f"{scope}/{key}")
        return base64.b64decode(found["value"]) if found else None

    def delete(self, scope: str, key: str) -> None:
        """Raises ApiError 404."""
        if not self._documents.delete(_SECRET, f"{scope}/{key}"):
            raise not_found(f"Secret does not exist with scope: {scope} and key: {key}")

    # --- access control ----------------------------------------------------------------------------------------------

    def acls(self, scope: str) -> list[Document]:
        return [document for _, document in self._documents.list(_ACL, f"{scope}/")]

    def acl(self, scope: str, principal: str) -> Document:
        """Raises ApiError 404."""
        found = self._documents.get(_ACL, f"{scope}/{principal}")
        if found is None:
            raise not_found(f"Unable to find ACL for principal {principal} on scope {scope}.")
        return found

    def put_acl(self, scope: str, principal: str, permission: object) -> None:
        if permission not in PERMISSIONS:
            raise invalid(f"permission must be one of {', '.join(PERMISSIONS)}, received {permission!r}")
        self._documents.put(_ACL, f"{scope}/{principal}", {"principal": principal, "permission": permission})

    def delete_acl(self, scope: str, principal: str) -> None:
        self.acl(scope, principal)
        self._documents.delete(_ACL, f"{scope}/{principal}")


def _value(body: Mapping[str, Any]) -> bytes:
    given = [name for name in ("string_value", "bytes_value") if body.get(name) is not None]
    if len(given) != 1:
        raise ApiError(
            400, "MALFORMED_REQUEST", f"Exactly one of string_value and bytes_value is given; received {len(given)}"
        )
    text = body[given[0]]
    if not isinstance(text, str):
        raise invalid(f"{given[0]} must be a string")
    try:
        value = text.encode() if given[0] == "string_value" else base64.b64decode(text, validate=True)
    except ValueError:
        # Nothing of the cause: it could hold part of the value.
        raise invalid("bytes_value must be base64") from None
    if len(value) > LONGEST_VALUE:
        raise invalid(
            f"The secret value has {len(value)} bytes and exceeds the limit of {LONGEST_VALUE} bytes (128 KB)"
        )
    return value


def _check_name(name: str, what: str) -> None:
    if not _NAME.fullmatch(name):
        raise invalid(f"Invalid {what} '{name}': 1 to 128 alphanumeric characters, dashes, underscores, @ and periods")


def _limit(message: str) -> ApiError:
    return ApiError(400, "RESOURCE_LIMIT_EXCEEDED", f"The limit is reached: {message}.")
