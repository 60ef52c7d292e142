"""The churn stack's files are valid, and say what the document says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from components.config.errors import StackConfigError, parse_stack_config
from components.registry import served_entities
from examples.churn.config import DEFAULT_PACKAGES, ChurnConfig, DriftResponseConfig
from examples.churn.drift import NOTEBOOKS
from pipelines.churn.drift_detection import Policy
from pipelines.churn.drift_journal import JOURNAL
from pipelines.churn.drift_parameters import guard_of, policy_of
from pipelines.churn.drift_response import Guard

FOLDER = Path(__file__).parents[2] / "examples" / "churn"
STACKS = ("local", "staging", "prod")


def values(stack: str) -> dict[str, Any]:
    content = yaml.safe_load((FOLDER / f"Pulumi.{stack}.yaml").read_text())
    return {"environment": stack, **content["config"]["churn-serving:serving"]}


def config_of(stack: str, **changes: Any) -> ChurnConfig:
    return parse_stack_config({**values(stack), **changes}, ChurnConfig, where="the test")


@pytest.mark.parametrize("stack", STACKS)
def test_every_stack_has_the_documented_names_split_and_payload(stack: str) -> None:
    config = config_of(stack)
    assert config.endpoint.name == "advanced_mlops_churn_ep" + ("_staging" if stack == "staging" else "")
    assert config.model.name == f"{config.catalog}.churn.advanced_mlops_churn"
    assert {entity.alias: entity.traffic for entity in config.endpoint.entities} == {"production": 80, "champion": 20}
    assert {entity.workload_size for entity in config.endpoint.entities} == {"Small"}
    assert config.scale_to_zero is (stack != "prod")
    (table,) = config.feature_tables
    assert (table.primary_keys, table.timeseries_key, table.publish_mode) == (
        ["customer_id"],
        "transaction_ts",
        "TRIGGERED",
    )
    assert (table.source, table.online_name) == (
        "advanced_churn_feature_table",
        "advanced_churn_feature_table_online_table",
    )
    assert config.endpoint.inference_table is not None
    assert config.endpoint.inference_table.prefix == "advanced_churn_served"
    assert config.endpoint.tags["dbdemos"] == "advanced_mlops_churn"
    (query,) = config.smoke.queries
    assert query.payload == {
        "dataframe_records": [
            {"customer_id": "0002-ORFBO", "transaction_ts": "2024-09-10"},
            {"customer_id": "0003-MKNFE", "transaction_ts": "2024-09-10"},
        ]
    }
    assert query.expect.predictions == 2
    # The document's wait, which is only the first one here; nobody waits for it on a laptop.
    assert config.smoke.initial_delay_seconds == (0 if stack == "local" else 60)


@pytest.mark.parametrize(
    ("versions", "served"),
    [
        ({"production": "3", "champion": "4"}, {"advanced_mlops_churn-3": 80, "advanced_mlops_churn-4": 20}),
        ({"production": "4", "champion": "4"}, {"advanced_mlops_churn-4": 100}),
    ],
)
def test_two_aliases_on_one_version_are_one_entity_with_all_of_the_traffic(
    versions: dict[str, str], served: dict[str, int]
) -> None:
    config = config_of("prod")
    entities = served_entities(config.endpoint, config.model, versions, scale_to_zero=config.scale_to_zero)
    assert {entity.entity_name: entity.traffic_percentage for entity in entities} == served


@pytest.mark.parametrize("stack", STACKS)
def test_every_stack_watches_what_the_document_watches(stack: str) -> None:
    config = config_of(stack)
    monitor = config.monitor
    assert monitor is not None
    assert (monitor.table, monitor.problem_type) == (
        "advanced_churn_inference_table",
        "PROBLEM_TYPE_CLASSIFICATION",
    )
    assert monitor.slicing_exprs == ["senior_citizen='Yes'", "contract"]
    assert monitor.granularities == ["1 day"]
    # A workspace path from the root, and not a folder of whoever deploys.
    assert monitor.assets_dir == "/Workspace/Shared/churn/monitoring"
    assert (monitor.model_id, monitor.label_column) == ("model_version", "churn")
    assert monitor.baseline_table == f"{config.catalog}.churn.advanced_churn_baseline"
    (metric,) = monitor.custom_metrics
    assert (metric.name, metric.type, metric.input_columns) == ("expected_loss", "AGGREGATE", [":table"])
    assert metric.definition == (
        "avg(CASE WHEN {{prediction_col}} != {{label_col}} AND {{label_col}} = 'Yes' THEN -monthly_charges ELSE 0 END)"
    )
    # Slices and the metric are of columns that requests leave out.
    assert set(config.monitored_features) == {"senior_citizen", "contract", "monthly_charges"}


@pytest.mark.parametrize("stack", STACKS)
def test_the_jobs_parameters_are_the_documents_and_drift_detection_reads_them(stack: str) -> None:
    drift = config_of(stack).drift
    assert drift is not None
    parameters = drift.parameters()
    documented = {
        "performance_metric": "f1_score.macro",
        "drift_metric": "js_distance",
        "performance_threshold": "0.5",
        "expected_loss_threshold": "30",
        "drift_threshold": "0.19",
        "start_date": "2024-06-01",
    }
    assert documented.items() <= parameters.items()
    policy = policy_of(parameters, Policy().since)  # type: ignore[arg-type]
    assert policy == Policy(minimum_rows=drift.minimum_rows, needed_windows=drift.needed_windows)
    assert guard_of(parameters) == Guard()
    assert parameters["journal"] == JOURNAL
    assert parameters["judge_slices"] == "true"


def test_the_defaults_of_the_stack_file_are_those_of_the_job() -> None:
    parameters = DriftResponseConfig(folder="/Workspace/x").parameters()
    assert policy_of(parameters, Policy().since) == Policy()  # type: ignore[arg-type]
    assert guard_of(parameters) == Guard()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"monitor": None, "alerts": None}, "both read or fill the monitored table"),
        ({"drift": {"folder": "/Workspace/x", "needed_windows": 8}}, "neededWindows|needed_windows"),
        ({"drift": {"folder": "/Workspace/x", "neededWindows": 8}}, "needs 8 bad windows and looks at 7"),
        ({"drift": {"folder": "x"}}, "drift.folder"),
        ({"drift": {"folder": "/x", "driftThreshold": 0.1}}, "driftRearm 0.15 is above driftThreshold 0.1"),
        (
            {"drift": {"folder": "/x", "performanceRearm": 0.4}},
            "performanceRearm 0.4 is below performanceThreshold 0.5",
        ),
        ({"drift": {"folder": "/x", "expectedLossRearm": 31.0}}, "expectedLossRearm 31 is above"),
        ({"drift": {"folder": "/x", "cooldownDays": -1.0}}, "drift.cooldownDays"),
        ({"drift": {"folder": "/x", "weeklyCap": 0}}, "drift.weeklyCap"),
        ({"drift": {"folder": "/x", "journal": "a.b; DROP"}}, "drift.journal"),
        (
            {"drift": {"folder": "/x", "driftMetric": "wasserstein_distance"}},
            "always empty for a column of type string",
        ),
    ],
)
def test_what_cannot_work_is_refused_at_preview(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(StackConfigError, match=says):
        config_of("local", **changes)


def test_drift_without_its_metric_or_labels_is_refused() -> None:
    monitor = {**values("local")["monitor"], "customMetrics": [], "labelColumn": None, "labels": None}
    with pytest.raises(StackConfigError, match=r"(?s)add expected_loss to monitor\.customMetrics.*labelColumn"):
        config_of("local", monitor=monitor)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"granularities": ["1 hour"]}, "reads windows of 1 day; add it to monitor.granularities"),
        ({"slicingExprs": []}, "add monitor.slicingExprs"),
        (
            {"predictionType": "double", "labelType": "double"},
            "js_distance is always empty for a column of type double",
        ),
    ],
)
def test_a_monitor_that_drift_could_not_be_seen_in_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(StackConfigError, match=says):
        config_of("local", monitor={**values("local")["monitor"], **changes})


def test_the_notebooks_have_the_documented_names_and_their_packages_are_pinned() -> None:
    assert {path.stem for path in NOTEBOOKS.glob("*.py")} == {"08_drift_detection", "02_automl_champion"}
    assert all("==" in package for package in DEFAULT_PACKAGES)
