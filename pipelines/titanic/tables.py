"""The tables of the Titanic model: what they are called, and how each is brought up to date."""

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Final

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound

from pipelines.catalog import declared_table
from pipelines.digests import code_digest
from pipelines.sql import SqlRunner
from pipelines.titanic.passengers import KEY, ROW_END, Record, as_line

PASSENGERS: Final = "titanic_passengers"
DEMOGRAPHIC: Final = "passenger_demographic_features"
TICKET: Final = "passenger_ticket_features"
ONLINE: Final = "online_feature_table"
LABELS: Final = "passenger_labels"
LABEL: Final = "Survived"
TEXTS: Final = ("Sex", "Who", "Embarked", "EmbarkTown", "Deck")
NUMBERS: Final = ("Age", "SiblingsSpouses", "ParentsChildren", "FamilySize", "Pclass", "Fare", "FarePerPerson")
FLAGS: Final = ("AdultMale", "Alone")
# Features of the online table with their Databricks SQL types. The label is none of them.
FEATURE_TYPES: Final[Mapping[str, str]] = {
    "Sex": "string",
    "Age": "double",
    "Who": "string",
    "AdultMale": "boolean",
    "SiblingsSpouses": "int",
    "ParentsChildren": "int",
    "FamilySize": "int",
    "Alone": "boolean",
    "Pclass": "int",
    "Fare": "double",
    "FarePerPerson": "double",
    "Embarked": "string",
    "EmbarkTown": "string",
    "Deck": "string",
}
# A name without dots: Unity Catalog takes none in the tags of a model version.
TABLES_DIGEST: Final = "titanic_tables_digest"
_BATCH: Final = 2_000
_CODE: Final = ("passengers.py", "sample.py", "tables.py", "sql")


def statement(name: str) -> str:
    """The text of `sql/<name>.sql`."""
    return resources.files(__package__).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def tables_digest(source_digest: str) -> str:
    """What the tables are made of: the source and the code, in hex."""
    return code_digest(str(__package__), _CODE, source_digest)


def are_fresh(workspace: WorkspaceClient, schema: str, digest: str) -> bool:
    """Whether `schema` (catalog.schema) has the tables, made of what `digest` says."""
    try:
        passengers, *_ = [
            workspace.tables.get(f"{schema}.{name}") for name in (PASSENGERS, DEMOGRAPHIC, TICKET, ONLINE, LABELS)
        ]
    except NotFound:
        return False
    return (passengers.properties or {}).get(TABLES_DIGEST) == digest


def load(warehouse: SqlRunner, records: Sequence[Record]) -> None:
    """Passengers as they came, in place of those before, and what became of them."""
    warehouse.run(statement("create_passengers"))
    mark(warehouse, "")
    warehouse.run(f"DELETE FROM {PASSENGERS}")  # noqa: S608 - a constant
    insert = statement("insert_passengers")
    for first in range(0, len(records), _BATCH):
        rows = ROW_END.join(as_line(record) for record in records[first : first + _BATCH])
        warehouse.run(insert, {"rows": rows})
    _merge(warehouse, LABELS, "labels")


def demographic_features(warehouse: SqlRunner) -> int:
    """`passenger_demographic_features` from the passengers; the number of its rows."""
    return _merge(warehouse, DEMOGRAPHIC, "demographic")


def ticket_features(warehouse: SqlRunner) -> int:
    """`passenger_ticket_features` from the passengers; the number of its rows."""
    return _merge(warehouse, TICKET, "ticket")


def online_features(warehouse: SqlRunner) -> int:
    """`online_feature_table` from the two feature tables; the number of its rows."""
    return _merge(warehouse, ONLINE, "online")


def mark(warehouse: SqlRunner, digest: str) -> None:
    """Remember what the tables were made of: last, so that an interrupted run is made again."""
    warehouse.run(f"ALTER TABLE {PASSENGERS} SET TBLPROPERTIES ('{TABLES_DIGEST}' = '{digest}')")


def made_of(workspace: WorkspaceClient, schema: str) -> str:
    """What `mark` remembered; empty where nothing did."""
    return (workspace.tables.get(f"{schema}.{PASSENGERS}").properties or {}).get(TABLES_DIGEST, "")


def online_table_id(workspace: WorkspaceClient, schema: str) -> str:
    """Unity Catalog's id of the online feature table. Raises PipelineError when it has other columns than declared."""
    return declared_table(workspace, f"{schema}.{ONLINE}", {KEY: "bigint", **FEATURE_TYPES}).table_id or ""


def _merge(warehouse: SqlRunner, table: str, name: str) -> int:
    warehouse.run(statement(f"create_{name}"))
    warehouse.run(statement(f"merge_{name}"))
    return int(str(warehouse.run(f"SELECT count(*) AS n FROM {table}").only_row()["n"]))  # noqa: S608 - a constant
