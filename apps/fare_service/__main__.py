"""`python -m apps.fare_service --stack prod [--project FOLDER] [--port 8080]`: the service, on loopback.

The stack's outputs come from the Pulumi CLI, or from `--outputs FILE` (`pulumi stack output --json`) where a container
has none. Credentials come from the environment, as databricks-sdk reads them. SIGTERM and Ctrl-C end it when the
requests under way are answered.
"""

from __future__ import annotations

import argparse
import logging
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from apps.client import (
    AsyncPredictionClient,
    CredentialsError,
    OutputsError,
    authorization,
    outputs_from_cli,
    outputs_from_json,
)
from apps.fare_service.service import DEADLINE_SECONDS, build_service

PORT = 8080


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 1, and a message on stderr, where there are no outputs or no credentials; 3 where the port is taken."""
    parser = argparse.ArgumentParser(prog="python -m apps.fare_service", description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--stack", help="name of the stack")
    source.add_argument("--outputs", type=Path, help="file with the output of `pulumi stack output --json`")
    parser.add_argument("--project", default=".", help="folder of the Pulumi project (default: %(default)s)")
    parser.add_argument("--port", type=int, default=PORT, help="port on 127.0.0.1 (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        outputs = (
            outputs_from_cli(options.stack, folder=options.project)
            if options.stack
            else outputs_from_json(options.outputs.read_text(encoding="utf-8"))
        )
        headers = authorization(outputs.endpoint_url)
    except (OutputsError, CredentialsError, OSError) as error:
        print(f"fare_service: {error}", file=sys.stderr)
        return 1
    import uvicorn

    logging.basicConfig(level=logging.INFO, format="%(levelname)s:     %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each request, which uvicorn writes already
    service = build_service(outputs, AsyncPredictionClient(outputs.endpoint_url, headers))
    # Requests under way are answered before the process ends: none takes longer than its deadline.
    graceful = math.ceil(DEADLINE_SECONDS) + 1
    uvicorn.run(service, host="127.0.0.1", port=options.port, log_level="info", timeout_graceful_shutdown=graceful)
    return 0


if __name__ == "__main__":
    sys.exit(main())
