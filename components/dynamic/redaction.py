"""Takes secrets out of any text that leaves a provider: errors, progress lines, reports. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

MASK = "[redacted]"
# Shorter values would blank out ordinary words; nobody's credential is shorter.
_SHORTEST_SECRET = 6

SENSITIVE_NAME = re.compile(
    r"(token|secret|password|passwd|passphrase|credential|api[-_]?key|access[-_]?key|sas)", re.IGNORECASE
)

# What a credential looks like when it is none that was configured: one that a server echoed, or somebody else's.
_SHAPES = (
    re.compile(r"\bdapi[0-9a-f]{16,}(?:-\d+)?\b"),
    re.compile(r"\bdose[0-9a-f]{16,}\b"),
    re.compile(r"\bdkea[0-9a-f]{16,}\b"),
    re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*"),
)
_HEADER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}")
_ASSIGNED = re.compile(
    r"(?i)([\"']?[\w-]*(?:token|secret|password|passwd|passphrase|credential|api[-_]?key|access[-_]?key)[\"']?\s*[:=]\s*)"
    r"(\"[^\"]*\"|'[^']*'|[^\s,;&}\]]+)"
)


class Redactor:
    """Replaces known secrets, in the forms they travel in, and what has the shape of one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {form for secret in secrets if len(secret) >= _SHORTEST_SECRET for form in _forms(secret)}
        # Longest first, so that a secret that contains another one goes as a whole.
        self._known = sorted(known, key=len, reverse=True)

    @classmethod
    def of(cls, *sources: Mapping[str, object]) -> Redactor:
        """A redactor for every text in `sources` whose key sounds like a secret (settings, environment variables)."""
        return cls(
            value
            for source in sources
            for key, value in source.items()
            if isinstance(value, str) and SENSITIVE_NAME.search(key)
        )

    def __call__(self, text: str) -> str:
        for secret in self._known:
            text = text.replace(secret, MASK)
        for shape in _SHAPES:
            text = shape.sub(MASK, text)
        text = _HEADER.sub(rf"\1 {MASK}", text)
        return _ASSIGNED.sub(rf"\1{MASK}", text)

    def __repr__(self) -> str:
        return f"Redactor({len(self._known)} forms)"


def _forms(secret: str) -> set[str]:
    encoded = secret.encode()
    return {
        secret,
        quote(secret, safe=""),
        base64.b64encode(encoded).decode(),
        secret.encode("unicode_escape").decode(),
    }
