"""`python -m apps.deploy <command>`: status lines on stderr, the result as one line of JSON on stdout.

Exit code 0: done. 1: it was tried and failed. 2: it was not tried, and stderr says why. 130: interrupted.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from databricks.sdk.errors.base import DatabricksError

from apps.deploy.model_uri import ModelUriError
from apps.deploy.project import ROOT, DeployError, DeployFailedError
from apps.deploy.rag import PROJECT, deploy_rag_model
from apps.deploy.rollback import roll_back
from apps.deploy.taxi import create_online_tables, deploy, deploy_with_online_tables

DONE, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "create-online-tables":
            print(json.dumps(create_online_tables(options.env, folder=options.folder or ROOT)))
            return DONE
        if options.command == "rag":
            rag = deploy_rag_model(
                options.model_name,
                options.model_version,
                options.endpoint_name,
                options.workload_size,
                folder=options.folder or PROJECT,
                stack=options.stack,
            )
            print(rag.document())
            return DONE if rag.status == "success" else FAILED
        folder = options.folder or ROOT
        if options.command == "rollback":
            back = roll_back(options.stack, folder=folder)
            print(back.document())
            return DONE if back.status == "success" else FAILED
        taxi = (
            deploy(options.model_uri, options.env, online_tables=options.online_tables, folder=folder)
            if options.command == "deploy"
            else deploy_with_online_tables(options.model_uri, options.env, folder=folder)
        )
        print(taxi.document())
        return DONE if taxi.status == "success" else FAILED
    except (DeployError, ModelUriError) as error:
        print(f"apps.deploy: {error}", file=sys.stderr)
        return REFUSED
    except DeployFailedError as error:
        print(f"apps.deploy: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("apps.deploy: interrupted", file=sys.stderr)
        return INTERRUPTED
    except (DatabricksError, TimeoutError, ValueError) as error:
        # The SDK has no class of its own for missing or wrong credentials, nor for retries that took too long.
        reason = str(error).partition(" Config: ")[0]
        print(f"apps.deploy: the workspace cannot be asked: {reason}", file=sys.stderr)
        return REFUSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m apps.deploy",
        description='Deploy a model version by one call. The engine comes from the shell: eval "$(make -s env)".',
    )
    commands = parser.add_subparsers(dest="command", required=True)
    tables = commands.add_parser("create-online-tables", help="the online tables of the taxi stack, nothing else")
    both = commands.add_parser("deploy-with-online-tables", help="the taxi stack with this model version")
    older = commands.add_parser("deploy", help="deprecated: the same")
    older.add_argument(
        "--no-online-tables",
        dest="online_tables",
        action="store_false",
        help="refuse where an online store or table would be made",
    )
    for command in (both, older):
        command.add_argument("--model-uri", required=True, help="catalog.schema.model/15, or @alias in place of /15")
    for command in (tables, both, older):
        command.add_argument("--env", required=True, help="staging, prod (or local, the embedded workspace)")
    rag = commands.add_parser("rag", help="a chatbot's version onto its endpoint")
    rag.add_argument("--model-name", required=True)
    rag.add_argument("--model-version", required=True, type=int)
    rag.add_argument("--endpoint-name", required=True)
    rag.add_argument("--workload-size", default="Medium", help="Small, Medium, Large (default %(default)s)")
    rag.add_argument("--stack", help="needed where several stack files name the endpoint")
    back = commands.add_parser("rollback", help="the version before, in place of the one that runs")
    back.add_argument("--stack", required=True)
    for command in (tables, both, older, rag, back):
        command.add_argument("--folder", type=Path, help="of the Pulumi project (default: this checkout's own)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
