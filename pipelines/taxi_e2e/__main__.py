"""`python -m pipelines.taxi_e2e`: loads raw trips, which the feature job of `examples/taxi-e2e` begins with."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from databricks.sdk.errors.base import DatabricksError

from pipelines.connection import connect
from pipelines.errors import PipelineError
from pipelines.progress import Progress
from pipelines.sql import Warehouse, find_warehouse
from pipelines.taxi.ingest import choose_source
from pipelines.taxi_e2e.ingest import land


def main(arguments: Sequence[str] | None = None) -> int:
    """Load trips as the command line says: 0 when they are there, 1 with a message on stderr if not."""
    options = _parser().parse_args(arguments)
    try:
        workspace = connect()
        asked = options.warehouse_id or os.environ.get("DATABRICKS_WAREHOUSE_ID")
        warehouse = Warehouse(workspace, find_warehouse(workspace, asked), options.catalog, options.schema)
        source = choose_source(workspace, warehouse, options.data, options.sample_seed)
        land(workspace, warehouse, source, f"{options.catalog}.{options.schema}", Progress())
    except (PipelineError, DatabricksError) as error:
        print(f"pipelines.taxi_e2e: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.taxi_e2e",
        description="Raw taxi trips into the table `trips`. Where a platform keeps them already, name that table in "
        "the stack file (rawTable) instead. Credentials come from the environment.",
    )
    parser.add_argument("--catalog", required=True)
    parser.add_argument("--schema", required=True, help="created when it is not there")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="folder with taxis.csv instead of sample trips")
    parser.add_argument("--sample-seed", type=int, default=7, help="seed of the generated trips (default %(default)s)")
    parser.add_argument(
        "--warehouse-id", metavar="ID", help="SQL warehouse (default: DATABRICKS_WAREHOUSE_ID, else a running one)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
