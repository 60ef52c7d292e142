"""Entries of access control lists, as the resource `Permissions` takes them, whatever the object is.

The provider takes one principal an entry, refuses group `admins`, which has every right already, and says so in the
middle of an update (`databricks:index/permissions:Permissions`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Protocol

import pulumi

from . import databricks


class PermissionEntry(Protocol):
    """Who gets which level; one of the three principals is set."""

    @property
    def level(self) -> str: ...

    @property
    def group(self) -> pulumi.Input[str] | None: ...

    @property
    def user(self) -> pulumi.Input[str] | None: ...

    @property
    def service_principal(self) -> pulumi.Input[str] | None: ...


class AccessControlError(ValueError):
    """An access control list cannot be set: whose, which entries, the fix."""


def check_entries(what: str, entries: Iterable[PermissionEntry]) -> None:
    """The rules of a list: one principal an entry, each principal once, no admins.

    Args:
        what: the object, for the message.

    Raises:
        AccessControlError: listing everything that is wrong. A principal that is known only in an update is left to it.
    """
    if problems := list(_problems(list(entries))):
        raise AccessControlError(f"permissions of {what}: " + "; ".join(problems))


def _problems(entries: list[PermissionEntry]) -> Iterator[str]:
    named: Counter[tuple[str, str]] = Counter()
    for entry in entries:
        kinds = {"group": entry.group, "user": entry.user, "service principal": entry.service_principal}
        given = {kind: name for kind, name in kinds.items() if name is not None}
        if len(given) != 1:
            yield f"{entry.level} is for {', '.join(given) or 'nobody'}; name one group, user or service principal each"
            continue
        # Names are told apart by kind, and not by case.
        named.update((kind, name.lower()) for kind, name in given.items() if isinstance(name, str))
    for (kind, name), count in named.items():
        if count > 1:
            yield f"{kind} {name} is named {count} times; give it its highest level, once"
    if ("group", "admins") in named:
        yield "group admins can manage everything and cannot be listed; remove it"


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
