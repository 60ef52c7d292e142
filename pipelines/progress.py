"""One line for each step, with the seconds since the start."""

import sys
import time
from typing import Final, TextIO


class Progress:
    """Writes `[  1.2s] step: detail` lines to `stream` as things happen."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream: Final = stream if stream is not None else sys.stdout
        self._started: Final = time.monotonic()

    def say(self, step: str, detail: str) -> None:
        elapsed = time.monotonic() - self._started
        print(f"[{elapsed:6.1f}s] {step}: {detail}", file=self._stream, flush=True)
