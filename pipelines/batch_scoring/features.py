"""Features of rows, as they were known at each row's moment: joins on Spark from a model's feature spec.

What the endpoint does for one request by lookups, this does for a table by joins, with the same rules (docs of
`databricks-feature-lookup`): a value that the row carries wins over the looked-up one, a key without a row gives nulls
or the default that the spec names, and where a moment is asked for, the newest row at or before it counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipelines.errors import PipelineError

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

TableOf = Callable[[str], "DataFrame"]
KeysOf = Callable[[str], tuple[list[str], str | None]]
"""Primary key of a feature table without its time, and the time column."""
FunctionOf = Callable[[str], Callable[..., "Column"]]
"""A Unity Catalog function as one on columns."""


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """Columns of one table by one key."""

    table: str
    key: tuple[str, ...]
    """Columns of the rows, in the order of the table's primary key."""
    moment: str | None
    """Column of the rows with the time to look up at; None takes the newest row."""
    features: Mapping[str, str] = field(default_factory=dict)
    """Column of the table to the model's column."""
    defaults: Mapping[str, str] = field(default_factory=dict)
    """Model's column to the text of its default value."""


@dataclass(frozen=True, kw_only=True)
class OnDemand:
    """A column that a function makes of others."""

    function: str
    arguments: Mapping[str, str]
    """Parameter to column."""
    output: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What `feature_spec.yaml` asks for, in the order in which it can be done."""

    sent: tuple[str, ...]
    """Columns that rows must have."""
    steps: tuple[Lookup | OnDemand, ...]
    model_columns: tuple[str, ...]
    """Columns of the model, in its order."""

    @property
    def features(self) -> list[str]:
        """Columns that are looked up or computed."""
        return [name for step in self.steps for name in _outputs(step)]


def plan_of(spec: Mapping[str, Any]) -> Plan:
    """Read a feature spec. Raises PipelineError for one that this cannot carry out."""
    sent, columns, steps = [], [], list[Lookup | OnDemand]()
    lookups: dict[tuple[str, tuple[str, ...], str | None], tuple[dict[str, str], dict[str, str]]] = {}
    for item in spec["input_columns"]:
        ((name, entry),) = item.items()
        if entry.get("include", True):
            columns.append(name)
        match entry["source"]:
            case "training_data":
                sent.append(name)
            case "feature_store":
                moments = entry.get("timestamp_lookup_key") or [None]
                group = lookups.setdefault((entry["table_name"], tuple(entry["lookup_key"]), moments[0]), ({}, {}))
                group[0][entry["feature_name"]] = name
                if entry.get("default_value"):
                    group[1][name] = entry["default_value"]
            case "on_demand_feature":
                bindings = dict(entry.get("input_bindings") or {})
                if entry.get("literal_arguments"):
                    raise PipelineError(f"Feature {name} has literal arguments, which batch scoring does not know.")
                steps.append(OnDemand(function=entry["udf_name"], arguments=bindings, output=name))
            case other:
                raise PipelineError(f"Feature {name} comes from {other!r}, which batch scoring does not know.")
    for (table, key, moment), (features, defaults) in lookups.items():
        steps.append(Lookup(table=table, key=key, moment=moment, features=features, defaults=defaults))
    return Plan(sent=tuple(sent), steps=tuple(_in_order(steps, sent)), model_columns=tuple(columns))


def joined(
    rows: DataFrame,
    plan: Plan,
    *,
    table_of: TableOf,
    keys_of: KeysOf,
    function_of: FunctionOf,
    broadcast: bool = False,
) -> DataFrame:
    """`rows` with every feature of the plan, one row for each; a column that was there keeps its own values.

    Raises PipelineError naming columns that rows or feature tables lack.
    """
    missing = [name for name in plan.sent if name not in rows.columns]
    if missing:
        raise PipelineError(
            f"The input table has no column {', '.join(missing)}; the model asks for {', '.join(plan.sent)}, and the "
            f"table has {', '.join(rows.columns)}."
        )
    for step in plan.steps:
        if isinstance(step, Lookup):
            rows = _looked_up(rows, step, table_of(step.table), keys_of(step.table), broadcast=broadcast)
        else:
            rows = _computed(rows, step, function_of(step.function))
    return rows


def _looked_up(
    rows: DataFrame, step: Lookup, table: DataFrame, keys: tuple[list[str], str | None], *, broadcast: bool
) -> DataFrame:
    from pyspark.sql import functions as fn

    key, time = keys
    lacking = [name for name in step.features if name not in table.columns]
    if lacking or len(key) != len(step.key):
        raise PipelineError(
            f"Feature table {step.table} has primary key {', '.join(key) or 'none'} and no column "
            f"{', '.join(lacking) or '-'}; the model looks up {', '.join(step.features)} by {', '.join(step.key)}."
        )
    kept = [*step.key, *([step.moment] if step.moment else [])]
    picked = fn.struct(*(fn.col(f"feature.{name}").alias(f"_{name}") for name in step.features))
    table = table.alias("feature")
    asked = rows.select(*kept).distinct().alias("asked")
    matches = [
        fn.col(f"asked.{mine}") == fn.col(f"feature.{theirs}") for mine, theirs in zip(step.key, key, strict=True)
    ]
    if time is not None and step.moment is not None:
        matches.append(fn.col(f"feature.{time}") <= fn.col(f"asked.{step.moment}"))
    condition = matches[0]
    for match in matches[1:]:
        condition &= match
    found = asked.join(fn.broadcast(table) if broadcast else table, condition, "left")
    group = [fn.col(f"asked.{name}").alias(name) for name in kept]
    # Without a time the key has one row, and any is that one.
    newest = fn.any_value(picked) if time is None else fn.max_by(picked, fn.col(f"feature.{time}"))
    best = found.groupBy(*group).agg(newest.alias("_picked")).alias("best")
    both = rows.alias("rows").join(
        fn.broadcast(best) if broadcast else best,
        _all(fn.col(f"rows.{name}").eqNullSafe(fn.col(f"best.{name}")) for name in kept),
        "left",
    )
    values = []
    for name, output in step.features.items():
        value: Column = fn.col(f"best._picked._{name}")
        if output in step.defaults:
            value = fn.coalesce(value, fn.lit(step.defaults[output]).cast(table.schema[name].dataType))
        if output in rows.columns:
            value = fn.coalesce(fn.col(f"rows.{output}"), value)
        values.append(value.alias(output))
    others = [fn.col(f"rows.{name}") for name in rows.columns if name not in step.features.values()]
    return both.select(*others, *values)


def _computed(rows: DataFrame, step: OnDemand, function: Callable[..., Column]) -> DataFrame:
    from pyspark.sql import functions as fn

    value = function(**{parameter: fn.col(column) for parameter, column in step.arguments.items()})
    if step.output in rows.columns:
        value = fn.coalesce(fn.col(step.output), value)
    return rows.withColumn(step.output, value)


def _all(conditions: Iterator[Column]) -> Column:
    whole = next(conditions)
    for condition in conditions:
        whole &= condition
    return whole


def _in_order(steps: Sequence[Lookup | OnDemand], sent: Sequence[str]) -> Iterator[Lookup | OnDemand]:
    """Each step after those whose outputs it needs."""
    known, remaining = set(sent), list(steps)
    while remaining:
        ready = [step for step in remaining if _needs(step) <= known]
        if not ready:
            names = ", ".join(name for step in remaining for name in _outputs(step))
            raise PipelineError(f"Features {names} need columns that neither rows nor other features have.")
        yield from ready
        known |= {name for step in ready for name in _outputs(step)}
        remaining = [step for step in remaining if step not in ready]


def _needs(step: Lookup | OnDemand) -> set[str]:
    if isinstance(step, OnDemand):
        return set(step.arguments.values())
    return {*step.key, *([step.moment] if step.moment else [])}


def _outputs(step: Lookup | OnDemand) -> list[str]:
    return [step.output] if isinstance(step, OnDemand) else list(step.features.values())
