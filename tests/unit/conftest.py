"""Every unit test, its fixtures of any scope included, starts with an event loop of its own.

`pulumi.Output` takes the current loop, and an earlier test's `asyncio.run` leaves a process without one: which tests
share a process is decided anew by every parallel run.
"""

from __future__ import annotations

import pytest

from tests.unit.recording import fresh_event_loop


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    fresh_event_loop()
