"""URLs that carry their own permission: one method on one path until a moment, signed with HMAC-SHA256."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from workspace.errors import invalid, permission_denied

PREFIX = "/_blob"
DEFAULT_SECONDS = 15 * 60
MAX_SECONDS = 60 * 60


class UrlSigner:
    """Signs and verifies; the key is derived from the workspace's token, so a new token voids every URL."""

    def __init__(self, token: str) -> None:
        self._key = hmac.new(token.encode(), b"presigned-url", hashlib.sha256).digest()

    def url(self, base: str, method: str, api_path: str, *, expires: int, **parameters: str) -> str:
        query = {**parameters, "expires": str(expires)}
        query["signature"] = self._signature(method, api_path, query)
        return f"{base}{PREFIX}{quote(api_path)}?{urlencode(query)}"

    def verify(self, method: str, api_path: str, query: Mapping[str, str]) -> None:
        """ApiError 403 unless this very URL was signed for this method and has not expired."""
        parameters = {name: value for name, value in query.items() if name != "signature"}
        expected = self._signature(method, api_path, parameters)
        if not hmac.compare_digest(expected, query.get("signature", "")):
            raise permission_denied(
                f"The presigned URL does not allow {method} {api_path}: its signature does not match"
            )
        if int(parameters.get("expires", "0")) < time.time():
            raise permission_denied(f"The presigned URL for {api_path} has expired; ask for a new one")

    def _signature(self, method: str, api_path: str, parameters: Mapping[str, str]) -> str:
        text = "\n".join([method, api_path, *(f"{name}={parameters[name]}" for name in sorted(parameters))])
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()


def expiry(requested: str | None) -> int:
    """Seconds since the epoch: the moment asked for (ISO 8601), at most an hour away; by default in 15 minutes."""
    now = int(time.time())
    if not requested:
        return now + DEFAULT_SECONDS
    try:
        moment = datetime.fromisoformat(requested)
    except ValueError as error:
        raise invalid(f"Invalid expire_time {requested!r}: expected ISO 8601, such as 2026-11-21T00:45:08Z") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(int(moment.timestamp()), now + MAX_SECONDS)
