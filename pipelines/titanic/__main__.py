"""`python -m pipelines.titanic`: see `--help`."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from databricks.sdk.errors.base import DatabricksError

from pipelines.connection import connect
from pipelines.errors import PipelineError
from pipelines.progress import Progress
from pipelines.titanic.pipeline import run
from pipelines.titanic.request import Request


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the pipeline as the command line says: 0 when all is up to date, 1 with a message on stderr if not."""
    options = _parser().parse_args(arguments)
    request = Request(
        catalog=options.catalog,
        schema=options.schema,
        data=options.data,
        sample_seed=options.sample_seed,
        warehouse_id=options.warehouse_id or os.environ.get("DATABRICKS_WAREHOUSE_ID"),
        experiment=options.experiment,
        seed=options.seed,
    )
    # MLflow warns of pickles, and of an input example that it cannot try out without the lookup client; both are
    # expected.
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    try:
        run(request, connect(), Progress())
    except (PipelineError, DatabricksError) as error:
        print(f"pipelines.titanic: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.titanic",
        description="Passengers to three feature tables and a model, as one version for each kind of online store. "
        "The workspace and its credentials come from the environment (DATABRICKS_HOST, DATABRICKS_TOKEN).",
    )
    parser.add_argument("--catalog", required=True)
    parser.add_argument("--schema", required=True, help="created when it is not there")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="folder with titanic.csv; else a sample")
    parser.add_argument("--sample-seed", type=int, default=7, help="seed of generated passengers (default %(default)s)")
    parser.add_argument(
        "--warehouse-id", metavar="ID", help="SQL warehouse (default: DATABRICKS_WAREHOUSE_ID, else a running one)"
    )
    parser.add_argument(
        "--experiment", metavar="PATH", default=Request.experiment, help="MLflow experiment (default %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=7, help="seed of the model (default %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
