"""What has to be made again: digests of what went in, kept beside what came out.

The tables carry the digest of the source and of the code that makes tables, as a property of `trips` that is set last.
A model version carries, as tags, that digest and the digest of the training code and its parameters.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound

from pipelines.digests import code_digest
from pipelines.sql import SqlRunner
from pipelines.taxi.features import FEATURE_TABLES
from pipelines.taxi.parameters import Parameters

# Names without dots: Unity Catalog takes none in the tags of a model version.
TABLES_DIGEST: Final = "taxi_tables_digest"
MODEL_DIGEST: Final = "taxi_model_digest"

_TABLE_CODE: Final = (
    "trips.py",
    "zones.py",
    "zones.csv",
    "taxis_csv.py",
    "sample.py",
    "ingest.py",
    "features.py",
    "sql",
)
_MODEL_CODE: Final = (
    "model_step.py",
    "train.py",
    "split.py",
    "metrics.py",
    "../feature_model.py",
    "../registration.py",
)


def tables_digest(source_digest: str) -> str:
    """What `trips` and the feature tables are made of: the source and the code."""
    return code_digest(str(__package__), _TABLE_CODE, source_digest)


def model_digest(parameters: Parameters, packages: Mapping[str, str]) -> str:
    """What a model is made of beside the tables: the code, the parameters, the versions of the packages."""
    settings = str(sorted(asdict(parameters).items()))
    return code_digest(str(__package__), _MODEL_CODE, settings, str(sorted(packages.items())))


def tables_are_fresh(workspace: WorkspaceClient, schema: str, digest: str) -> bool:
    """Whether `schema` (catalog.schema) has the three tables, made of what `digest` says."""
    try:
        trips = workspace.tables.get(f"{schema}.trips")
        for table in FEATURE_TABLES:
            workspace.tables.get(f"{schema}.{table.name}")
    except NotFound:
        return False
    return (trips.properties or {}).get(TABLES_DIGEST) == digest


def mark_tables(warehouse: SqlRunner, digest: str) -> None:
    """Remember what the tables are made of; an empty digest says that they are being rewritten."""
    warehouse.run(f"ALTER TABLE trips SET TBLPROPERTIES ('{TABLES_DIGEST}' = '{digest}')")
