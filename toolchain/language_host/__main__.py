"""`python -m toolchain.language_host --executor PATH [flags] ENGINE_ADDRESS`: prints its port, then serves until told
to stop."""

from __future__ import annotations

import argparse
import os
import signal
import stat
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from types import FrameType

import grpc

from toolchain.language_host.children import QUIET_SECONDS, Children
from toolchain.provider.lean import skip_init

#: One call lasts as long as the program or plugin it runs, so there have to be more workers than a stack has plugins.
WORKERS = 64

#: The engine lifts gRPC's 4 MB limit for states and schemas; so does the official host.
MESSAGE_BYTES = 400 * 1024 * 1024


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="pulumi-language-python", description=__doc__, allow_abbrev=False)
    parser.add_argument("--executor", type=Path, required=True, help="path of pulumi-language-python-exec")
    parser.add_argument("engine", nargs="?", default="", help="the engine's address")
    # The engine puts its own logging and tracing flags before the address.
    parser.add_argument("--logtostderr", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("-v", dest="verbosity", help=argparse.SUPPRESS)
    parser.add_argument("--tracing", help=argparse.SUPPRESS)
    parsed = parser.parse_args(arguments)

    # The engine waits for this process in every command, and of `pulumi` it needs the generated protos only.
    skip_init("pulumi", "pulumi.runtime", "pulumi.runtime.proto")
    from pulumi.runtime.proto import language_pb2_grpc

    from toolchain.language_host.servicer import PythonLanguageHost

    children = Children()
    interrupted = threading.Event()
    engine_gone = threading.Event()
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        interrupted.set()
        stop.set()

    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, on_signal)
    _watch_engine(engine_gone, stop)

    server = grpc.server(
        ThreadPoolExecutor(max_workers=WORKERS),
        options=[("grpc.max_receive_message_length", MESSAGE_BYTES), ("grpc.max_send_message_length", MESSAGE_BYTES)],
    )
    host = PythonLanguageHost(
        executor=parsed.executor,
        engine_address=parsed.engine,
        version=metadata.version("pulumi"),
        children=children,
    )
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()

    stop.wait()
    # Interrupted by a living engine, the program was interrupted with us and is ending; a dead engine told it nothing.
    children.stop_all(quiet_seconds=0.0 if engine_gone.is_set() else QUIET_SECONDS)
    server.stop(grace=0.2).wait()
    return 0


def _watch_engine(engine_gone: threading.Event, stop: threading.Event) -> None:
    """The engine holds the other end of our stdin: it closes when the engine ends, however it ends."""
    if not stat.S_ISFIFO(os.fstat(0).st_mode):
        return

    def watch() -> None:
        while os.read(0, 4096):
            pass
        engine_gone.set()
        stop.set()

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
