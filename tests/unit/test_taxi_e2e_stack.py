"""The end-to-end taxi stack's files and resources say what its document says."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from operator import methodcaller
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pulumi
import pytest
import yaml
from databricks.sdk.errors import NotFound

from components.config.errors import StackConfigError, parse_stack_config
from components.registry import NoVersionYetError
from components.serving_stack import ServingPlan
from examples.taxi_e2e import checks, jobs
from examples.taxi_e2e import stage as stages
from examples.taxi_e2e.config import DEFAULT_PACKAGES, TaxiE2eConfig
from examples.taxi_e2e.watched import watch_features
from pipelines.taxi_e2e.feature_step import FEATURE_TABLES
from pipelines.taxi_e2e.ingest import LOCATED
from tests.unit.recording import Recording, record

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

FOLDER = Path(__file__).parents[2] / "examples" / "taxi_e2e"
STACKS = ("local", "staging", "prod")
MODEL = {
    "local": "main.e2e_demo_simon.dev_mlops_stacks_gcp_fs_model",
    "staging": "p03.e2e_demo_simon.dev_mlops_stacks_gcp_fs_model",
    "prod": "p03.e2e_demo_simon.prod_mlops_stacks_gcp_fs_model",
}
DOCUMENTED = {
    "pickup_location_id": 161,
    "dropoff_location_id": 141,
    "trip_distance": 1.0,
    "pickup_datetime": "2023-01-01 12:00:00",
}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project's folder, where the engine would start its program."""
    folder = tmp_path / "project"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(folder)
    return folder


def config_of(stack: str, change: Callable[[dict[str, Any]], object] | None = None) -> TaxiE2eConfig:
    content = yaml.safe_load((FOLDER / f"Pulumi.{stack}.yaml").read_text())
    values = content["config"]["taxi-e2e-serving:serving"]
    if change is not None:
        change(values)
    return parse_stack_config({"environment": stack, **values}, TaxiE2eConfig, where="the test")


def _without_json_and_champion(values: dict[str, Any]) -> None:
    del values["servingConfig"]
    values["model"].update(aliases={"candidate": "1"}, promotion={})
    values["endpoint"].update(entities=[{"alias": "candidate", "traffic": 100}])
    values["endpoint"]["inferenceTable"]["prefix"] = "fares"


def workshop_of(config: TaxiE2eConfig) -> Recording:
    return record(lambda: jobs.make_workshop(config).workflow.job_ids)


def by_name(recording: Recording) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in recording.of_type(":Job")}


@pytest.mark.parametrize("stack", STACKS)
def test_endpoint_model_and_inference_table_are_the_documents_with_the_stack_where_names_would_collide(
    stack: str,
) -> None:
    config = config_of(stack)
    suffix = "" if stack == "prod" else f"-{stack}"
    assert config.endpoint.name == f"mlops-taxi-fare-endpoint{suffix}"
    assert config.model.name == MODEL[stack]
    assert config.model.aliases == {"champion": "" if stack == "local" else "18"}
    (entity,) = config.endpoint.entities
    assert (entity.alias, entity.traffic, entity.workload_size, entity.workload_type) == (
        "champion",
        100,
        "Small",
        "CPU",
    )
    assert config.scale_to_zero is (stack != "prod")
    table = config.endpoint.inference_table
    assert table is not None
    catalog = "main" if stack == "local" else "p03"
    assert (table.catalog, table.schema_name, table.prefix) == (catalog, "e2e_demo_simon", "taxi_fare_endpoint")
    assert [config.qualified(one.source) for one in config.feature_tables] == [
        f"{catalog}.e2e_demo_simon.pickup_features",
        f"{catalog}.e2e_demo_simon.dropoff_features",
    ]


def test_each_stack_pins_a_workspace_of_azure_and_no_program_names_one() -> None:
    pinned = {
        stack: yaml.safe_load((FOLDER / f"Pulumi.{stack}.yaml").read_text())["config"].get("databricks:host")
        for stack in STACKS
    }
    assert pinned.pop("local") is None
    assert pinned["staging"] == "https://adb-8490988242777396.16.azuredatabricks.net"
    assert len(set(pinned.values())) == 2
    for host in pinned.values():
        assert re.fullmatch(r"https://[a-z0-9.-]+\.azuredatabricks\.(net|example)", host)
    for program in FOLDER.glob("*.py"):
        assert "azuredatabricks" not in program.read_text(), program


@pytest.mark.parametrize("stack", STACKS)
def test_the_keys_of_the_stack_file_are_those_of_the_tables(stack: str) -> None:
    stated = [(one.source, (*one.primary_keys, str(one.timeseries_key))) for one in config_of(stack).feature_tables]
    assert stated == [(table.name, table.primary_keys) for table in FEATURE_TABLES]


@pytest.mark.parametrize("stack", STACKS)
def test_the_single_payload_is_the_documents_without_the_label_and_the_batch_has_more_of_its_shape(stack: str) -> None:
    single, batch = config_of(stack).smoke.queries
    assert (single.name, single.payload) == ("single", {"dataframe_records": [DOCUMENTED]})
    records = batch.payload["dataframe_records"]
    assert len(records) >= 2
    assert {frozenset(record) for record in records} == {frozenset(DOCUMENTED)}
    assert batch.expect.predictions == len(records)


def test_changing_the_json_changes_the_plan_where_the_stack_file_says_nothing(project: Path) -> None:
    file = project / "serving" / "config" / "taxi_fare_endpoint.json"
    document = json.loads(file.read_text())
    document["config"]["served_entities"][0] |= {"entity_version": "19", "workload_size": "Medium"}
    document["config"]["auto_capture_config"]["table_name_prefix"] = "fares"
    document["name"] = "other-endpoint"
    file.write_text(json.dumps(document))
    config = config_of("staging")
    assert config.model.aliases == {"champion": "19"}
    assert config.endpoint.entities[0].workload_size == "Medium"
    assert config.endpoint.inference_table is not None
    assert config.endpoint.inference_table.prefix == "fares"
    # The stack file's own name counts; prod's is the JSON's.
    assert config.endpoint.name == "mlops-taxi-fare-endpoint-staging"
    assert config_of("prod").endpoint.name == "other-endpoint"


@pytest.mark.parametrize("stack", STACKS)
def test_four_jobs_are_named_by_stack_and_bundle_and_run_the_documented_tasks(stack: str) -> None:
    made = by_name(workshop_of(config_of(stack)))
    prefix = f"{stack}-mlops_stacks_gcp_fs"
    tasks = {
        f"{prefix}-feature-engineering-job": ["GenerateAndWriteFeatures"],
        f"{prefix}-model-training-job": ["ModelValidation", "Train"],
        f"{prefix}-batch-inference-job": ["BatchInference"],
        f"{prefix}-monitoring-job": ["Monitoring"],
    }
    assert {name: [task["taskKey"] for task in job["tasks"]] for name, job in made.items()} == tasks


def test_the_feature_job_runs_its_notebook_on_the_documented_cluster() -> None:
    job = by_name(workshop_of(config_of("staging")))["staging-mlops_stacks_gcp_fs-feature-engineering-job"]
    (cluster,) = job["jobClusters"]
    assert cluster["jobClusterKey"] == "feature_engineering_cluster"
    assert {name: cluster["newCluster"][name] for name in ("sparkVersion", "nodeTypeId", "numWorkers")} == {
        "sparkVersion": "17.1.x-cpu-ml-scala2.12",
        "nodeTypeId": "Standard_D4s_v3",
        "numWorkers": 2,
    }
    (task,) = job["tasks"]
    assert task["jobClusterKey"] == "feature_engineering_cluster"
    assert task["notebookTask"]["notebookPath"] == "/Workspace/Shared/taxi-e2e/staging/GenerateAndWriteFeatures"
    assert all("==" in library["pypi"]["package"] for library in task["libraries"])
    assert job["schedule"]["pauseStatus"] == "UNPAUSED"


def test_validation_follows_training_and_is_given_its_version() -> None:
    job = by_name(workshop_of(config_of("prod")))["prod-mlops_stacks_gcp_fs-model-training-job"]
    validation, train = job["tasks"]
    assert validation["dependsOns"] == [{"taskKey": "Train"}]
    assert validation["notebookTask"]["baseParameters"] == {"model_version": "{{tasks.Train.values.model_version}}"}
    assert train["notebookTask"]["notebookPath"].endswith("/TrainWithFeatureStore")
    # Training has compute, and is run when somebody asks for a version.
    assert train["jobClusterKey"] == validation["jobClusterKey"] == "model_training_cluster"
    assert "schedule" not in job


def test_without_a_cluster_the_jobs_are_serverless_with_pinned_packages() -> None:
    config = config_of("local", lambda values: values["jobs"].pop("cluster"))
    for job in by_name(workshop_of(config)).values():
        assert "jobClusters" not in job
        (environment,) = job["environments"]
        assert environment["spec"]["dependencies"] == list(DEFAULT_PACKAGES)


def test_batch_and_monitoring_wait_while_nothing_is_served() -> None:
    def pauses(stage: str) -> dict[str, str]:
        made = by_name(workshop_of(config_of("local", lambda values: values.update(stage=stage))))
        return {
            name.rpartition("fs-")[2]: job["schedule"]["pauseStatus"] for name, job in made.items() if "schedule" in job
        }

    running = dict.fromkeys(("feature-engineering-job", "batch-inference-job", "monitoring-job"), "UNPAUSED")
    assert pauses("serving") == running
    assert pauses("jobs") == {**running, "batch-inference-job": "PAUSED", "monitoring-job": "PAUSED"}


def test_both_stages_declare_the_same_monitored_tables() -> None:
    for stage in ({"stage": "jobs"}, {"stage": "serving"}):
        config = config_of("staging", methodcaller("update", stage))
        assert jobs.monitored_tables(config) == [
            "p03.e2e_demo_simon.taxi_fare_endpoint_unpacked",
            "p03.e2e_demo_simon.pickup_features",
        ]


@pytest.mark.parametrize("stack", STACKS)
def test_model_experiment_and_grants_are_made_with_least_privilege(stack: str) -> None:
    recording = workshop_of(config_of(stack))
    assert recording.one(":RegisteredModel")["name"] == MODEL[stack].rpartition(".")[2]
    assert recording.one(":MlflowExperiment")["name"].endswith(f"/{stack}-mlops_stacks_gcp_fs-experiment")
    granted = {one["principal"]: one["privileges"] for one in recording.one(":Grants")["grants"]}
    assert granted["sp-serving"] == ["EXECUTE"]
    everything = [privilege for privileges in granted.values() for privilege in privileges]
    everything += [privilege for grant in recording.of_type(":Grant") for privilege in grant["privileges"]]
    assert "ALL_PRIVILEGES" not in everything
    assert not {"users", "account users"} & {*granted, *(grant["principal"] for grant in recording.of_type(":Grant"))}


def test_the_code_that_notebooks_import_is_in_the_workspace_beside_them_and_runs_there(tmp_path: Path) -> None:
    recording = workshop_of(config_of("local"))
    for one in [*recording.of_type(":WorkspaceFile"), *recording.of_type(":Notebook")]:
        suffix = ".py" if "language" in one else ""
        path = tmp_path / (one["path"].removeprefix("/Workspace/Shared/taxi-e2e/local/") + suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(one["contentBase64"]))
    for path in [*tmp_path.glob("*.py"), *tmp_path.glob("pipelines/**/*.py")]:
        for module in re.findall(r"^\s*(?:from|import) (pipelines[\w.]*)", path.read_text(), re.MULTILINE):
            place = tmp_path / module.replace(".", "/")
            assert place.with_suffix(".py").is_file() or (place / "__init__.py").is_file(), f"{path} imports {module}"
    # That it runs there is what the engine's test sees; here, that it finds its data from these files alone.
    code = """
import pipelines
from pipelines.taxi.zones import zone_zips
from pipelines.taxi_e2e.feature_step import FEATURE_TABLES
from pipelines.taxi_e2e.ingest import LOCATED
from pipelines.taxi_e2e.locations import locations
from pipelines.taxi_e2e.statements import statement

assert zone_zips() and locations() and FEATURE_TABLES and statement("training_set")
print(pipelines.__file__)
"""
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(str(tmp_path))


def test_feature_distributions_are_watched_and_their_drift_is_told() -> None:
    config = config_of("staging")
    assert config.feature_monitor is not None

    def build() -> pulumi.Output[str]:
        assert config.feature_monitor is not None
        return watch_features(config, config.feature_monitor, [])[0].drift_metrics_table

    recording = record(build)
    monitor = recording.one(":QualityMonitor")
    assert monitor["tableName"] == "p03.e2e_demo_simon.pickup_features"
    assert monitor["timeSeries"]["timestampCol"] == "as_of"
    alert = recording.one(":AlertV2")
    assert "c.s.drift" in alert["queryText"] or "drift" in alert["queryText"]
    subscribers = alert["evaluation"]["notification"]["subscriptions"]
    assert [one["userEmail"] for one in subscribers] == ["ml-platform@example.com"]


@pytest.mark.parametrize("stack", STACKS)
def test_the_inference_monitor_is_of_a_regression_and_alerts_are_there(stack: str) -> None:
    config = config_of(stack)
    assert config.monitor is not None
    assert config.monitor.problem_type == "PROBLEM_TYPE_REGRESSION"
    assert set(DOCUMENTED) == set(config.monitor.record_columns)
    assert config.alerts is not None
    assert None not in (config.alerts.max_error_share, config.alerts.max_p95_latency_ms)
    assert set(config.alerts.drift) == {"prediction"}
    assert config.alerts.emails


@pytest.mark.parametrize("stack", STACKS)
def test_the_fare_of_a_request_is_found_by_what_it_says_of_the_trip_and_the_error_has_an_alert(stack: str) -> None:
    config = config_of(stack)
    assert config.monitor is not None
    assert config.monitor.labels is not None
    assert (config.monitor.labels.table, config.monitor.labels.column) == (LOCATED, config.monitor.label_column)
    # Not by its length: what a caller asks for is an estimate.
    assert set(config.monitor.labels.keys) == set(DOCUMENTED) - {"trip_distance"}
    assert config.alerts is not None
    (quality,) = config.alerts.quality.values()
    assert quality.measure in {metric.name for metric in config.monitor.custom_metrics}
    assert quality.needs_labels


class Asked:
    """A workspace whose endpoint is there or not; whatever else is asked is the test's mistake."""

    def __init__(self, *, endpoint: bool) -> None:
        self.serving_endpoints = SimpleNamespace(get=self._get)
        self.endpoint = endpoint

    def _get(self, name: str) -> object:
        if not self.endpoint:
            raise NotFound(name)
        return name


@pytest.mark.parametrize(
    ("stage", "versions", "becomes"),
    [("jobs", True, "jobs"), ("auto", False, "jobs"), ("auto", True, "serving"), ("serving", True, "serving")],
)
def test_with_auto_the_first_version_that_may_be_served_makes_the_difference(
    stage: str, versions: bool, becomes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def planned(config: TaxiE2eConfig, _: object) -> str:
        if not versions:
            raise NoVersionYetError("none has passed")
        assert config.stage == "serving"
        return "a plan"

    monkeypatch.setattr(stages, "plan_serving", planned)
    config, plan = stages.staged(
        config_of("local", methodcaller("update", {"stage": stage})), cast("WorkspaceClient", Asked(endpoint=False))
    )
    assert config.stage == becomes
    assert str(plan) == ("None" if becomes == "jobs" else "a plan")


@pytest.mark.parametrize(
    ("stage", "says"),
    [
        ("jobs", "stage is jobs, and endpoint .* is there: it would be deleted.*Set stage: serving"),
        ("auto", r"nothing may be served \(none has passed\), and endpoint .* is there: it would be deleted"),
    ],
)
def test_an_endpoint_that_is_there_is_never_taken_down_by_the_stage(
    stage: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise NoVersionYetError("none has passed")

    monkeypatch.setattr(stages, "plan_serving", refused)
    config = config_of("local", methodcaller("update", {"stage": stage}))
    with pytest.raises(checks.StageError, match=says):
        stages.staged(config, cast("WorkspaceClient", Asked(endpoint=True)))


def test_a_stack_that_is_to_serve_says_that_there_is_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise NoVersionYetError("none has passed")

    monkeypatch.setattr(stages, "plan_serving", refused)
    with pytest.raises(NoVersionYetError, match="none has passed"):
        stages.staged(config_of("staging"), cast("WorkspaceClient", Asked(endpoint=False)))


@pytest.mark.parametrize(
    ("stack", "change", "says"),
    [
        ("prod", lambda values: values.pop("featureMonitor"), "watched from its first day"),
        ("local", _without_json_and_champion, "score by the alias champion"),
        ("local", lambda values: values.update(servingConfig="serving/config/none.json"), "cannot be read"),
        (
            "local",
            lambda values: values.update(testPayloads={"single": "none.json"}),
            r"testPayloads\.single: none\.json",
        ),
        (
            "local",
            lambda values: values.update(testPayloads={"batch": "serving/config/test_single_prediction.json"}),
            "a list of 2 or more",
        ),
        ("local", lambda values: values["jobs"].update(batchEngine="cluster"), r"jobs\.batchEngine"),
        ("local", lambda values: values.update(stage="training"), "stage"),
        ("prod", lambda values: values.update(stage="auto"), "stage: auto leaves it to the registry"),
        (
            "local",
            lambda values: values["jobs"]["permissions"].append({"level": "CAN_VIEW"}),
            "names no principal or several",
        ),
    ],
)
def test_what_cannot_work_is_refused_at_preview(
    stack: str, change: Callable[[dict[str, Any]], object], says: str
) -> None:
    with pytest.raises(StackConfigError, match=says):
        config_of(stack, change)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"fare_amount": 7.0}, ["record 0 has fare_amount, which is what the model predicts; remove it"]),
        ({"trip_distance": None}, ["record 0 lacks trip_distance; add them to the payload"]),
    ],
)
def test_a_payload_must_have_what_the_version_needs_and_not_its_label(
    changes: dict[str, float | None], found: list[str]
) -> None:
    record_ = {name: value for name, value in {**DOCUMENTED, **changes}.items() if value is not None}
    assert checks.payload_problems({"dataframe_records": [record_]}, list(DOCUMENTED), "fare_amount") == found


def test_the_documents_own_payload_is_refused_by_a_version_that_says_what_it_predicts(
    monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    file = project / "serving" / "config" / "test_single_prediction.json"
    seed = {**DOCUMENTED, "fare_amount": 7.0}
    file.write_text(json.dumps({"dataframe_records": [seed]}))
    config = config_of("staging")
    tags = {checks.INPUTS_TAG: ",".join(DOCUMENTED), checks.LABEL_TAG: "fare_amount"}
    monkeypatch.setattr(checks, "version_facts", lambda *_: SimpleNamespace(tags=tags))
    plan = cast("ServingPlan", SimpleNamespace(entities=[SimpleNamespace(version="18")], client=None))
    with pytest.raises(checks.PayloadError, match="smoke query single, version 18: record 0 has fare_amount"):
        checks.check_payloads(config, plan)
    monkeypatch.setattr(checks, "version_facts", lambda *_: SimpleNamespace(tags={}))
    checks.check_payloads(config, plan)
