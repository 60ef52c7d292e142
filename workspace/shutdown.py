"""The end of a server: polite for a while, then in any case.

What was acknowledged is on disk at every moment, as it must be for a kill, and the processes of served models and job
tasks end with their server; so nothing is lost by an end that does not wait for what hangs.
"""

from __future__ import annotations

import faulthandler
import signal
from types import FrameType

import uvicorn

# From the signal to the end of the process. Requests that are being answered get the first seconds of it.
END_SECONDS = 12
GRACEFUL_SECONDS = 4


class BoundedServer(uvicorn.Server):
    """Ends within END_SECONDS of SIGTERM or SIGINT. `kill -USR1` writes what every thread does to the log."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        faulthandler.register(signal.SIGUSR1)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Start the end; a thread that hangs past it is named in the log, with where it hangs."""
        faulthandler.dump_traceback_later(END_SECONDS, exit=True)
        super().handle_exit(sig, frame)
