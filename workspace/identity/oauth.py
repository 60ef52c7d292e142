"""OAuth for machines: secrets of service principals, and access tokens for whoever knows one.

As databricks-sdk 0.156 does it (`oauth.ClientCredentials`, `credentials_provider.oauth_service_principal`): discovery,
then `grant_type=client_credentials` with HTTP Basic or with the credentials in the form. A token is signed, not stored,
and valid for an hour whatever becomes of the secret; it ends with the service principal (page "Authorize service
principal access to Databricks with OAuth").
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from workspace.clock import Clock
from workspace.documents import Document, Documents
from workspace.errors import ApiError, bad_request, invalid, not_found
from workspace.http import Json
from workspace.identity.directory import SERVICE_PRINCIPAL, Directory, Principal

TOKEN_SECONDS = 3600
SECRET_SECONDS = 730 * 24 * 3600
MOST_SECRETS = 5
SCOPE = "all-apis"
_KIND = "oauth_secret"
_KEY_FILE = "oauth_key"


class OAuthError(ApiError):
    """A refusal of the token endpoint, in the shape of RFC 6749 section 5.2."""

    def body(self) -> dict[str, object]:
        return {"error": self.error_code, "error_description": self.message}


class ServicePrincipalSecrets:
    """Secrets of service principals: shown once, kept as their SHA-256."""

    def __init__(self, documents: Documents, clock: Clock) -> None:
        self._documents = documents
        self._clock = clock

    def create(self, principal: Principal, lifetime: object = None) -> Json:
        """Raises ApiError 400 where there are five already, or for a lifetime that cannot be ("3600s")."""
        seconds = SECRET_SECONDS if lifetime is None else _seconds(lifetime)
        if len(self.list(principal.id)) >= MOST_SECRETS:
            raise bad_request(f"A service principal can have at most {MOST_SECRETS} OAuth secrets; delete one first.")
        value = "dose" + secrets.token_hex(16)
        now = self._clock.now()
        info: Document = {
            "id": secrets.token_hex(16),
            "secret_hash": _digest(value),
            "create_time": _time(now),
            "update_time": _time(now),
            "expire_time": _time(now + seconds),
            "expires_at": now + seconds,
            "status": "ACTIVE",
        }
        self._documents.put(_KIND, f"{principal.id}/{info['id']}", info)
        return {"secret": value, **shown_secret(info)}

    def list(self, principal_id: str) -> list[Document]:
        found = [info for _, info in self._documents.list(_KIND, f"{principal_id}/")]
        return sorted(found, key=lambda info: float(info["expires_at"]))

    def delete(self, principal_id: str, secret_id: str) -> None:
        """Raises ApiError 404."""
        if not self._documents.delete(_KIND, f"{principal_id}/{secret_id}"):
            raise not_found(f"OAuth secret {secret_id} of service principal {principal_id} does not exist.")

    def delete_all(self, principal_id: str) -> None:
        for info in self.list(principal_id):
            self.delete(principal_id, info["id"])

    def matches(self, principal_id: str, value: str) -> bool:
        """Whether it is one of the principal's secrets that are valid now."""
        digest = _digest(value)
        return any(
            hmac.compare_digest(info["secret_hash"], digest)
            for info in self.list(principal_id)
            if float(info["expires_at"]) > self._clock.now()
        )


class AccessTokens:
    """Signed tokens (HMAC-SHA256) for service principals; the key is a file of mode 600 in the state folder."""

    def __init__(self, folder: Path, clock: Clock, directory: Directory, secrets_of: ServicePrincipalSecrets) -> None:
        self._key = _key(folder / _KEY_FILE)
        self._clock = clock
        self._directory = directory
        self._secrets = secrets_of

    def grant(self, form: dict[str, str], authorization: str, issuer: str) -> Json:
        """The answer of the token endpoint. Raises OAuthError as RFC 6749 has it."""
        if form.get("grant_type") != "client_credentials":
            raise OAuthError(
                400,
                "unsupported_grant_type",
                f"the embedded workspace grants client_credentials only, received {form.get('grant_type')!r}",
            )
        scope = form.get("scope") or SCOPE
        if SCOPE not in scope.split():
            raise OAuthError(
                400, "invalid_scope", f"the embedded workspace knows the scope {SCOPE}, received {scope!r}"
            )
        client_id, client_secret = _credentials(form, authorization)
        principal = self._directory.named(client_id, SERVICE_PRINCIPAL)
        if principal is None or not principal.active or not self._secrets.matches(principal.id, client_secret):
            raise OAuthError(401, "invalid_client", "Client authentication failed")
        now = int(self._clock.now())
        claims = {
            "iss": issuer,
            "sub": principal.name,
            "client_id": principal.name,
            "principal_id": principal.id,
            "scope": SCOPE,
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            "jti": secrets.token_hex(8),
        }
        return {
            "access_token": self._signed(claims),
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
            "scope": SCOPE,
        }

    def holder(self, token: str) -> tuple[str | None, bool]:
        """Id of the service principal a token was granted to, None for one that is not ours; whether it expired."""
        head, _, signature = token.rpartition(".")
        if not head or not hmac.compare_digest(signature.encode(), self._signature(head).encode()):
            return None, False
        claims = json.loads(_decoded(head.partition(".")[2]))
        return str(claims["principal_id"]), float(claims["exp"]) <= self._clock.now()

    def _signed(self, claims: dict[str, Any]) -> str:
        head = f"{_encoded({'alg': 'HS256', 'typ': 'JWT'})}.{_encoded(claims)}"
        return f"{head}.{self._signature(head)}"

    def _signature(self, head: str) -> str:
        return _base64(hmac.new(self._key, head.encode(), hashlib.sha256).digest())


def shown_secret(info: Document) -> Json:
    """What is said of a secret after it was made: everything but the secret."""
    return {name: value for name, value in info.items() if name != "expires_at"}


def _credentials(form: dict[str, str], authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        client_id, _, client_secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError as error:
        raise OAuthError(401, "invalid_client", "Client authentication failed") from error
    return client_id, client_secret


def _seconds(lifetime: object) -> int:
    text = str(lifetime)
    number = text.removesuffix("s")
    if not text.endswith("s") or not number.isdigit() or not 0 < int(number) <= SECRET_SECONDS:
        raise invalid(f"lifetime must be seconds from '1s' to '{SECRET_SECONDS}s', received {lifetime!r}")
    return int(number)


def _key(path: Path) -> bytes:
    if not path.exists():
        temporary = path.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(secrets.token_bytes(32))
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    return path.read_bytes()


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _encoded(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
