"""`python -m pipelines.taxi_e2e`: loads raw trips, which the feature job of `examples/taxi-e2e` begins with."""

import argparse
import sys
from collections.abc import Sequence

from databricks.sdk import WorkspaceClient

from pipelines.command import carry_out, parser_of
from pipelines.progress import Progress
from pipelines.sql import Warehouse, find_warehouse
from pipelines.taxi.ingest import choose_source
from pipelines.taxi_e2e.ingest import land


def main(arguments: Sequence[str] | None = None) -> int:
    """Load trips as the command line says: 0 when they are there, 1 with a message on stderr if not."""
    options = _parser().parse_args(arguments)

    def work(workspace: WorkspaceClient, progress: Progress) -> None:
        warehouse_id = find_warehouse(workspace, options.warehouse_id)
        warehouse = Warehouse(workspace, warehouse_id, options.catalog, options.schema)
        source = choose_source(workspace, warehouse, options.data, options.sample_seed)
        land(workspace, warehouse, source, f"{options.catalog}.{options.schema}", progress)

    return carry_out("taxi_e2e", work)


def _parser() -> argparse.ArgumentParser:
    return parser_of(
        "taxi_e2e",
        "Raw taxi trips into the table `trips`. Where a platform keeps them already, name that table in the stack "
        "file (rawTable) instead.",
        data="folder with taxis.csv instead of sample trips",
        sampled="trips",
    )


if __name__ == "__main__":
    sys.exit(main())
