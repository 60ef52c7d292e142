"""Bulk scoring on real Spark and Delta: a model with lookups and a computed feature, over tables of the workspace."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import PermissionsChange, Privilege
from databricks.sdk.service.jobs import RunResultState
from databricks.sdk.service.ml import OnlineStore, PublishSpec, PublishSpecPublishMode
from databricks.sdk.service.serving import (
    EndpointCoreConfigInput,
    EndpointState,
    EndpointStateConfigUpdate,
    ServedEntityInput,
)
from databricks.sdk.service.workspace import ImportFormat
from sklearn.tree import DecisionTreeClassifier

from pipelines.batch_scoring import BatchRequest, Summary, score
from pipelines.batch_scoring.features import joined, plan_of
from pipelines.errors import PipelineError
from pipelines.feature_model import FeatureLookup, FeatureSpec, Input, OnDemandFeature, log_feature_model
from pipelines.registration import register_feature_model
from tests.support.job_runs import SPARK_SECONDS, task_results, waited
from tests.support.principals import signed_in
from tests.support.rights import grant, let_in
from tests.support.server import WorkspaceServer
from tests.support.spark import spark_over
from tests.support.warehouse import StatementFailedError, Warehouse

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SCHEMA = "main.score"
MODEL = f"{SCHEMA}.stays"
ENDPOINT = "stays"
CUSTOMERS = [f"c{number:02d}" for number in range(12)]
MOMENTS = [datetime(2026, 11, day, 6, tzinfo=UTC) for day in (1, 8, 15)]
AT = datetime(2026, 11, 27, 20, 30, 15, 250_000, tzinfo=UTC)  # the next day already, where the session is
COLUMNS = ["spend", "visits", "rate", "per_visit"]


@dataclass(frozen=True)
class Scene:
    server: WorkspaceServer
    client: WorkspaceClient
    sql: Warehouse
    spark: SparkSession
    model: DecisionTreeClassifier
    history: pd.DataFrame

    def request(self, run_id: str, **more: Any) -> BatchRequest:
        given: dict[str, Any] = {"alias": "champion", "moment": AT, "output_table": f"{SCHEMA}.stays_offline", **more}
        return BatchRequest(
            model=MODEL,
            input_table=more.get("input_table", f"{SCHEMA}.asked"),
            run_id=run_id,
            **{name: value for name, value in given.items() if name != "input_table"},
        )

    def score(self, run_id: str, **more: Any) -> Summary:
        return score(self.request(run_id, **more), self.spark, self.client)

    def expected(self, asked: pd.DataFrame) -> list[str]:
        """What the model says of rows, with features joined by pandas, which knows nothing of Spark or SQL."""
        frame = asked.reset_index(names="place").sort_values("at")
        frame = pd.merge_asof(frame, self.history.sort_values("at"), on="at", by="customer")
        frame["rate"] = frame["region"].map({1: 0.1, 2: 0.9})
        frame["per_visit"] = frame["spend"] / frame["visits"].where(frame["visits"] != 0)
        frame = frame.sort_values("place")
        return [str(answer) for answer in self.model.predict(frame[COLUMNS].astype(float))]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    server = WorkspaceServer(tmp_path_factory.mktemp("batch"))
    server.start()
    try:
        with spark_over(server, tmp_path_factory.mktemp("spark")) as spark:
            client = server.client()
            client.schemas.create("score", "main")
            sql = Warehouse(client, "main", "score")
            history = _make_tables(sql)
            model = _make_model(client, history)
            yield Scene(server, client, sql, spark, model, history)
    finally:
        server.stop()


def _make_tables(sql: Warehouse) -> pd.DataFrame:
    """Feature tables, the function, and whom to ask about; the history as a frame."""
    random = np.random.default_rng(5)
    history = pd.DataFrame(
        [
            {
                "customer": customer,
                "at": moment,
                "spend": float(random.integers(0, 90)),
                "visits": float(random.integers(0, 4)),
            }
            for customer in CUSTOMERS
            for moment in MOMENTS
        ]
    )
    sql.execute(
        "CREATE TABLE history (customer STRING NOT NULL, at TIMESTAMP NOT NULL, spend DOUBLE, visits BIGINT, "
        "PRIMARY KEY (customer, at TIMESERIES)) TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"
    )
    values = ", ".join(
        f"('{row['customer']}', TIMESTAMP'{row['at']:%Y-%m-%d %H:%M:%S}', {row['spend']}, {row['visits']:.0f})"
        for row in history.to_dict("records")
    )
    sql.execute(f"INSERT INTO history VALUES {values}")
    sql.execute(
        "CREATE TABLE regions (region INT NOT NULL, rate DOUBLE, PRIMARY KEY (region)) "
        "TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"
    )
    sql.execute("INSERT INTO regions VALUES (1, 0.1), (2, 0.9)")
    sql.execute(
        "CREATE FUNCTION per_visit(spend DOUBLE, visits BIGINT) RETURNS DOUBLE LANGUAGE PYTHON AS $$\n"
        "if spend is None or not visits:\n    return None\nreturn spend / visits\n$$"
    )
    sql.execute("CREATE TABLE asked (customer STRING, at TIMESTAMP, region INT)")
    moments = ["2026-11-01 05:59:59", "2026-11-01 06:00:00", "2026-11-10 00:00:00", "2026-12-01 00:00:00"]
    rows = [
        f"('{customer}', TIMESTAMP'{at}', {number % 3})" for number, customer in enumerate(CUSTOMERS) for at in moments
    ]
    # One that nobody knows, one without a key, and one twice.
    rows += ["('nobody', TIMESTAMP'2026-12-01 00:00:00', 1)", "(NULL, TIMESTAMP'2026-12-01 00:00:00', NULL)", rows[-1]]
    sql.execute(f"INSERT INTO asked VALUES {', '.join(rows)}")
    return history


def _make_model(client: WorkspaceClient, history: pd.DataFrame) -> DecisionTreeClassifier:
    """A registered tree that needs every one of its columns, missing values among them."""
    random = np.random.default_rng(6)
    known = pd.DataFrame(
        {
            "spend": random.uniform(0, 90, 600),
            "visits": random.integers(0, 4, 600),
            "rate": random.choice([0.1, 0.9, np.nan], 600),
        }
    )
    known["per_visit"] = known["spend"] / known["visits"].where(known["visits"] != 0)
    leaves = known["per_visit"].fillna(20) * known["rate"].fillna(0.5) + known["visits"] > 14
    model = DecisionTreeClassifier(max_depth=9, random_state=1).fit(
        known[COLUMNS].astype(float), np.where(leaves, "No", "Yes")
    )
    assert (model.feature_importances_ > 0.01).all()
    spec = FeatureSpec(
        inputs=[
            Input(name=name, data_type=kind, include=False)
            for name, kind in (("customer", "string"), ("at", "timestamp"), ("region", "int"))
        ],
        lookups=[
            FeatureLookup(
                table_name=f"{SCHEMA}.history",
                table_id=str(client.tables.get(f"{SCHEMA}.history").table_id),
                lookup_key=("customer",),
                timestamp_lookup_key="at",
                features={"spend": "double", "visits": "bigint"},
            ),
            FeatureLookup(
                table_name=f"{SCHEMA}.regions",
                table_id=str(client.tables.get(f"{SCHEMA}.regions").table_id),
                lookup_key=("region",),
                features={"rate": "double"},
            ),
        ],
        on_demand=[
            OnDemandFeature(
                name="per_visit",
                function=f"{SCHEMA}.per_visit",
                arguments={"spend": "spend", "visits": "visits"},
                data_type="double",
            )
        ],
    )
    mlflow.set_tracking_uri("databricks")
    mlflow.set_registry_uri("databricks-uc")
    experiment = mlflow.create_experiment("/Shared/stays")
    with mlflow.start_run(experiment_id=experiment):
        logged = log_feature_model(
            model,
            spec,
            name="stays",
            label="stays",
            label_type="string",
            workspace_id=client.get_workspace_id(),
            input_example=pd.DataFrame(
                {"customer": ["c00"], "at": [pd.Timestamp("2026-11-20")], "region": pd.Series([1], dtype="int32")}
            ),
            pip_requirements=["scikit-learn"],
        )
    for _ in range(2):
        register_feature_model(logged.model_uri, MODEL, {})
    client.registered_models.set_alias(MODEL, "champion", 1)
    return model


def _asked(scene: Scene) -> pd.DataFrame:
    rows = scene.sql.rows("SELECT customer, at, region FROM asked")
    frame = pd.DataFrame(rows, columns=["customer", "at", "region"])
    frame["at"] = pd.to_datetime(frame["at"], utc=True)
    frame["region"] = frame["region"].astype(float)
    return frame


@pytest.fixture(scope="module")
def known(scene: Scene) -> Summary:
    """A first run, that several tests look at."""
    return scene.score("known")


def test_every_row_is_scored_once_with_its_features_as_they_were_known(scene: Scene, known: Summary) -> None:
    asked, summary = _asked(scene), known
    assert (summary.rows, summary.model_version, summary.replaced_rows) == (len(asked), 1, 0)
    assert summary.rows_per_second == pytest.approx(summary.rows / summary.seconds, rel=0.1)
    found = scene.sql.rows("SELECT customer, at, region, prediction FROM stays_offline WHERE run_id = 'known'")
    wanted = zip(scene.sql.rows("SELECT customer, at, region FROM asked"), scene.expected(asked), strict=True)
    assert sorted(map(str, found)) == sorted(str([*row, answer]) for row, answer in wanted)
    assert {row[3] for row in found} == {"Yes", "No"}


def test_rows_say_which_version_under_which_alias_and_when_in_utc(scene: Scene, known: Summary) -> None:
    described = {row[0]: row[1] for row in scene.sql.rows("DESCRIBE TABLE stays_offline")}
    assert {
        name: described[name]
        for name in ("prediction", "model_name", "model_version", "model_alias", "inference_timestamp")
    } == {
        "prediction": "string",
        "model_name": "string",
        "model_version": "int",
        "model_alias": "string",
        "inference_timestamp": "timestamp",
    }
    rows = scene.sql.rows(
        "SELECT DISTINCT model_name, model_version, model_alias, inference_timestamp, inference_date "
        "FROM stays_offline WHERE run_id = 'known'"
    )
    assert rows == [[MODEL, "1", "champion", "2026-11-27T20:30:15.250Z", "2026-11-27"]]
    table = scene.client.tables.get(f"{SCHEMA}.stays_offline")
    assert (table.properties or {}).get("delta.enableChangeDataFeed") == "true"
    assert [one.name for one in table.columns or [] if one.partition_index is not None] == ["inference_date"]


def test_a_repaired_run_takes_its_own_rows_back_and_nobody_elses(scene: Scene) -> None:
    first = scene.score("first", output_table=f"{SCHEMA}.kept")
    scene.client.registered_models.set_alias(MODEL, "champion", 2)
    try:
        again = scene.score("first", output_table=f"{SCHEMA}.kept")
        other = scene.score("other", output_table=f"{SCHEMA}.kept", version="1", alias=None)
    finally:
        scene.client.registered_models.set_alias(MODEL, "champion", 1)
    assert (again.rows, again.replaced_rows, again.model_version) == (first.rows, first.rows, 2)
    assert other.replaced_rows == 0
    counted = scene.sql.rows("SELECT run_id, model_version, model_alias, count(*) FROM kept GROUP BY ALL ORDER BY 1")
    assert counted == [["first", "2", "champion", str(first.rows)], ["other", "1", None, str(first.rows)]]
    changes = scene.sql.rows("SELECT _change_type, count(*) FROM table_changes('kept', 1) GROUP BY 1 ORDER BY 1")
    assert changes == [["delete", str(first.rows)], ["insert", str(3 * first.rows)]]


def test_new_columns_of_the_input_come_along_and_other_types_are_refused(scene: Scene) -> None:
    scene.score("before", output_table=f"{SCHEMA}.grown")
    scene.sql.execute("CREATE TABLE asked_more AS SELECT *, 'web' AS channel FROM asked WHERE customer = 'c00'")
    after = scene.score("after", input_table=f"{SCHEMA}.asked_more", output_table=f"{SCHEMA}.grown")
    assert after.rows == 4
    assert scene.sql.rows("SELECT run_id, channel FROM grown GROUP BY ALL ORDER BY 1") == [
        ["after", "web"],
        ["before", None],
    ]
    with pytest.raises(PipelineError, match="prediction is string there and double here"):
        scene.score("typed", output_table=f"{SCHEMA}.grown", result_type="double")
    scene.sql.execute("CREATE TABLE taken AS SELECT *, 'x' AS prediction, 'y' AS model_alias FROM asked")
    with pytest.raises(PipelineError, match="has columns model_alias, prediction, which are what batch scoring adds"):
        scene.score("taken", input_table=f"{SCHEMA}.taken")


def test_what_cannot_be_scored_is_said_before_anything_is_written(scene: Scene) -> None:
    with pytest.raises(PipelineError, match=rf"{MODEL} has no alias nobodys"):
        scene.score("x", alias="nobodys", output_table=f"{SCHEMA}.never")
    scene.sql.execute("CREATE TABLE keyless AS SELECT customer, region FROM asked")
    with pytest.raises(PipelineError, match="input table has no column at; the model asks for customer, at, region"):
        scene.score("x", input_table=f"{SCHEMA}.keyless", output_table=f"{SCHEMA}.never")
    assert not scene.client.tables.exists(f"{SCHEMA}.never").table_exists


@pytest.fixture(scope="module")
def published(scene: Scene) -> None:
    """The feature tables, online."""
    scene.client.api_client.do("PUT", "/_workspace/settings", body={"online_store_provisioning_seconds": 0})
    features = scene.client.feature_store
    features.create_online_store(OnlineStore(name="scores", capacity="CU_1"))
    _until(lambda: str(features.get_online_store("scores").state).endswith("AVAILABLE"))
    for table in ("history", "regions"):
        mode = PublishSpecPublishMode.TRIGGERED
        features.publish_table(
            f"{SCHEMA}.{table}",
            PublishSpec(online_store="scores", online_table_name=f"{SCHEMA}.{table}_online", publish_mode=mode),
        )
    for table in ("history", "regions"):
        _until(lambda table=table: scene.client.tables.get(f"{SCHEMA}.{table}_online").columns)


@pytest.mark.usefixtures("published")
def test_the_endpoint_gives_the_same_answers(scene: Scene) -> None:
    _serve(scene.client, ENDPOINT)
    newest = [{"customer": c, "at": "2026-12-01", "region": number % 3} for number, c in enumerate(CUSTOMERS)]
    answer = scene.client.serving_endpoints.query(
        ENDPOINT, dataframe_records=[*newest, {"customer": "nobody", "at": "2026-12-01", "region": 1}]
    )
    frame = pd.DataFrame([*newest, {"customer": "nobody", "at": "2026-12-01", "region": 1}])
    frame["at"], frame["region"] = pd.to_datetime(frame["at"], utc=True), frame["region"].astype(float)
    assert answer.predictions == scene.expected(frame)
    sent = scene.client.serving_endpoints.query(
        ENDPOINT, dataframe_records=[{**newest[0], "spend": 80.0, "visits": 2, "per_visit": float(p)} for p in (0, 90)]
    )
    by_hand = pd.DataFrame(
        {"spend": [80.0, 80.0], "visits": [2.0, 2.0], "rate": [np.nan, np.nan], "per_visit": [0.0, 90.0]}
    )
    assert sent.predictions == [str(answer) for answer in scene.model.predict(by_hand)]


@pytest.mark.usefixtures("published")
def test_who_may_not_call_the_function_cannot_serve_the_model(scene: Scene) -> None:
    with signed_in(scene.client) as person:
        let_in(scene.client, MODEL, person)
        grant(scene.client, "function", MODEL, person, Privilege.EXECUTE)
        state = _serve(person.client, "hers")
        assert state.config_update == EndpointStateConfigUpdate.UPDATE_FAILED
        (served,) = person.client.serving_endpoints.get("hers").pending_config.served_entities or []  # type: ignore[union-attr]
        message = served.state.deployment_state_message if served.state else ""
        assert f"EXECUTE on Routine or Model '{SCHEMA}.per_visit'" in str(message)
        scene.client.serving_endpoints.delete("hers")
        grant(scene.client, "function", f"{SCHEMA}.per_visit", person, Privilege.EXECUTE)
        assert _serve(person.client, "hers").config_update == EndpointStateConfigUpdate.NOT_UPDATING
        scene.client.serving_endpoints.delete("hers")


def _serve(client: WorkspaceClient, name: str) -> EndpointState:
    """Make an endpoint for the first version, and wait for what becomes of it."""
    entity = ServedEntityInput(
        entity_name=MODEL, entity_version="1", name="stays", workload_size="Small", scale_to_zero_enabled=True
    )
    client.serving_endpoints.create(name, config=EndpointCoreConfigInput(name=name, served_entities=[entity]))

    def state() -> EndpointState:
        found = client.serving_endpoints.get(name).state
        assert found is not None
        return found

    _until(lambda: state().config_update != EndpointStateConfigUpdate.IN_PROGRESS)
    return state()


def test_a_value_that_the_row_carries_wins_and_a_default_stands_in(scene: Scene) -> None:
    spec = {
        "input_columns": [
            {"customer": {"source": "training_data", "include": False}},
            {
                "spend": {
                    "source": "feature_store",
                    "table_name": "t",
                    "feature_name": "spend",
                    "lookup_key": ["customer"],
                    "default_value": "7.5",
                }
            },
        ]
    }
    rows = scene.spark.createDataFrame([("c00", 1.0), ("c00", None), ("nobody", None)], "customer string, spend double")
    table = scene.spark.createDataFrame(
        [("c00", datetime(2026, 1, 1), 2.0), ("c00", datetime(2026, 1, 2), 3.0)],
        "customer string, at timestamp, spend double",
    )
    for broadcast in (False, True):
        found = joined(
            rows,
            plan_of(spec),
            table_of=lambda _: table,
            keys_of=lambda _: (["customer"], "at"),
            function_of=lambda _: pytest.fail("no function is asked for"),
            broadcast=broadcast,
        )
        # Without a moment to look up at, the newest row counts.
        assert sorted((row.customer, row.spend) for row in found.collect()) == [
            ("c00", 1.0),
            ("c00", 3.0),
            ("nobody", 7.5),
        ]


TASK = """
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
print("sees", spark.table("main.score.regions").count(), spark.conf.get("spark.databricks.io.cache.enabled"))
print("lists", sorted(row.tableName for row in spark.sql("SHOW TABLES IN main.score").collect())[:1])
for what in (
    lambda: spark.table("main.score.history").count(),
    lambda: spark.table("main.score.regions").writeTo("main.score.regions").append(),
    lambda: spark.sql("DROP TABLE main.score.regions"),
    lambda: spark.table("main.score.nothing"),
):
    try:
        what()
    except Exception as error:
        print("REFUSED", " ".join(str(error).split()))
"""


def test_a_task_on_a_cluster_reads_and_writes_what_its_principal_may(scene: Scene) -> None:
    client = scene.client
    principal = client.service_principals.create(display_name="scorer")
    for kind, name, privilege in (
        ("catalog", "main", Privilege.USE_CATALOG),
        ("schema", SCHEMA, Privilege.USE_SCHEMA),
        ("table", f"{SCHEMA}.regions", Privilege.SELECT),
    ):
        client.grants.update(
            kind, name, changes=[PermissionsChange(principal=principal.application_id, add=[privilege])]
        )
    client.workspace.mkdirs("/Shared/batch")
    client.workspace.upload("/Shared/batch/look.py", TASK.encode(), format=ImportFormat.RAW, overwrite=True)
    body = {
        "name": "look",
        "run_as": {"service_principal_name": principal.application_id},
        "job_clusters": [
            {
                "job_cluster_key": "ml",
                "new_cluster": {
                    "spark_conf": {"spark.databricks.io.cache.enabled": "true", "spark.master": "local[64]"}
                },
            }
        ],
        "tasks": [
            {
                "task_key": "look",
                "job_cluster_key": "ml",
                "spark_python_task": {"python_file": "/Workspace/Shared/batch/look.py"},
            }
        ],
    }
    job = client.api_client.do("POST", "/api/2.2/jobs/create", body=body)
    run = waited(client, client.jobs.run_now(job["job_id"]).bind()["run_id"], SPARK_SECONDS)
    found = client.jobs.get_run_output((run.tasks or [])[0].run_id or 0)
    assert task_results(run) == {"look": RunResultState.SUCCESS}, found.error
    said = [line for line in (found.logs or "").splitlines() if line.startswith(("sees", "lists", "REFUSED"))]
    assert said[:2] == ["sees 2 true", "lists ['regions']"]
    assert [("SELECT" in said[2], "history" in said[2]), ("MODIFY" in said[3], "regions" in said[3])] == [
        (True, True)
    ] * 2, said
    assert "by SQL on a warehouse" in said[4]
    assert "TABLE_OR_VIEW_NOT_FOUND" in said[5]


def test_credentials_are_taken_from_the_environment_and_are_in_no_configuration(scene: Scene) -> None:
    conf = Path(__import__("os").environ["SPARK_CONF_DIR"], "spark-defaults.conf").read_text()
    assert scene.server.token not in conf
    assert scene.server.token not in str(scene.spark.sparkContext.getConf().getAll())


def _until(reached: Any, seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if reached():
                return
        except StatementFailedError:
            pass
        assert time.monotonic() < deadline, f"not reached within {seconds} s"
        time.sleep(0.1)
