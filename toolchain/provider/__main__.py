"""The plugin's process: prints its port, then serves until the engine is gone."""

from toolchain.provider.lean import skip_init

skip_init("pulumi", "pulumi.runtime", "databricks.sdk")

# The imports below must see the packages that were registered above.
import os  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402
from concurrent.futures import ThreadPoolExecutor  # noqa: E402
from typing import Final  # noqa: E402

import grpc  # noqa: E402
from pulumi.runtime.proto import provider_pb2_grpc  # noqa: E402

from toolchain.provider.engine import Engine  # noqa: E402
from toolchain.provider.servicer import Provider  # noqa: E402

_THREADS: Final = 32
"""An endpoint that waits occupies one for up to 45 minutes; the engine sends about twice the CPU count at a time by "
"default."""
_MESSAGE_BYTES: Final = 400 * 1024 * 1024
"""Pulumi's own limit (``rpcutil.GrpcChannelOptions``)."""


def main() -> int:
    """Serves the engine whose address is the last argument."""
    if len(sys.argv) < 2:
        print("usage: python -m toolchain.provider <engine address>", file=sys.stderr)
        return 2
    engine = Engine(sys.argv[-1])
    gone = threading.Event()
    engine.watch(gone.set)
    server = grpc.server(
        ThreadPoolExecutor(max_workers=_THREADS),
        options=[("grpc.max_receive_message_length", _MESSAGE_BYTES), ("grpc.max_send_message_length", _MESSAGE_BYTES)],
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Provider(engine), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    gone.wait()
    os._exit(0)  # a request that still waits for the workspace must not hold the process


if __name__ == "__main__":
    sys.exit(main())
