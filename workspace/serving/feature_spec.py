"""A model with feature lookups: how it is packaged, and how its raw model's input is made.

The form is the one `databricks-feature-engineering` 0.18.2 writes (`FeatureSpec.save`, `log_model`); what happens at
prediction follows `databricks-feature-lookup` 1.17 (`mlflow_model`, `postgres_fetcher`): a value that the request
carries wins over the looked-up one, a key without a row gives nulls, or the default values that the spec names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import yaml

from workspace.serving.on_demand import FunctionError, OnDemandColumn, PythonFunction

LOADER_MODULES = ("databricks.feature_store.", "databricks.feature_engineering.", "databricks.ml_features.")
SPEC_FILE = "feature_spec.yaml"
RAW_MODEL = "raw_model"
Row = dict[str, Any]


class FeatureSetupError(Exception):
    """The model's feature lookups cannot be served; the message says which and why."""


class OnlineRows(Protocol):
    """One online table (`workspace.feature_store.keyed.KeyedReader`)."""

    def lookup(self, keys: Mapping[str, object], columns: Sequence[str]) -> Row: ...

    def layout(self) -> Any: ...


@dataclass(frozen=True)
class FeatureColumn:
    """A column that comes from a feature table."""

    output_name: str
    table: str
    feature: str
    lookup_key: tuple[str, ...]
    data_type: str | None
    default: str | None
    order: int

    @property
    def needs(self) -> tuple[str, ...]:
        return self.lookup_key


@dataclass(frozen=True)
class FeatureSpec:
    """What `feature_spec.yaml` says: the raw model's columns in order, and where the looked-up ones come from."""

    model_columns: tuple[str, ...]
    request_columns: tuple[str, ...]
    features: tuple[FeatureColumn, ...]
    on_demand: tuple[OnDemandColumn, ...] = ()

    @property
    def tables(self) -> list[str]:
        return sorted({feature.table for feature in self.features})

    @property
    def functions(self) -> list[str]:
        return sorted({column.function for column in self.on_demand})


def feature_data(model_folder: Path) -> Path | None:
    """The folder with feature_spec.yaml and raw_model/ of a model with feature lookups; None for any other model."""
    flavor = yaml.safe_load((model_folder / "MLmodel").read_text())["flavors"].get("python_function", {})
    if not str(flavor.get("loader_module", "")).startswith(LOADER_MODULES):
        return None
    return model_folder / str(flavor.get("data", "data/feature_store"))


def read_spec(data_folder: Path) -> FeatureSpec:
    """Raises FeatureSetupError for a spec with parts that are not served here."""
    document = yaml.safe_load((data_folder / SPEC_FILE).read_text())
    model_columns, request_columns, features, on_demand = [], [], [], []
    for position, item in enumerate(document["input_columns"]):
        ((name, column),) = item.items()
        if column.get("include", True):
            model_columns.append(name)
        if column["source"] == "training_data":
            request_columns.append(name)
        elif column["source"] == "feature_store":
            features.append(
                FeatureColumn(
                    output_name=name,
                    table=column["table_name"],
                    feature=column["feature_name"],
                    lookup_key=tuple(column["lookup_key"]),
                    data_type=column.get("data_type"),
                    default=column.get("default_value") or None,
                    order=column.get("topological_ordering", position),
                )
            )
        elif column["source"] == "on_demand_feature" and not column.get("literal_arguments"):
            on_demand.append(
                OnDemandColumn(
                    output_name=name,
                    function=str(column["udf_name"]),
                    arguments=dict(column.get("input_bindings") or {}),
                    order=column.get("topological_ordering", position),
                )
            )
        else:
            raise FeatureSetupError(
                f"column '{name}' has source '{column['source']}' in a form that is not computed here"
            )
    ordered = tuple(sorted(features, key=lambda feature: feature.order))
    return FeatureSpec(tuple(model_columns), tuple(request_columns), ordered, tuple(on_demand))


@dataclass(frozen=True)
class _Group:
    """Features that one lookup brings."""

    rows: OnlineRows
    keys: tuple[tuple[str, str], ...]
    features: tuple[FeatureColumn, ...]

    def fill(self, row: Row) -> None:
        wanted = [feature for feature in self.features if _missing(row.get(feature.output_name))]
        if not wanted:
            return
        keys = {column: row.get(given) for column, given in self.keys}
        found = self.rows.lookup(keys, [feature.feature for feature in wanted])
        for feature in wanted:
            value = found[feature.feature]
            row[feature.output_name] = _default(feature) if value is None else value


@dataclass(frozen=True)
class _Computation:
    """One on-demand feature."""

    column: OnDemandColumn
    function: PythonFunction

    def fill(self, row: Row) -> None:
        if _missing(row.get(self.column.output_name)):
            arguments = {parameter: row.get(bound) for parameter, bound in self.column.arguments.items()}
            row[self.column.output_name] = self.function(arguments)


class FeatureLookup:
    """Turns request rows into the raw model's rows."""

    def __init__(
        self,
        spec: FeatureSpec,
        online: Mapping[str, OnlineRows],
        functions: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """`functions` are those of the spec, by name, as their catalog describes them. Raises FeatureSetupError."""
        self._spec = spec
        self._steps = [
            _computation(wave, functions or {}) if isinstance(wave, OnDemandColumn) else _group(wave, online)
            for wave in _waves([*spec.features, *spec.on_demand])
        ]

    def model_rows(self, request_rows: Sequence[Mapping[Any, Any]]) -> list[Row]:
        """One row of the raw model's columns for each request row, in the same order.

        Raises ValueError naming request columns that are missing, KeyTypeError for a key of another type.
        """
        if request_rows:
            missing = [name for name in self._spec.request_columns if name not in request_rows[0]]
            if missing:
                raise ValueError(
                    f"Input is missing columns {missing}. The following columns are required: "
                    f"{list(self._spec.request_columns)}."
                )
        return [self._one(dict(row)) for row in request_rows]

    def _one(self, row: Row) -> Row:
        for step in self._steps:
            step.fill(row)
        return {name: row[name] for name in self._spec.model_columns}


def _waves(
    features: Sequence[FeatureColumn | OnDemandColumn],
) -> list[list[FeatureColumn] | OnDemandColumn]:
    """Features by table and key, and functions, each after the features that it is made from."""
    outputs = {feature.output_name for feature in features}
    known: set[str] = set()
    waves: list[list[FeatureColumn] | OnDemandColumn] = []
    remaining = list(features)
    while remaining:
        ready = [one for one in remaining if all(key not in outputs or key in known for key in one.needs)]
        if not ready:
            names = [feature.output_name for feature in remaining]
            raise FeatureSetupError(f"features {names} are looked up by each other's values")
        grouped: dict[tuple[str, tuple[str, ...]], list[FeatureColumn]] = {}
        for feature in ready:
            if isinstance(feature, FeatureColumn):
                grouped.setdefault((feature.table, feature.lookup_key), []).append(feature)
        waves.extend(grouped.values())
        waves.extend(feature for feature in ready if isinstance(feature, OnDemandColumn))
        known |= {feature.output_name for feature in ready}
        remaining = [feature for feature in remaining if feature not in ready]
    return waves


def _group(features: list[FeatureColumn], online: Mapping[str, OnlineRows]) -> _Group:
    table, lookup_key = features[0].table, features[0].lookup_key
    if table not in online:
        raise FeatureSetupError(f"feature table '{table}' is not published to an online store")
    layout = online[table].layout()
    if len(layout.key) != len(lookup_key):
        raise FeatureSetupError(
            f"online table of '{table}' has primary keys {list(layout.key)}, however FeatureSpec specifies "
            f"{len(lookup_key)} lookup_keys: {list(lookup_key)}"
        )
    columns = {name for name, _ in layout.columns}
    unknown = [feature.feature for feature in features if feature.feature not in columns]
    if unknown:
        raise FeatureSetupError(f"online table of '{table}' has no columns {unknown}; it has {sorted(columns)}")
    return _Group(online[table], tuple(zip(layout.key, lookup_key, strict=True)), tuple(features))


def _computation(column: OnDemandColumn, functions: Mapping[str, Mapping[str, Any]]) -> _Computation:
    try:
        function = PythonFunction(functions[column.function])
        function.require(column.arguments)
    except FunctionError as error:
        raise FeatureSetupError(f"on-demand feature '{column.output_name}': {error}") from error
    return _Computation(column, function)


def _missing(value: object) -> bool:
    """Not given, null, NaN or NaT: to be looked up."""
    return value is None or value is not value or (not isinstance(value, str) and value != value)


def _default(feature: FeatureColumn) -> object:
    """The spec's default value, as the feature's type; the types are those the library has defaults for."""
    if feature.default is None:
        return None
    kind = (feature.data_type or "").lower()
    if kind in ("int", "integer", "bigint", "long", "smallint", "short"):
        return int(feature.default)
    if kind in ("float", "double"):
        return float(feature.default)
    if kind == "boolean":
        return feature.default.lower() == "true"
    return feature.default
