"""Refusals of the SCIM API, in the shape of RFC 7644 section 3.12."""

from __future__ import annotations

from workspace.errors import ApiError

SCHEMA = "urn:ietf:params:scim:api:messages:2.0:Error"
_CODES = {400: "INVALID_PARAMETER_VALUE", 403: "PERMISSION_DENIED", 404: "RESOURCE_DOES_NOT_EXIST"}


class ScimError(ApiError):
    """`detail`, `status` and `scimType` instead of `error_code` and `message`."""

    def __init__(self, status: int, detail: str, *, scim_type: str | None = None) -> None:
        super().__init__(status, _CODES.get(status, "RESOURCE_CONFLICT"), detail)
        self._scim_type = scim_type

    def body(self) -> dict[str, object]:
        kind = {"scimType": self._scim_type} if self._scim_type else {}
        return {"schemas": [SCHEMA], "detail": self.message, "status": str(self.status), **kind}
