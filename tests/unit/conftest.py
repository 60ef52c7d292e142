"""Every unit test, its fixtures of any scope included, starts with an event loop of its own.

`pulumi.Output` takes the current loop, and an earlier test's `asyncio.run` leaves a process without one: which tests
share a process is decided anew by every parallel run.
"""

from __future__ import annotations

import asyncio

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    asyncio.set_event_loop(asyncio.new_event_loop())
