"""A model with lookups is written as databricks-feature-engineering writes it, and scores without the lookup too."""

import json
from collections.abc import Iterator
from importlib.metadata import version
from operator import methodcaller
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from databricks.ml_features_common.entities.column_info import ColumnInfo
from databricks.ml_features_common.entities.feature_column_info import FeatureColumnInfo
from databricks.ml_features_common.entities.feature_spec import FeatureSpec as LibrarySpec
from databricks.ml_features_common.entities.feature_table_info import FeatureTableInfo
from databricks.ml_features_common.entities.function_info import FunctionInfo
from databricks.ml_features_common.entities.on_demand_column_info import OnDemandColumnInfo
from databricks.ml_features_common.entities.source_data_column_info import SourceDataColumnInfo
from databricks.ml_features_common.mlflow_model_constants import (
    FEATURE_LOOKUP_CLIENT_MAJOR_VERSION,
    FEATURE_LOOKUP_CLIENT_PIP_PACKAGE,
    MLFLOW_MODEL_NAME,
    RAW_MODEL_FOLDER,
)
from databricks.ml_features_common.utils.feature_spec_utils import assign_topological_ordering
from mlflow.models import Model
from mlflow.store._unity_catalog.registry import rest_store
from sklearn.ensemble import RandomForestRegressor

from pipelines.errors import PipelineError
from pipelines.feature_model import (
    LOADER_MODULE,
    LOOKUP_CLIENT,
    RAW_MODEL,
    FeatureLookup,
    FeatureSpec,
    Input,
    OnDemandFeature,
    log_feature_model,
    predict_offline,
)
from pipelines.registration import without_feature_dependencies
from pipelines.taxi import train
from pipelines.taxi.features import FEATURE_TABLES, compute_dropoff_features, compute_pickup_features
from pipelines.taxi.parameters import Parameters
from pipelines.taxi.sample import generate
from tests.unit.pipelines.duck import with_trips

GENERAL = FeatureSpec(
    inputs=[
        Input(name="distance", data_type="double"),
        Input(name="zone", data_type="int", include=False),
        Input(name="at", data_type="timestamp", include=False),
    ],
    lookups=[
        FeatureLookup(
            table_name="c.s.zones",
            table_id="id-zones",
            lookup_key=("zone",),
            features={"mean": "double", "trips": "int"},
            rename={"mean": "zone_mean"},
        ),
        FeatureLookup(
            table_name="c.s.history",
            table_id="id-history",
            lookup_key=("zone",),
            features={"mean": "double"},
            timestamp_lookup_key="at",
        ),
    ],
)
COMPUTED = FeatureSpec(
    inputs=GENERAL.inputs,
    lookups=GENERAL.lookups,
    on_demand=[
        # One of what the caller sends, one of what is looked up, one of both and of the first.
        OnDemandFeature(name="per_mile", function="c.s.per_mile", arguments={"miles": "distance"}, data_type="double"),
        OnDemandFeature(name="busy", function="c.s.busy", arguments={"trips": "trips"}, data_type="boolean"),
        OnDemandFeature(
            name="all", function="c.s.mix", arguments={"a": "per_mile", "b": "zone_mean"}, data_type="double"
        ),
    ],
)
TAXI = train.feature_spec("c.s", {table.name: f"id-{table.name}" for table in FEATURE_TABLES})


def written_by_the_library(spec: FeatureSpec, workspace_id: int, folder: Path) -> str:
    """`feature_spec.yaml` as the library's own classes write it for the same inputs and lookups."""
    columns = [ColumnInfo(SourceDataColumnInfo(i.name), i.include, i.data_type) for i in spec.inputs]
    for lookup in spec.lookups:
        at = [lookup.timestamp_lookup_key] if lookup.timestamp_lookup_key else None
        for feature, data_type in lookup.features.items():
            name = lookup.output_name(feature)
            info = FeatureColumnInfo(lookup.table_name, feature, list(lookup.lookup_key), name, at)
            columns.append(ColumnInfo(info, True, data_type))
    for made in spec.on_demand:
        on_demand = OnDemandColumnInfo(made.function, dict(made.arguments), made.name)
        columns.append(ColumnInfo(on_demand, True, made.data_type))
    tables = sorted({(lookup.table_name, lookup.table_id) for lookup in spec.lookups})
    library = LibrarySpec(
        column_infos=assign_topological_ordering(columns),
        table_infos=[FeatureTableInfo(table_name, table_id) for table_name, table_id in tables],
        function_infos=[FunctionInfo(name) for name in sorted({made.function for made in spec.on_demand})],
        workspace_id=workspace_id,
        feature_store_client_version="0.18.2",
        serialization_version=LibrarySpec.SERIALIZATION_VERSION_NUMBER,
    )
    library.save(str(folder))
    return (folder / "feature_spec.yaml").read_text(encoding="utf-8")


@pytest.fixture
def tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An MLflow of this test's own, and a working directory that looks like a uv project."""
    monkeypatch.setenv("MLFLOW_UV_AUTO_DETECT", "true")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\nversion = '1'\n", encoding="utf-8")
    (tmp_path / "uv.lock").write_text("version = 1\n", encoding="utf-8")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    mlflow.create_experiment("taxi", artifact_location=(tmp_path / "artifacts").as_uri())
    mlflow.set_experiment("taxi")
    yield tmp_path
    mlflow.set_tracking_uri(before)


@pytest.mark.parametrize("spec", [GENERAL, COMPUTED, TAXI], ids=["general", "computed", "taxi"])
def test_the_spec_is_the_librarys_own_text(spec: FeatureSpec, tmp_path: Path) -> None:
    ours = yaml.safe_dump(spec.document(900800700600), sort_keys=False, default_flow_style=False, allow_unicode=True)
    assert ours == written_by_the_library(spec, 900800700600, tmp_path)


def test_a_computed_feature_of_what_nobody_sends_or_looks_up_is_refused() -> None:
    made = OnDemandFeature(name="x", function="c.s.x", arguments={"a": "nowhere"}, data_type="double")
    with pytest.raises(PipelineError, match="Feature x is made of nowhere, which neither the caller sends"):
        FeatureSpec(inputs=GENERAL.inputs, lookups=GENERAL.lookups, on_demand=[made])


def test_computed_features_may_be_sent_too_and_stand_last_in_the_model() -> None:
    inputs = COMPUTED.signature("fare", "double").inputs
    assert [column.name for column in inputs if not column.required][-3:] == ["per_mile", "busy", "all"]
    assert COMPUTED.model_columns[-3:] == ["per_mile", "busy", "all"]


def test_the_library_is_new_enough_to_publish_to_an_online_store() -> None:
    assert tuple(map(int, version("databricks-feature-engineering").split(".")[:2])) >= (0, 13)


def test_the_librarys_constants_are_ours() -> None:
    assert LOADER_MODULE == MLFLOW_MODEL_NAME
    assert RAW_MODEL == RAW_MODEL_FOLDER
    assert f"{FEATURE_LOOKUP_CLIENT_PIP_PACKAGE}=={FEATURE_LOOKUP_CLIENT_MAJOR_VERSION}.*" == LOOKUP_CLIENT


def test_a_column_that_comes_twice_and_a_key_nobody_sends_are_refused() -> None:
    lookup = FeatureLookup(table_name="c.s.t", table_id="1", lookup_key=("zone",), features={"distance": "double"})
    sent = [Input(name="distance", data_type="double"), Input(name="zone", data_type="int", include=False)]
    with pytest.raises(PipelineError, match="more than one column named distance: rename"):
        FeatureSpec(inputs=sent, lookups=[lookup])
    with pytest.raises(PipelineError, match=r"lookup in c\.s\.t needs zone, which the caller does not send"):
        FeatureSpec(inputs=[Input(name="miles", data_type="double")], lookups=[lookup])


def test_the_label_is_not_among_the_inputs_and_the_caller_sends_keys_and_distance_only() -> None:
    assert train.LABEL not in TAXI.model_columns
    assert [column.name for column in TAXI.inputs] == [
        "trip_distance",
        "pickup_zip",
        "rounded_pickup_datetime",
        "dropoff_zip",
        "rounded_dropoff_datetime",
    ]
    assert TAXI.model_columns[0] == "trip_distance"
    assert not {"pickup_zip", "dropoff_zip", "rounded_pickup_datetime", "rounded_dropoff_datetime"} & set(
        TAXI.model_columns
    )


def test_a_logged_taxi_model_has_the_librarys_layout_and_scores_offline_as_in_training(tracking: Path) -> None:
    duck = with_trips(generate(7))
    compute_pickup_features(duck)
    compute_dropoff_features(duck)
    trips = train.training_set(duck)
    trained = train.train(trips, TAXI, Parameters(n_estimators=10))
    assert trained.error.mae < trained.baseline.mae
    assert trips[trips[train.TIME] < trained.cut][train.TIME].count() == trained.train_rows
    with mlflow.start_run() as run:
        logged = train.log(trained, TAXI, Parameters(n_estimators=10), workspace_id=42, digests={"taxi.x": "y"})

    folder = Path(mlflow.artifacts.download_artifacts(logged.model_uri))
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {
        "MLmodel",
        "conda.yaml",
        "requirements.txt",
        "input_example.json",
        "data/feature_store/feature_spec.yaml",
        "data/feature_store/raw_model/MLmodel",
        "data/feature_store/raw_model/model.pkl",
    } <= files
    assert not {"uv.lock", "pyproject.toml"} & files
    assert LOOKUP_CLIENT in (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()

    outer = Model.load(str(folder))
    assert outer.flavors["python_function"]["loader_module"] == MLFLOW_MODEL_NAME
    assert outer.flavors["python_function"]["data"] == "data/feature_store"
    assert [column.name for column in outer.signature.inputs if column.required] == [i.name for i in TAXI.inputs]
    assert [column.name for column in outer.signature.inputs if not column.required] == TAXI.feature_names
    assert outer.signature.outputs.input_names() == [train.LABEL]
    assert Model.load(str(folder / "data/feature_store/raw_model")).signature.inputs is None
    example = json.loads((folder / "input_example.json").read_text(encoding="utf-8"))
    assert example["columns"] == [column.name for column in TAXI.inputs]

    loaded = LibrarySpec.load(str(folder / "data" / "feature_store"))
    assert loaded.workspace_id == 42
    assert [info.table_name for info in loaded.table_infos] == ["c.s.trip_dropoff_features", "c.s.trip_pickup_features"]

    held_out = trips[trips[train.TIME] >= trained.cut]
    # A lookup hands features over as objects with None in them, and in whatever column order it likes.
    joined = held_out[held_out.columns[::-1]].astype(object).where(held_out.notna(), None)
    offline = predict_offline(folder, joined)
    assert offline == pytest.approx(trained.model.predict(held_out[TAXI.model_columns]), abs=1e-9)
    metrics = mlflow.get_run(run.info.run_id).data.metrics
    assert np.abs(held_out[train.LABEL] - offline).mean() == pytest.approx(metrics["held_out_mae"])


def test_open_source_mlflow_refuses_lookups_only_outside_our_registration(tracking: Path) -> None:
    frame = pd.DataFrame({"distance": [1.0, 2.0], "zone_mean": [1.0, None], "trips": [1, 2], "mean": [3.0, 4.0]})
    model = RandomForestRegressor(n_estimators=2, random_state=1).fit(frame, [1.0, 2.0])
    request = pd.DataFrame(
        {"distance": [1.0], "zone": np.array([1], dtype=np.int32), "at": [pd.Timestamp("2019-03-01")]}
    )
    with mlflow.start_run():
        logged = log_feature_model(
            model,
            GENERAL,
            name="general",
            label="fare",
            label_type="double",
            workspace_id=1,
            input_example=request,
            pip_requirements=["mlflow"],
        )
    dependencies = methodcaller("get_feature_dependencies", mlflow.artifacts.download_artifacts(logged.model_uri))
    with pytest.raises(mlflow.MlflowException, match="can only be registered on a Databricks cluster"):
        dependencies(rest_store)
    with without_feature_dependencies():
        assert dependencies(rest_store) == ""
    with pytest.raises(mlflow.MlflowException, match="can only be registered on a Databricks cluster"):
        dependencies(rest_store)


def test_too_few_trips_are_refused_with_their_number() -> None:
    duck = with_trips(generate(7)[:60])
    compute_pickup_features(duck)
    compute_dropoff_features(duck)
    with pytest.raises(PipelineError, match="too few to train and judge"):
        train.train(train.training_set(duck), TAXI, Parameters())


def test_another_seed_or_number_of_trees_is_another_model_on_the_same_cut() -> None:
    duck = with_trips(generate(7))
    compute_pickup_features(duck)
    compute_dropoff_features(duck)
    trips = train.training_set(duck)
    first, again, other = (
        train.train(trips, TAXI, parameters)
        for parameters in (
            Parameters(n_estimators=4),
            Parameters(n_estimators=4),
            Parameters(n_estimators=4, seed=8),
        )
    )
    assert first.error == again.error
    assert first.error != other.error
    assert (first.cut, first.baseline) == (other.cut, other.baseline)
