"""The statement that unpacks an inference table: JSON texts of requests and responses become typed rows, one a record.

Pure text; Databricks SQL. Columns of the inference table: AI Gateway's documented ones (`databricks_request_id`,
`request_time`, `status_code`, `request`, `response`, `served_entity_id`). Requests in the forms
`dataframe_records` and `dataframe_split` are unpacked. A request is unpacked once, also where it was delivered twice
(no page promises that it is not): the statement can run again at any time.

Whose answer it was the inference table says by `served_entity_id`. A version's number stands in the system table
`system.serving.served_entities` (documentation page "Model serving endpoint system tables"), which has to be readable
for whoever the job runs as, and knows the entities of endpoints with usage tracking.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .arguments import Arguments
from .columns import MODEL_VERSION, SERVED_ENTITY_ID
from .names import ThreePartName

# Names the unpacked table gives to what the inference table says of every request.
REQUEST_ID = "request_id"
RECORD_INDEX = "record_index"
TIMESTAMP = "inference_timestamp"
ModelId = Literal["served_entity_id", "model_version"]
SERVED_ENTITIES_TABLE = "system.serving.served_entities"
PREDICTION = "prediction"
OWN_COLUMNS = {
    REQUEST_ID: "string",
    RECORD_INDEX: "int",
    TIMESTAMP: "timestamp",
}

_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TYPE = re.compile(
    r"(boolean|tinyint|smallint|int|bigint|float|double|string|date|timestamp|timestamp_ntz"
    r"|decimal(\([0-9]{1,2}(,\s?[0-9]{1,2})?\))?)",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class UnpackedSchema(Arguments):
    """The declared columns of an unpacked table."""

    record_columns: Mapping[str, str]
    """Columns of a request record: name to Databricks SQL type."""
    prediction_type: str
    """Databricks SQL type of a prediction."""
    label_column: str | None = None
    """Column for the true value; stays NULL until somebody knows it."""
    label_type: str = "double"
    """Databricks SQL type of the true value."""
    model_id: ModelId = SERVED_ENTITY_ID
    """The column that tells models apart. With `model_version` a request waits until the system table has it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        typed = {f"record column {name!r}": kind for name, kind in self.record_columns.items()}
        for what, kind in {**typed, "the prediction": self.prediction_type, "the label": self.label_type}.items():
            if not _TYPE.fullmatch(kind):
                raise ValueError(
                    f"the type of {what}, {kind!r}, is no Databricks SQL type of a single value; "
                    "use for example double or string"
                )
        taken = {*self.own_columns, PREDICTION}
        for name in self.record_columns:
            if not _COLUMN.fullmatch(name):
                raise ValueError(f"record column {name!r} is no column name; use letters, digits and underscores")
            if name.lower() in taken:
                raise ValueError(
                    f"record column {name!r} collides with a column that every unpacked table has; leave it out"
                )
        if len({name.lower() for name in self.record_columns}) != len(self.record_columns):
            raise ValueError(
                f"record columns {', '.join(self.record_columns)} differ in case only, which a table does not tell "
                "apart; keep one of them"
            )
        if self.label_column is not None and not _COLUMN.fullmatch(self.label_column):
            raise ValueError(f"label column {self.label_column!r} is no column name; use letters, digits, underscores")
        if self.label_column is not None and self.label_column.lower() in {
            *taken,
            *map(str.lower, self.record_columns),
        }:
            raise ValueError(
                f"label column {self.label_column!r} is a column already; a label is never among the inputs"
            )

    @property
    def own_columns(self) -> dict[str, str]:
        """What the inference table says of every request: name to Databricks SQL type."""
        return {**OWN_COLUMNS, self.model_id: "string"}

    def columns(self) -> dict[str, str]:
        """All columns in order: name to Databricks SQL type."""
        label = {} if self.label_column is None else {self.label_column: self.label_type}
        return {**self.own_columns, **self.record_columns, PREDICTION: self.prediction_type, **label}


@dataclass(frozen=True, kw_only=True)
class LabelSource(Arguments):
    """A table that knows the true values, sooner or later."""

    table: str
    """Its three-part name."""
    column: str
    """Its column with the true value."""
    keys: Mapping[str, str]
    """Its key columns, each with the column of the unpacked table that holds the same value."""

    def __post_init__(self) -> None:
        super().__post_init__()
        ThreePartName.parse(self.table, what="label table")
        if not self.keys:
            raise ValueError(f"labels of {self.table} have no keys; name the columns that tell whose label it is")
        for column in (self.column, *self.keys, *self.keys.values()):
            if not _COLUMN.fullmatch(column):
                raise ValueError(f"{column!r} is no column name of {self.table}; use letters, digits and underscores")

    def check_against(self, schema: UnpackedSchema) -> None:
        """Raises ValueError where the unpacked table has no label column, or not the columns that the keys name."""
        if schema.label_column is None:
            raise ValueError(f"labels of {self.table} have no column to go to; set label_column")
        known = {name.lower() for name in schema.columns()}
        if unknown := [name for name in self.keys.values() if name.lower() not in known]:
            raise ValueError(
                f"labels of {self.table} are found by {', '.join(unknown)}, which the unpacked table does not have; "
                f"it has {', '.join(schema.columns())}"
            )


@dataclass(frozen=True, kw_only=True)
class FeatureSource(Arguments):
    """A feature table that knows what requests leave out, such as the columns that a monitor slices by."""

    table: str
    """Its three-part name."""
    columns: Sequence[str]
    """Its columns that are wanted; the unpacked table has record columns of the same names."""
    keys: Mapping[str, str]
    """Its key columns, each with the column of the unpacked table that holds the same value."""
    time: tuple[str, str] | None = None
    """Its TIMESERIES column, with the unpacked column that holds a request's moment: the newest row at or before it
    counts. Where every key has one row, none.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        ThreePartName.parse(self.table, what="feature table")
        if not self.keys or not self.columns:
            raise ValueError(f"features of {self.table} have no keys or no columns; name both")
        for column in (*self.columns, *self.keys, *self.keys.values(), *(self.time or ())):
            if not _COLUMN.fullmatch(column):
                raise ValueError(f"{column!r} is no column name of {self.table}; use letters, digits and underscores")

    def check_against(self, schema: UnpackedSchema) -> None:
        """Raises ValueError where the unpacked table does not have the columns that are filled or looked up by."""
        known = {name.lower() for name in schema.columns()}
        if unknown := [name for name in (*self.keys.values(), *(self.time or ())[1:]) if name.lower() not in known]:
            raise ValueError(
                f"features of {self.table} are found by {', '.join(unknown)}, which the unpacked table does not have; "
                f"it has {', '.join(schema.columns())}"
            )
        records = {name.lower() for name in schema.record_columns}
        if unknown := [name for name in self.columns if name.lower() not in records]:
            raise ValueError(
                f"features {', '.join(unknown)} of {self.table} have no column to go to; add them to record_columns"
            )


def feature_statement(unpacked_table: str, features: FeatureSource) -> str:
    """The MERGE that fills what requests left out from a feature table; it can run again at any time.

    What a request carried itself stays: that is what the model was given.

    Args:
        unpacked_table: three-part name of the unpacked table, quoted where SQL needs it.
    """
    found_by = " AND ".join(f"f.{theirs} = r.{mine}" for theirs, mine in features.keys.items())
    picked = {name: f"max(f.{name})" for name in features.columns}
    if features.time is not None:
        theirs, mine = features.time
        found_by += f" AND f.{theirs} <= r.{mine}"
        picked = {name: f"max_by(f.{name}, f.{theirs})" for name in features.columns}
    values = ",\n    ".join(f"{value} AS {name}" for name, value in picked.items())
    missing = " OR ".join(f"r.{name} IS NULL" for name in features.columns)
    fillable = " OR ".join(f"(u.{name} IS NULL AND f.{name} IS NOT NULL)" for name in features.columns)
    filled = ", ".join(f"{name} = coalesce(u.{name}, f.{name})" for name in features.columns)
    return f"""MERGE INTO {unpacked_table} AS u
USING (
  SELECT
    r.{REQUEST_ID},
    r.{RECORD_INDEX},
    {values}
  FROM {unpacked_table} AS r
  JOIN {ThreePartName.parse(features.table).sql} AS f ON {found_by}
  WHERE {missing}
  GROUP BY r.{REQUEST_ID}, r.{RECORD_INDEX}
) AS f
ON u.{REQUEST_ID} = f.{REQUEST_ID} AND u.{RECORD_INDEX} = f.{RECORD_INDEX}
WHEN MATCHED AND ({fillable}) THEN UPDATE SET {filled}"""


def label_statement(unpacked_table: str, schema: UnpackedSchema, labels: LabelSource) -> str:
    """The MERGE that fills labels where they are missing or were corrected; it can run again at any time.

    A key with several different labels is left alone: nobody can say which is true.

    Args:
        unpacked_table: three-part name of the unpacked table, quoted where SQL needs it.
    """
    label, keys = schema.label_column, labels.keys
    selected = ", ".join(keys)
    matched = " AND ".join(f"u.{mine} = l.{theirs}" for theirs, mine in keys.items())
    value = f"CAST(l.label AS {schema.label_type.upper()})"
    return f"""MERGE INTO {unpacked_table} AS u
USING (
  SELECT {selected}, max({labels.column}) AS label
  FROM {ThreePartName.parse(labels.table).sql}
  WHERE {labels.column} IS NOT NULL
  GROUP BY {selected}
  HAVING count(DISTINCT {labels.column}) = 1
) AS l
ON {matched}
WHEN MATCHED AND NOT (u.{label} <=> {value}) THEN UPDATE SET {label} = {value}"""


def unpack_statement(payload_table: str, unpacked_table: str, schema: UnpackedSchema) -> str:
    """The INSERT that moves requests which are not there yet from the inference table to the unpacked one.

    Args:
        payload_table: three-part name of the inference table, quoted where SQL needs it.
        unpacked_table: three-part name of the unpacked table, likewise; it has the columns of `schema`.
    """
    model_id = schema.model_id
    value, named = f"p.{SERVED_ENTITY_ID}", ""
    if model_id == MODEL_VERSION:
        value, named = (
            "e.entity_version",
            f"""
  JOIN (
    SELECT served_entity_id, max(entity_version) AS entity_version
    FROM {SERVED_ENTITIES_TABLE}
    WHERE entity_version IS NOT NULL
    GROUP BY served_entity_id
  ) AS e ON e.served_entity_id = p.{SERVED_ENTITY_ID}""",
        )
    written = [*schema.own_columns, *schema.record_columns, PREDICTION]
    values = ",\n  ".join(f"{_record_value(name, kind)} AS {name}" for name, kind in schema.record_columns.items())
    return f"""INSERT INTO {unpacked_table} ({", ".join(written)})
WITH answered AS (
  SELECT
    p.databricks_request_id AS {REQUEST_ID},
    p.request_time AS {TIMESTAMP},
    {value} AS {model_id},
    from_json(get_json_object(p.request, '$.dataframe_split.columns'), 'ARRAY<STRING>') AS split_columns,
    from_json(
      coalesce(get_json_object(p.request, '$.dataframe_records'), get_json_object(p.request, '$.dataframe_split.data')),
      'ARRAY<STRING>'
    ) AS records,
    from_json(get_json_object(p.response, '$.predictions'), 'ARRAY<STRING>') AS predictions
  FROM (
    SELECT *, row_number() OVER (PARTITION BY databricks_request_id ORDER BY request_time) AS delivery
    FROM {payload_table}
    WHERE status_code = 200
  ) AS p{named}
  WHERE p.delivery = 1
    AND NOT EXISTS (SELECT 1 FROM {unpacked_table} AS u WHERE u.{REQUEST_ID} = p.databricks_request_id)
),
exploded AS (
  SELECT {REQUEST_ID}, {TIMESTAMP}, {model_id}, split_columns, predictions, {RECORD_INDEX}, record
  FROM answered
  LATERAL VIEW posexplode(records) exploded_records AS {RECORD_INDEX}, record
)
SELECT
  {REQUEST_ID},
  CAST({RECORD_INDEX} AS INT) AS {RECORD_INDEX},
  {TIMESTAMP},
  {model_id},
  {values},
  CAST(try_element_at(predictions, {RECORD_INDEX} + 1) AS {schema.prediction_type.upper()}) AS {PREDICTION}
FROM exploded"""


def _record_value(name: str, kind: str) -> str:
    """A record is a JSON object, or (dataframe_split) a JSON array in the order of `split_columns`."""
    return (
        "TRY_CAST(CASE WHEN split_columns IS NULL "
        f"THEN get_json_object(record, '$.{name}') "
        f"WHEN array_contains(split_columns, '{name}') "
        f"THEN element_at(from_json(record, 'ARRAY<STRING>'), CAST(array_position(split_columns, '{name}') AS INT)) "
        f"END AS {kind.upper()})"
    )
