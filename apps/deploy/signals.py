"""Ctrl-C and SIGTERM while the engine works: it ends what it has begun, and so does the call that started it.

A terminal sends Ctrl-C to the engine as well, which then stops at a safe point and leaves no lock. The Automation API
reads the engine's output in threads of this process: were it to end first, the engine would be killed by its next line,
in the middle of an operation.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_Handler = Callable[[int, FrameType | None], object] | int | None


@contextmanager
def finishing(tell: Callable[[str], None]) -> Iterator[None]:
    """Hold the first signal until the block is over; the second one ends the process as usual.

    Args:
        tell: gets a line when a signal comes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    before: dict[int, _Handler] = {}

    def put_back() -> None:
        for number, handler in before.items():
            # None is a handler that Python did not install and cannot put back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def held(number: int, _: FrameType | None) -> None:
        put_back()
        name = signal.Signals(number).name
        tell(f"{name}: waiting until the engine has ended what it has begun; a second signal does not wait")

    for number in _SIGNALS:
        before[number] = signal.signal(number, held)
    try:
        yield
    finally:
        put_back()
