"""Who may see the console: a browser that has shown the workspace's token once.

A browser sends no bearer header, so the login form takes the token and gives a session for it. The cookie holds the
session's id and opens the console only: the Gate takes bearer tokens and nothing else for every API. Its path is the
console's, and its name has the workspace's id, because cookies know no ports: two workspaces on one host would else
sign each other out. What is stored is a digest, so the state folder opens no session.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable

from workspace.documents import Documents

KIND = "console_session"
LIFETIME_SECONDS = 12 * 3600


class Sessions:
    """The sessions of one workspace; they outlive a restart, and end at sign-out or after twelve hours."""

    def __init__(
        self, documents: Documents, token: str, workspace_id: str, now: Callable[[], float] = time.time
    ) -> None:
        self._documents = documents
        self._token = token.encode()
        self._now = now
        self.cookie = f"workspace_console_{workspace_id}"

    def open(self, token: str) -> str | None:
        """The id of a new session; None where the token is not the workspace's."""
        if not hmac.compare_digest(token.strip().encode(), self._token):
            return None
        for key, session in self._documents.list(KIND):
            if session["expires"] <= self._now():
                self._documents.delete(KIND, key)
        session_id = secrets.token_urlsafe(32)
        self._documents.put(KIND, _digest(session_id), {"expires": self._now() + LIFETIME_SECONDS})
        return session_id

    def is_open(self, session_id: str) -> bool:
        session = self._documents.get(KIND, _digest(session_id))
        return session is not None and float(session["expires"]) > self._now()

    def close(self, session_id: str) -> None:
        self._documents.delete(KIND, _digest(session_id))

    def form_key(self, session_id: str) -> str:
        """What each form of the session's pages must send back. Another site cannot read it, so cannot send it."""
        return hmac.new(self._token, b"console form of " + session_id.encode(), hashlib.sha256).hexdigest()

    def is_form_key(self, session_id: str, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.form_key(session_id).encode())


def _digest(session_id: str) -> str:
    return hashlib.sha256(session_id.encode()).hexdigest()
