"""Resource names of Lakebase: `projects/{project}/branches/{branch}/endpoints/{endpoint}`, and what an id may be."""

from __future__ import annotations

import re

from workspace.errors import ApiError, invalid

# docs.databricks.com/api, Postgres: 1 to 63 characters, lower case letters, digits and hyphens, a letter first.
_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


def checked_id(field: str, value: str | None) -> str:
    """The id that a user chose for a resource; ApiError 400 naming the field where it cannot be one."""
    if not value:
        raise invalid(f"Missing required query parameter: {field}")
    if not _ID.fullmatch(value):
        raise invalid(
            f"{field} '{value}' is not valid: 1 to 63 lower case letters, digits and hyphens, a letter first, no "
            "hyphen last"
        )
    return value


def project(project_id: str) -> str:
    return f"projects/{project_id}"


def branch(project_id: str, branch_id: str) -> str:
    return f"{project(project_id)}/branches/{branch_id}"


def endpoint(project_id: str, branch_id: str, endpoint_id: str) -> str:
    return f"{branch(project_id, branch_id)}/endpoints/{endpoint_id}"


def project_of(name: str) -> str:
    """The project that a branch or an endpoint belongs to."""
    return "/".join(name.split("/")[:2])


def already_exists(name: str) -> ApiError:
    # Not RESOURCE_ALREADY_EXISTS, as elsewhere: the Postgres API answers in the codes of google.rpc.
    return ApiError(409, "ALREADY_EXISTS", f"'{name}' already exists.")
