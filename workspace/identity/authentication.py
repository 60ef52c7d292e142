"""From the `Authorization` header of a request to its caller."""

from __future__ import annotations

import hmac

from workspace.errors import ApiError, unauthenticated
from workspace.http import Caller
from workspace.identity.caller import OWNER
from workspace.identity.directory import SERVICE_PRINCIPAL, USER, Directory
from workspace.identity.oauth import AccessTokens
from workspace.identity.tokens import PREFIX, Tokens


class Authentication:
    """Knows the generated token of the workspace's owner, personal access tokens and OAuth access tokens."""

    def __init__(self, owner_token: str, directory: Directory, tokens: Tokens, access_tokens: AccessTokens) -> None:
        self._owner_token = owner_token.encode()
        self._directory = directory
        self._tokens = tokens
        self._access_tokens = access_tokens

    def __call__(self, authorization: str) -> Caller:
        """Raises ApiError 401 for anything but a valid token of a principal that is there and active."""
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise unauthenticated("Credential was not sent or was of an unsupported type for this API.")
        principal_id = self._holder(token)
        kinds = (USER, SERVICE_PRINCIPAL)
        principal = next((one for kind in kinds if (one := self._directory.get(kind, principal_id))), None)
        if principal is None:
            raise _invalid()
        if not principal.active:
            raise unauthenticated(f"{principal.kind} {principal.name} is inactive.")
        return self._directory.caller(principal)

    def _holder(self, token: str) -> str:
        if hmac.compare_digest(token.encode(), self._owner_token):
            return OWNER.id
        if token.startswith(PREFIX):
            found = self._tokens.holder(token)
        else:
            found, expired = self._access_tokens.holder(token)
            if expired:
                raise unauthenticated("Access token has expired.")
        if found is None:
            raise _invalid()
        return found


def _invalid() -> ApiError:
    return unauthenticated("Invalid access token.")
