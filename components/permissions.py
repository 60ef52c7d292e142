"""Entries of access control lists, as the resource `Permissions` takes them, whatever the object is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from . import databricks


class PermissionEntry(Protocol):
    """Who gets which level; one of the three principals is set."""

    @property
    def level(self) -> str: ...

    @property
    def group(self) -> str | None: ...

    @property
    def user(self) -> str | None: ...

    @property
    def service_principal(self) -> str | None: ...


def access_controls(entries: Iterable[PermissionEntry]) -> list[databricks.PermissionsAccessControlArgs]:
    """The entries in the resource's terms, in the order given."""
    return [
        databricks.PermissionsAccessControlArgs(
            permission_level=entry.level,
            group_name=entry.group,
            user_name=entry.user,
            service_principal_name=entry.service_principal,
        )
        for entry in entries
    ]
