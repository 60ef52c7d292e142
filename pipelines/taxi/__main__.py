"""`python -m pipelines.taxi`: see `--help` and docs/taxi-pipeline.md."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from databricks.sdk.errors.base import DatabricksError

from pipelines.connection import connect
from pipelines.errors import PipelineError
from pipelines.progress import Progress
from pipelines.taxi.parameters import Parameters
from pipelines.taxi.pipeline import run
from pipelines.taxi.request import Request

_DEFAULTS: Final = Parameters()


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
        force=options.force,
        parameters=Parameters(seed=options.seed, n_estimators=options.n_estimators),
    )
    # MLflow warns of pickles, and of an input example that it cannot try out without the lookup client; both are
    # expected.
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    try:
        run(request, connect(), Progress())
    except (PipelineError, DatabricksError) as error:
        print(f"pipelines.taxi: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.taxi",
        description="Taxi trips to feature tables and a registered fare model. "
        "The workspace and its credentials come from the environment (DATABRICKS_HOST, DATABRICKS_TOKEN).",
    )
    parser.add_argument("--catalog", required=True)
    parser.add_argument("--schema", required=True, help="created when it is not there")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="folder with taxis.csv instead of sample trips")
    parser.add_argument("--sample-seed", type=int, default=7, help="seed of the generated trips (default %(default)s)")
    parser.add_argument(
        "--warehouse-id", metavar="ID", help="SQL warehouse (default: DATABRICKS_WAREHOUSE_ID, else a running one)"
    )
    parser.add_argument("--experiment", metavar="PATH", help="MLflow experiment (default /Shared/<model name>)")
    parser.add_argument("--seed", type=int, default=_DEFAULTS.seed, help="seed of the model (default %(default)s)")
    parser.add_argument("--n-estimators", type=int, default=_DEFAULTS.n_estimators, help="trees (default %(default)s)")
    parser.add_argument(
        "--force", action="store_true", help="train and register a new version even if nothing has changed"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
