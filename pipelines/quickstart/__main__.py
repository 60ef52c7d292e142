"""`python -m pipelines.quickstart`: see `--help`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from databricks.sdk.errors.base import DatabricksError

from pipelines.churn.request import Request
from pipelines.connection import connect
from pipelines.errors import PipelineError
from pipelines.progress import Progress


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the pipeline as the command line says: 0 when all is up to date, 1 with a message on stderr if not."""
    options = _parser().parse_args(arguments)
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    from pipelines.quickstart.pipeline import run

    request = Request(
        catalog=options.catalog,
        schema=options.schema,
        data=options.data,
        warehouse_id=options.warehouse_id or os.environ.get("DATABRICKS_WAREHOUSE_ID"),
    )
    try:
        run(request, connect(), Progress())
    except (PipelineError, DatabricksError) as error:
        print(f"pipelines.quickstart: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.quickstart",
        description="Customers to a table and a plain churn model, to be scored in bulk. "
        "The workspace and its credentials come from the environment (DATABRICKS_HOST, DATABRICKS_TOKEN).",
    )
    parser.add_argument("--catalog", required=True)
    parser.add_argument("--schema", required=True, help="created when it is not there")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="folder with telco_churn.csv; else a sample")
    parser.add_argument(
        "--warehouse-id", metavar="ID", help="SQL warehouse (default: DATABRICKS_WAREHOUSE_ID, else a running one)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
