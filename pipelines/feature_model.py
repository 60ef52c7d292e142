"""A model that carries its feature lookups, in the form that `databricks-feature-engineering` writes.

`FeatureEngineeringClient.log_model` needs Spark; this module writes the same files without it (docs/taxi-pipeline.md,
"The model's form"; source: databricks-feature-engineering 0.18.2,
`ml_features/_training_scoring_client/_training_scoring_client.py` and `ml_features_common/entities/feature_spec.py`).
It knows nothing of taxis.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import mlflow
import numpy as np
import pandas as pd
import yaml
from mlflow.models import Model, ModelSignature, utils
from mlflow.models.model import ModelInfo
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

from pipelines.errors import PipelineError

LOADER_MODULE: Final = "databricks.feature_store.mlflow_model"
LOOKUP_CLIENT: Final = "databricks-feature-lookup==1.*"
SPEC_FILE: Final = "feature_spec.yaml"
RAW_MODEL: Final = "raw_model"
# The library release whose form this is, and the number it gives to the form.
_CLIENT_VERSION: Final = "0.18.2"
_SERIALIZATION_VERSION: Final = 11
_DATA_FOLDER: Final = "feature_store"

# `SUPPORTED_SCALAR_TYPE_MAP` of the library (ml_features/utils/signature_utils.py).
_MLFLOW_TYPES: Final[Mapping[str, DataType]] = {
    "smallint": DataType.integer,
    "int": DataType.integer,
    "bigint": DataType.long,
    "float": DataType.float,
    "double": DataType.double,
    "boolean": DataType.boolean,
    "date": DataType.datetime,
    "timestamp": DataType.datetime,
    "string": DataType.string,
    "binary": DataType.binary,
}


class Estimator(Protocol):
    """What scikit-learn's flavor of MLflow can save."""

    def predict(self, X: pd.DataFrame) -> object: ...  # noqa: N803  scikit-learn's own name


@dataclass(frozen=True, kw_only=True)
class Input:
    """A column that the caller sends. `include=False`: only a lookup key, not seen by the raw model."""

    name: str
    data_type: str
    include: bool = True


@dataclass(frozen=True, kw_only=True)
class FeatureLookup:
    """Columns of one feature table, looked up by key.

    `lookup_key` names the caller's columns in the order of the table's primary key; `features` are the table's columns
    with their Databricks SQL types; `rename` gives a feature another name for the model; `timestamp_lookup_key` asks
    for the newest row at or before that column's moment.
    """

    table_name: str
    table_id: str
    lookup_key: tuple[str, ...]
    features: Mapping[str, str]
    rename: Mapping[str, str] = field(default_factory=dict)
    timestamp_lookup_key: str | None = None

    def output_name(self, feature: str) -> str:
        return self.rename.get(feature, feature)


@dataclass(frozen=True, kw_only=True)
class OnDemandFeature:
    """A column that a Python function of Unity Catalog makes of others, for each request anew.

    `function` is its full name; `arguments` say which column each parameter gets; `data_type` is what it returns.
    """

    name: str
    function: str
    arguments: Mapping[str, str]
    data_type: str


@dataclass(frozen=True, kw_only=True)
class FeatureSpec:
    """What a model needs from its caller and from feature tables.

    Raises PipelineError when the two do not fit together.
    """

    inputs: Sequence[Input]
    lookups: Sequence[FeatureLookup]
    on_demand: Sequence[OnDemandFeature] = ()

    def __post_init__(self) -> None:
        names = [*(column.name for column in self.inputs), *self.feature_names]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise PipelineError(
                f"The model would get more than one column named {', '.join(doubled)}: rename a lookup's output."
            )
        sent = {column.name for column in self.inputs}
        for lookup in self.lookups:
            keys = {*lookup.lookup_key, *([lookup.timestamp_lookup_key] if lookup.timestamp_lookup_key else [])}
            if keys - sent:
                raise PipelineError(
                    f"The lookup in {lookup.table_name} needs {', '.join(sorted(keys - sent))}, which the caller does "
                    f"not send (inputs: {', '.join(sorted(sent))}). Add it to the inputs with include=False."
                )
        known = {*sent, *self._looked_up}
        for feature in self.on_demand:
            unknown = sorted(set(feature.arguments.values()) - known)
            if unknown:
                raise PipelineError(
                    f"Feature {feature.name} is made of {', '.join(unknown)}, which neither the caller sends nor a "
                    f"feature before it is called (there are {', '.join(sorted(known))})."
                )
            known.add(feature.name)

    @property
    def model_columns(self) -> list[str]:
        """The raw model's columns, in order."""
        return [*(column.name for column in self.inputs if column.include), *self.feature_names]

    @property
    def feature_names(self) -> list[str]:
        """What looked-up and computed features are called for the model, in order."""
        return [*self._looked_up, *(feature.name for feature in self.on_demand)]

    @property
    def _looked_up(self) -> list[str]:
        return [lookup.output_name(feature) for lookup in self.lookups for feature in lookup.features]

    def document(self, workspace_id: int) -> dict[str, object]:
        """`feature_spec.yaml` as the library would write it."""
        # The library orders columns for evaluation: inputs by name, then features by name; functions as soon as what
        # they are made of is there, those that need no lookup before the lookups.
        in_order = [*sorted(column.name for column in self.inputs)]
        in_order += self._computed_from(in_order)
        in_order += sorted(self._looked_up)
        in_order += self._computed_from(in_order)
        order = {name: place for place, name in enumerate(in_order)}
        columns: list[dict[str, object]] = []
        for column in self.inputs:
            entry: dict[str, object] = {"data_type": column.data_type}
            if not column.include:
                entry["include"] = False
            columns.append(
                {column.name: entry | {"topological_ordering": order[column.name], "source": "training_data"}}
            )
        for lookup in self.lookups:
            timestamp = {"timestamp_lookup_key": [lookup.timestamp_lookup_key]} if lookup.timestamp_lookup_key else {}
            for feature, data_type in lookup.features.items():
                name = lookup.output_name(feature)
                entry = {
                    "table_name": lookup.table_name,
                    "feature_name": feature,
                    "lookup_key": list(lookup.lookup_key),
                    **timestamp,
                }
                entry |= {"data_type": data_type, "topological_ordering": order[name], "source": "feature_store"}
                columns.append({name: entry})
        for computed in self.on_demand:
            entry = {"udf_name": computed.function, "input_bindings": dict(computed.arguments)}
            entry |= {"data_type": computed.data_type, "topological_ordering": order[computed.name]}
            columns.append({computed.name: entry | {"source": "on_demand_feature"}})
        functions = sorted({computed.function for computed in self.on_demand})
        tables = {lookup.table_name: lookup.table_id for lookup in self.lookups}
        return {
            "input_columns": columns,
            "workspace_id": str(workspace_id),
            "feature_store_client_version": _CLIENT_VERSION,
            "input_tables": [{name: {"table_id": tables[name]}} for name in sorted(tables)],
            **({"input_functions": [{name: {}} for name in functions]} if functions else {}),
            "serialization_version": _SERIALIZATION_VERSION,
        }

    def _computed_from(self, known: Sequence[str]) -> list[str]:
        """Computed features that can be made of what is known, and were not before; by name, each after its inputs."""
        there, made = set(known), list[str]()
        while True:
            ready = sorted(
                feature.name
                for feature in self.on_demand
                if feature.name not in there and set(feature.arguments.values()) <= there
            )
            if not ready:
                return made
            made.append(ready[0])
            there.add(ready[0])

    def signature(self, label: str, label_type: str) -> ModelSignature:
        """What the caller must send (the inputs), may send to override a lookup (the features), and gets back."""
        required = [ColSpec(_MLFLOW_TYPES[column.data_type], column.name, required=True) for column in self.inputs]
        optional = [
            ColSpec(_MLFLOW_TYPES[data_type], lookup.output_name(feature), required=False)
            for lookup in self.lookups
            for feature, data_type in lookup.features.items()
        ]
        optional += [
            ColSpec(_MLFLOW_TYPES[feature.data_type], feature.name, required=False) for feature in self.on_demand
        ]
        return ModelSignature(
            inputs=Schema([*required, *optional]),
            outputs=Schema([ColSpec(_MLFLOW_TYPES[label_type], label, required=True)]),
            params=ParamSchema([ParamSpec("result_type", DataType.string, "NO_RESULT_TYPE")]),
        )


def log_feature_model(
    model: Estimator,
    spec: FeatureSpec,
    *,
    name: str,
    label: str,
    label_type: str,
    workspace_id: int,
    input_example: pd.DataFrame,
    pip_requirements: Sequence[str],
) -> ModelInfo:
    """Log a scikit-learn `model` with its lookups to the active MLflow run.

    `input_example` is a caller's request: the spec's inputs, no features.
    """
    # Left to itself, MLflow puts the pyproject.toml and uv.lock of the working directory into every model as its
    # environment.
    os.environ["MLFLOW_UV_AUTO_DETECT"] = "false"
    signature = spec.signature(label, label_type)
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch, _DATA_FOLDER)
        data.mkdir()
        # The outer signature is the caller's; the raw model is called by the lookup, with features in their place.
        raw = Model(signature=ModelSignature(outputs=signature.outputs))
        mlflow.sklearn.save_model(
            model,
            str(data / RAW_MODEL),
            mlflow_model=raw,
            pip_requirements=list(pip_requirements),
            serialization_format="cloudpickle",
        )
        conda = yaml.safe_load((data / RAW_MODEL / "conda.yaml").read_text(encoding="utf-8"))
        for dependency in conda["dependencies"]:
            if isinstance(dependency, dict):
                dependency["pip"].append(LOOKUP_CLIENT)
        document = yaml.safe_dump(
            spec.document(workspace_id), sort_keys=False, default_flow_style=False, allow_unicode=True
        )
        (data / SPEC_FILE).write_text(document, encoding="utf-8")
        with _example_not_tried_out():
            logged: ModelInfo = mlflow.pyfunc.log_model(
                name=name,
                loader_module=LOADER_MODULE,
                data_path=str(data),
                conda_env=conda,
                signature=signature,
                input_example=input_example,
            )
    return logged


def request_frame(rows: pd.DataFrame, inputs: Sequence[Input]) -> pd.DataFrame:
    """What a caller would send for `rows`: the inputs in the signature's types, with naive UTC times."""
    kinds = {"double": np.float64, "int": np.int32}
    columns = {
        column.name: rows[column.name].dt.tz_convert("UTC").dt.tz_localize(None)
        if column.data_type == "timestamp"
        else rows[column.name].astype(kinds[column.data_type])
        for column in inputs
    }
    return pd.DataFrame(columns).reset_index(drop=True)


@contextmanager
def _example_not_tried_out() -> Iterator[None]:
    # MLflow loads what it has just logged and asks it the example. That is a lookup: outside of serving it fails, at
    # once without the library's training client, and with it only after a Spark session and three calls that no
    # version is there for (40 s). The argument that turns it off (mlflow 3.17.2, `Model.log`, validate_serving_input)
    # is not handed on by `pyfunc.log_model`.
    original = utils._validate_serving_input
    utils._validate_serving_input = lambda model_uri, serving_input: None
    try:
        yield
    finally:
        utils._validate_serving_input = original


def predict_rows(model_folder: Path, joined: pd.DataFrame) -> list[object]:
    """Score rows that already carry their features, with the raw model of a logged model's folder.

    This is batch prediction without the lookup: `joined` has the spec's model columns (and may have others), features
    taken from the feature tables by a join. The endpoint's answer for the same keys must be the same. A model without
    lookups gets the columns that its signature names.
    """
    data = model_folder / "data" / _DATA_FOLDER
    if not (data / SPEC_FILE).is_file():
        plain = mlflow.pyfunc.load_model(str(model_folder))
        columns = plain.metadata.get_input_schema().input_names() if plain.metadata.signature else list(joined.columns)
        return _listed(plain.predict(joined[columns]))
    spec = yaml.safe_load((data / SPEC_FILE).read_text(encoding="utf-8"))
    columns = [name for column in spec["input_columns"] for name, entry in column.items() if entry.get("include", True)]
    raw = mlflow.pyfunc.load_model(str(data / RAW_MODEL))
    return _listed(raw.predict(joined[columns]))


def predict_offline(model_folder: Path, joined: pd.DataFrame) -> list[float]:
    """`predict_rows` of a model that answers with numbers."""
    return [float(str(value)) for value in predict_rows(model_folder, joined)]


def _listed(answers: Any) -> list[object]:
    """One plain value a row, whatever the model answers with: an array, a series, or a frame of one column."""
    values = np.asarray(answers)
    return list(values.reshape(len(values), -1)[:, 0].tolist()) if len(values) else []
