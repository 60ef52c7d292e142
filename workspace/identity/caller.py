"""Who asks: the workspace's owner, and the caller of the request that is being answered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from workspace.http import Caller

OWNER = Caller(user_name="owner@embedded.workspace", id="1000000001", groups=("admins", "users"))
"""Whoever has the generated token of the state folder: workspace admin, and owner of the metastore."""

_CURRENT: ContextVar[Caller] = ContextVar("workspace_caller", default=OWNER)


def current_caller() -> Caller:
    """The caller of the request that this thread or task works for; the owner outside of a request.

    What a service does by itself (a sync, a delivery, a schedule) it does as the owner, unless it says `acting_as`.
    """
    return _CURRENT.get()


@contextmanager
def acting_as(caller: Caller) -> Iterator[None]:
    """Have what happens inside the block be asked by `caller`."""
    token = _CURRENT.set(caller)
    try:
        yield
    finally:
        _CURRENT.reset(token)
