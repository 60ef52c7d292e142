"""Personal access tokens: shown once, kept as their SHA-256.

A plain digest is enough, since a token is 128 random bits and no password. Source: databricks-sdk 0.156
`settings.TokensAPI`, `settings.TokenManagementAPI`; page "Manage personal access tokens".
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from workspace.clock import Clock
from workspace.documents import Document, Documents
from workspace.errors import ApiError, invalid, not_found
from workspace.http import Json

PREFIX = "dapi"
NEVER = -1
"""`expiry_time` of a token without one."""
MOST_PER_USER = 600
LONGEST_SECONDS = 730 * 24 * 3600
_KIND = "access_token"


class Tokens:
    """Tokens by the digest of their value."""

    def __init__(self, documents: Documents, clock: Clock) -> None:
        self._documents = documents
        self._clock = clock

    def issue(
        self,
        principal_id: str,
        *,
        lifetime_seconds: int | None = None,
        comment: str | None = None,
        created_by: str | None = None,
    ) -> tuple[str, Json]:
        """A new token of a principal: its value, which is nowhere afterwards, and what is kept of it.

        Args:
            created_by: id of the principal that asked, where it is another one (a token on behalf of somebody).

        Raises ApiError 400 for a lifetime that cannot be, or where the principal has 600 tokens.
        """
        if lifetime_seconds is not None:
            number = not isinstance(lifetime_seconds, bool) and isinstance(lifetime_seconds, int)
            if not number or not 0 < lifetime_seconds <= LONGEST_SECONDS:
                raise invalid(
                    f"lifetime_seconds must be a whole number from 1 to {LONGEST_SECONDS} (730 days), "
                    f"received {lifetime_seconds!r}"
                )
        if len(self._of(principal_id)) >= MOST_PER_USER:
            raise ApiError(
                400, "QUOTA_EXCEEDED", f"A user can have at most {MOST_PER_USER} access tokens; revoke one first."
            )
        value = PREFIX + secrets.token_hex(16)
        now = self._clock.now_ms()
        info: Document = {
            "token_id": secrets.token_hex(32),
            "creation_time": now,
            "expiry_time": NEVER if lifetime_seconds is None else now + lifetime_seconds * 1000,
            "comment": comment or "",
            "principal_id": principal_id,
            "created_by_id": created_by or principal_id,
        }
        self._documents.put(_KIND, _digest(value), info)
        return value, info

    def holder(self, value: str) -> str | None:
        """Id of the principal whose token this is; None for one that was never issued, or is revoked or expired."""
        info = self._documents.get(_KIND, _digest(value))
        if info is None or self._expired(info):
            return None
        return str(info["principal_id"])

    def valid(self, principal_id: str | None = None) -> list[Document]:
        """What is kept of the tokens that are valid: those of one principal, or all; the oldest first."""
        found = [info for info in self._of(principal_id) if not self._expired(info)]
        return sorted(found, key=lambda info: int(info["creation_time"]))

    def find(self, token_id: str) -> Document:
        """Raises ApiError 404."""
        found = [info for info in self.valid() if info["token_id"] == token_id]
        if not found:
            raise _missing(token_id)
        return found[0]

    def comment(self, token_id: str, text: str, principal_id: str | None = None) -> None:
        """Change a token's comment. Raises ApiError 404 where it is not there, or not the principal's."""
        self._documents.update(_KIND, self._key(token_id, principal_id), lambda info: info.update(comment=text))

    def revoke(self, token_id: str, principal_id: str | None = None) -> None:
        """End a token at once. Raises ApiError 404 where it is not there, or not the principal's."""
        self._documents.delete(_KIND, self._key(token_id, principal_id))

    def revoke_all(self, principal_id: str) -> None:
        """End every token of a principal that is deleted."""
        for info in self._of(principal_id):
            self.revoke(info["token_id"])

    def _key(self, token_id: str, principal_id: str | None) -> str:
        for key, info in self._documents.list(_KIND):
            if info["token_id"] == token_id and principal_id in (None, info["principal_id"]):
                return key
        raise _missing(token_id)

    def _of(self, principal_id: str | None) -> list[Document]:
        found = [info for _, info in self._documents.list(_KIND)]
        return [info for info in found if principal_id in (None, info["principal_id"])]

    def _expired(self, info: Document) -> bool:
        return info["expiry_time"] != NEVER and int(info["expiry_time"]) <= self._clock.now_ms()


def shown(info: Document) -> Json:
    """`PublicTokenInfo`: what the token API says of a token."""
    return {name: info[name] for name in ("token_id", "creation_time", "expiry_time", "comment")}


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def _missing(token_id: Any) -> ApiError:
    return not_found(f"Token with id {token_id} does not exist.")
