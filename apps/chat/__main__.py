"""`python -m apps.chat --stack staging "What is Unity Catalog?"`: the answer on stdout, its sources below it.

Exit code 0: answered. 1: not answered. 2: there is no such stack, or there are no credentials; stderr says why.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from apps.client import (
    CredentialsError,
    OutputsError,
    PredictionClient,
    PredictionError,
    authorization,
    outputs_from_cli,
    outputs_from_json,
)
from apps.client.credentials import Authorization

PROJECT = Path(__file__).parents[2] / "examples" / "rag"
DONE, FAILED, REFUSED = 0, 1, 2


def ask(client: PredictionClient, question: str, *, deadline_seconds: float = 120.0) -> str:
    """The answer, and one line for each source.

    Raises:
        PredictionError: there was no usable answer, or it has no text.
    """
    (prediction,) = client.predict([{"query": question}], deadline_seconds=deadline_seconds).values
    answer = prediction.get("answer") if isinstance(prediction, dict) else None
    if not isinstance(answer, str):
        raise PredictionError("the endpoint answers without `answer`: is it a chatbot's?")
    return "\n".join([answer, *(f"  - {source}" for source in prediction.get("sources") or [])])


def main(arguments: Sequence[str] | None = None, *, headers: Authorization | None = None) -> int:
    """Ask one question; the exit code.

    Args:
        headers: of requests; those of the environment when None.
    """
    options = _parser().parse_args(arguments)
    try:
        outputs = (
            outputs_from_json(options.outputs.read_text(encoding="utf-8"))
            if options.outputs
            else outputs_from_cli(options.stack, folder=options.folder)
        )
        signed = headers or authorization(outputs.endpoint_url)
    except (OutputsError, CredentialsError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return REFUSED
    try:
        with PredictionClient(outputs.endpoint_url, signed) as client:
            print(ask(client, options.question))
    except (PredictionError, CredentialsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m apps.chat", description=__doc__, allow_abbrev=False)
    parser.add_argument("question")
    parser.add_argument("--stack", default="local", help="stack (default: %(default)s)")
    parser.add_argument("--folder", type=Path, default=PROJECT, help="of the Pulumi project (default: examples/rag)")
    parser.add_argument("--outputs", type=Path, help="JSON of `pulumi stack output --json`, in place of the engine")
    return parser


if __name__ == "__main__":
    sys.exit(main())
