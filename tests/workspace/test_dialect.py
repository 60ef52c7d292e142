"""The pipelines' SQL, judged by Spark itself: by its grammar, and by what it makes of the same rows as the warehouse.

Apache's Spark lacks a few constructs of Databricks SQL, which are taken out before it looks: they are named here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient

import pipelines
from components.names import ThreePartName
from components.report_queries import billed_by_day, drift_by_window, entity_names, quality_by_window, traffic_by_day
from pipelines.churn import drift_queries
from pipelines.churn import sample as churn_sample
from pipelines.churn import tables as churn
from pipelines.sql import Result, SqlRunner
from pipelines.sql import Warehouse as Runner
from pipelines.taxi import features as taxi
from pipelines.taxi import ingest
from pipelines.taxi import sample as taxi_sample
from pipelines.titanic import passengers
from pipelines.titanic import sample as titanic_sample
from pipelines.titanic import tables as titanic
from tests.support.server import WorkspaceServer
from tests.support.spark import SparkSql, spark_over
from tests.support.warehouse import Warehouse

FOLDER = Path(str(pipelines.__file__)).parent
# Documentation pages "ADD CONSTRAINT clause" (primary keys are those of Unity Catalog) and "QUALIFY clause".
KEY_CONSTRAINT = re.compile(r",\s*CONSTRAINT \w+ PRIMARY KEY \([\w, ]+\)")
QUALIFY = re.compile(r"\bQUALIFY\s+(.+)")


@dataclass(frozen=True)
class OnSpark:
    """A pipeline's warehouse that is Spark."""

    sql: SparkSql

    def run(self, statement: str, parameters: Mapping[str, str] | None = None) -> Result:
        found = self.sql.session.sql(KEY_CONSTRAINT.sub("", statement), dict(parameters or {}))
        return Result(columns=found.columns, rows=[list(row) for row in found.collect()])


@pytest.fixture(scope="module")
def spark(server: WorkspaceServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSql]:
    """Apache's Spark with Delta, in a time zone that is not UTC."""
    with spark_over(server, tmp_path_factory.mktemp("spark")) as session:
        session.conf.set("spark.sql.sources.default", "delta")
        yield SparkSql(session)


def _generated() -> dict[str, str]:
    """Statements that are put together in Python; those of unpacking are run in test_unpacking.py."""
    payload, profile, drift = (ThreePartName.parse(f"c.s.{name}") for name in ("payload", "profile", "drift"))
    return {
        "performance": drift_queries.performance_query("c.s.p", "f1_score.macro", "model_version"),
        "labels": drift_queries.labels_query("c.s.p", "churn", "model_version"),
        "drift": drift_queries.drift_query("c.s.d", "js_distance", "model_version", ("prediction", "churn")),
        "traffic": traffic_by_day(payload, days=7, by_entity=True),
        "names": entity_names("endpoint"),
        "drift by window": drift_by_window(
            drift, measures=["js_distance"], drift_type="BASELINE", granularity="1 day", days=7
        ),
        "quality by window": quality_by_window(
            profile, measures=["f1_score.macro"], model_column="model_version", granularity="1 day", days=7
        ),
        "billed": billed_by_day("endpoint", days=7),
    }


def test_every_statement_is_of_sparks_grammar(spark: SparkSql) -> None:
    # What `session.sql` does first, without looking for tables; PySpark has no name for it.
    parser = spark.session._jsparkSession.sessionState().sqlParser()
    statements = {str(path.relative_to(FOLDER)): path.read_text() for path in FOLDER.rglob("*.sql")} | _generated()
    assert len(statements) > 35
    refused = {}
    for name, text in statements.items():
        conditions = [f"SELECT {condition}" for condition in QUALIFY.findall(text)]
        for part in (QUALIFY.sub("", KEY_CONSTRAINT.sub("", text)), *conditions):
            try:
                parser.parsePlan(part)
            except Exception as error:  # noqa: BLE001 - whatever Java says
                refused[name] = str(error)[:400]
    assert refused == {}


def _churn(runner: SqlRunner) -> None:
    """Twice: the second time some customers are gone, some are new, and one has changed."""
    records = churn_sample.generate(7)[:60]
    churn.bring_up_to_date(runner, records[:50], "one")
    churn.bring_up_to_date(runner, [{**records[5], "Contract": "Two year", "TotalCharges": " "}, *records[6:]], "two")


def _titanic(runner: SqlRunner) -> None:
    titanic.load(runner, passengers.checked(titanic_sample.generate(7), "the sample")[:60])
    for step in (titanic.demographic_features, titanic.ticket_features, titanic.online_features):
        step(runner)


def _taxi(runner: SqlRunner) -> None:
    trips = taxi_sample.generate(7)
    ingest.create_trips(runner)
    for table in taxi.FEATURE_TABLES:
        taxi.create_feature_table(runner, table)
    ingest.replace_trips(runner, trips[:200])
    taxi.compute_pickup_features(runner)
    taxi.compute_dropoff_features(runner)


@pytest.mark.parametrize(
    ("make", "tables"),
    [
        (_churn, ["churn_customers", churn.FEATURES, churn.LABELS, churn.CUSTOMER_IDS]),
        (_titanic, [titanic.PASSENGERS, titanic.ONLINE, titanic.LABELS]),
        (_taxi, ["trips", *(table.name for table in taxi.FEATURE_TABLES)]),
    ],
)
def test_features_come_out_the_same_on_spark_and_on_the_warehouse(
    make: Callable[[SqlRunner], None], tables: list[str], spark: SparkSql, sql: Warehouse, client: WorkspaceClient
) -> None:
    make(OnSpark(spark))
    make(Runner(client, "local", sql.catalog, sql.schema))
    for table in tables:
        columns = [(column.name, str(column.type_name)) for column in sql.columns(f"SELECT * FROM {sql.full(table)}")]
        # Moments as numbers: their texts are of a session's time zone.
        values = ", ".join(f"unix_micros({name})" if "TIMESTAMP" in kind else str(name) for name, kind in columns)
        query = f"SELECT {values} FROM {{}}"
        found, expected = spark.rows(query.format(table)), sql.rows(query.format(sql.full(table)))
        assert len(expected) > 20, table
        assert sorted(map(_comparable, found)) == sorted(map(_comparable, expected)), table


def _comparable(row: list[str | None]) -> list[tuple[str, float]]:
    """Numbers and booleans are written in several ways; every number has one value."""
    return [_value(value) for value in row]


def _value(text: str | None) -> tuple[str, float]:
    try:
        return "", float(text or "none")
    except ValueError:
        return ("NULL", 0.0) if text is None else (f"text {text.lower()}", 0.0)
