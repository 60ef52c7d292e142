"""`python -m pipelines.titanic.publish`: the third feature table, built and published to MySQL, and the copy checked.

The writer's user and password are read from the workspace's secret scope, as whoever runs this; there is no option for
them.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors.base import DatabricksError

from pipelines.connection import connect as connect_workspace
from pipelines.errors import PipelineError
from pipelines.external_check import Checked, check
from pipelines.external_publish import Published, publish
from pipelines.external_source import DeltaSource
from pipelines.external_store import Secrets, StoreSpec, connect, credentials
from pipelines.progress import Progress
from pipelines.titanic import tables
from pipelines.titanic.pipeline import warehouse_of
from pipelines.titanic.request import Request

MODE: Final = "merge"


def publish_online(
    request: Request,
    store: StoreSpec,
    secrets: Secrets,
    workspace: WorkspaceClient,
    progress: Progress,
    *,
    everything: bool = False,
) -> tuple[Published, Checked]:
    """Bring the third feature table up to date, publish it as the writer, and compare the copy with it.

    Raises PipelineError for what the operator can mend, and the SDK's errors where a secret cannot be read.
    """
    warehouse = warehouse_of(request, workspace)
    full_name = f"{request.full_schema}.{tables.ONLINE}"
    progress.say("features", f"{tables.online_features(warehouse)} rows in {full_name}")
    source = DeltaSource(workspace, warehouse, full_name)
    with connect(store, credentials(secrets, store.write_secret_prefix)) as connection:
        done = publish(source, connection, store, progress, everything=everything)
        progress.say("published", f"{store.shown}, {MODE}: {done}")
        found = check(source, connection, store)
        progress.say("checked", str(found))
    return done, found


def store_of(parameters: Mapping[str, str]) -> StoreSpec:
    """The store that a job's parameters describe; `mode` is `merge`, which is the only one.

    Raises PipelineError for a field that is missing or is none.
    """
    mode = parameters.get("mode", MODE)
    if mode != MODE:
        raise PipelineError(f"mode is {mode!r}; {MODE!r} is the one that there is: changed rows alone, by key")
    return StoreSpec.of(parameters)


def main(arguments: Sequence[str] | None = None) -> int:
    """Publish as the command line says: 0 when the copy is in step, 1 with a message on stderr if not."""
    options = _parser().parse_args(arguments)
    request = Request(
        catalog=options.catalog,
        schema=options.schema,
        warehouse_id=options.warehouse_id or os.environ.get("DATABRICKS_WAREHOUSE_ID"),
    )
    try:
        store = StoreSpec(
            hostname=options.hostname,
            port=options.port,
            database_name=options.database,
            table_name=options.table,
            read_secret_prefix=options.read_prefix,
            write_secret_prefix=options.write_prefix,
            ca="" if options.ca is None else options.ca.read_text(encoding="utf-8"),
        )
        workspace = connect_workspace()
        publish_online(request, store, workspace.dbutils.secrets, workspace, Progress(), everything=options.everything)
    except (PipelineError, DatabricksError, OSError) as error:
        print(f"pipelines.titanic.publish: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.titanic.publish",
        description="Publish online_feature_table to MySQL and check the copy. The workspace and its credentials come "
        "from the environment (DATABRICKS_HOST, DATABRICKS_TOKEN), the database's from a secret scope.",
    )
    parser.add_argument("--catalog", required=True)
    parser.add_argument("--schema", required=True)
    parser.add_argument("--hostname", required=True, help="address of the database, without a scheme")
    parser.add_argument("--port", type=int, default=3306)
    parser.add_argument("--database", default="feature_store")
    parser.add_argument("--table", default=tables.ONLINE)
    parser.add_argument("--read-prefix", default="feature_store_reader/feature_store", metavar="SCOPE/KEY")
    parser.add_argument("--write-prefix", default="feature_store_writer/feature_store", metavar="SCOPE/KEY")
    parser.add_argument("--ca", type=Path, metavar="FILE", help="certificates (PEM) that sign the server's")
    parser.add_argument("--everything", action="store_true", help="compare all rows, not only what has changed")
    parser.add_argument("--warehouse-id", metavar="ID")
    return parser


if __name__ == "__main__":
    sys.exit(main())
