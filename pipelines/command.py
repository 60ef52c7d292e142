"""What the commands of all pipelines share: their common options, their environment, and how they end."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors.base import DatabricksError

from pipelines.connection import connect
from pipelines.errors import PipelineError
from pipelines.progress import Progress

_QUIET = {
    # MLflow warns of pickles, and of an input example that it cannot try out without what the model asks; both are
    # expected.
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


def parser_of(name: str, what: str, *, data: str, sampled: str | None = None) -> argparse.ArgumentParser:
    """A parser with the options that all pipelines have.

    Args:
        name: of the pipeline, as in `python -m pipelines.<name>`.
        what: what it makes of what; the help begins with it.
        data: what `--data` names.
        sampled: what `--sample-seed` generates where no data is named; no such option when left out.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m pipelines.{name}",
        description=f"{what} "
        "The workspace and its credentials come from the environment (DATABRICKS_HOST, DATABRICKS_TOKEN).",
    )
    parser.add_argument("--catalog", required=True)
    parser.add_argument("--schema", required=True, help="created when it is not there")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help=data)
    if sampled is not None:
        parser.add_argument(
            "--sample-seed", type=int, default=7, help=f"seed of the generated {sampled} (default %(default)s)"
        )
    parser.add_argument(
        "--warehouse-id",
        metavar="ID",
        default=os.environ.get("DATABRICKS_WAREHOUSE_ID"),
        help="SQL warehouse (default: DATABRICKS_WAREHOUSE_ID, else a running one)",
    )
    return parser


def carry_out(name: str, work: Callable[[WorkspaceClient, Progress], object]) -> int:
    """Do the work on the workspace of the environment: 0 when it is done, 1 with a message on stderr if not."""
    for variable, value in _QUIET.items():
        os.environ.setdefault(variable, value)
    try:
        work(connect(), Progress())
    except (PipelineError, DatabricksError) as error:
        print(f"pipelines.{name}: {error}", file=sys.stderr)
        return 1
    return 0
