"""The tables of the churn model: what they are called, and how they are brought up to date."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import resources
from typing import Final

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound

from pipelines.catalog import declared_table
from pipelines.churn.customers import ROW_END, Record, as_line
from pipelines.digests import code_digest
from pipelines.sql import SqlRunner

CUSTOMERS: Final = "churn_customers"
FEATURES: Final = "advanced_churn_feature_table"
LABELS: Final = "advanced_churn_label_table"
CUSTOMER_IDS: Final = "advanced_churn_cust_ids"
BASELINE: Final = "advanced_churn_baseline"
KEY: Final = "customer_id"
TIME: Final = "transaction_ts"
# The moment that the customers of a file, which has none, are taken to be of.
SNAPSHOT: Final = datetime(2024, 9, 1, tzinfo=UTC)
TEXTS: Final = (
    "gender",
    "senior_citizen",
    "partner",
    "dependents",
    "phone_service",
    "multiple_lines",
    "internet_service",
    "online_security",
    "online_backup",
    "device_protection",
    "tech_support",
    "streaming_tv",
    "streaming_movies",
    "contract",
    "paperless_billing",
    "payment_method",
)
NUMBERS: Final = ("tenure", "monthly_charges", "total_charges", "num_optional_services", "avg_price_increase")
# Features with their Databricks SQL types, texts first. The label is none of them.
FEATURE_TYPES: Final[Mapping[str, str]] = {
    **dict.fromkeys(TEXTS, "string"),
    **dict.fromkeys(NUMBERS, "double"),
}
# Names without dots: Unity Catalog takes none in the tags of a model version.
TABLES_DIGEST: Final = "churn_tables_digest"
# A statement of 2,000 customers is about 400 KB, far below the API's limit of 16 MiB.
_BATCH: Final = 2_000
_CODE: Final = ("customers.py", "sample.py", "tables.py", "sql")


def statement(name: str) -> str:
    """The text of `sql/<name>.sql`."""
    return resources.files(__package__).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def tables_digest(source_digest: str) -> str:
    """What the tables are made of: the source and the code, in hex."""
    return code_digest(str(__package__), _CODE, source_digest)


def are_fresh(workspace: WorkspaceClient, schema: str, digest: str) -> bool:
    """Whether `schema` (catalog.schema) has the tables, made of what `digest` says."""
    try:
        customers, *_ = [
            workspace.tables.get(f"{schema}.{name}") for name in (CUSTOMERS, FEATURES, LABELS, CUSTOMER_IDS)
        ]
    except NotFound:
        return False
    return (customers.properties or {}).get(TABLES_DIGEST) == digest


def bring_up_to_date(warehouse: SqlRunner, records: Sequence[Record], digest: str) -> int:
    """Customers, features and labels from `records`; only rows that differ are written to the last two.

    Returns the number of rows of the feature table. `digest` is remembered last: an interrupted run is made again.
    """
    for name in ("create_customers", "create_features", "create_labels", "create_customer_ids"):
        warehouse.run(statement(name))
    _mark(warehouse, "")
    warehouse.run("DELETE FROM churn_customers")
    insert = statement("insert_customers")
    moment = {"transaction_ts": SNAPSHOT.isoformat()}
    for first in range(0, len(records), _BATCH):
        rows = ROW_END.join(as_line(record) for record in records[first : first + _BATCH])
        warehouse.run(insert, {"rows": rows, **moment})
    warehouse.run(statement("merge_features"), moment)
    warehouse.run(statement("merge_labels"), moment)
    warehouse.run(statement("merge_customer_ids"))
    _mark(warehouse, digest)
    return int(str(warehouse.run("SELECT count(*) AS rows FROM advanced_churn_feature_table").only_row()["rows"]))


def replace_baseline(warehouse: SqlRunner, model: str, predictions: Mapping[str, str]) -> None:
    """The baseline: customers that the model has not seen, with what it says of them and what became of them.

    Args:
        model: what stands for the model's id in the table.
        predictions: customer id to prediction.
    """
    warehouse.run(statement("create_baseline"))
    warehouse.run("DELETE FROM advanced_churn_baseline")
    rows = ROW_END.join(f"{customer}|{prediction}" for customer, prediction in sorted(predictions.items()))
    warehouse.run(statement("insert_baseline"), {"rows": rows, "model": model})


def feature_table_id(workspace: WorkspaceClient, schema: str) -> str:
    """Unity Catalog's id of the feature table. Raises PipelineError when it has other columns than declared."""
    return (
        declared_table(workspace, f"{schema}.{FEATURES}", {KEY: "string", TIME: "timestamp", **FEATURE_TYPES}).table_id
        or ""
    )


def _mark(warehouse: SqlRunner, digest: str) -> None:
    warehouse.run(f"ALTER TABLE {CUSTOMERS} SET TBLPROPERTIES ('{TABLES_DIGEST}' = '{digest}')")
