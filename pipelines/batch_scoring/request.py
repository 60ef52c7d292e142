"""What one run of bulk scoring is asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from pipelines.errors import PipelineError

RESULT_TYPES: Final = ("string", "double", "float", "long", "int", "boolean")
"""What a prediction can be: result types of `mlflow.pyfunc.spark_udf` for one column."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FULL_NAME: Final = re.compile(r"[A-Za-z0-9_\-]+(\.[A-Za-z0-9_\-]+){2}")
_URI: Final = re.compile(r"models:/(?P<model>[^@/]+)(@(?P<alias>[^@/]+)|/(?P<version>[0-9]+))")
_RUN: Final = re.compile(r"[A-Za-z0-9_\-]{1,100}")


@dataclass(frozen=True, kw_only=True)
class BatchRequest:
    """A model over a table. Raises PipelineError naming every argument that cannot be."""

    model: str
    """`catalog.schema.model`."""
    input_table: str
    """`catalog.schema.table` with what the model's caller sends: keys, and the moment to look up at."""
    output_table: str
    """`catalog.schema.table` that predictions are appended to; made if it is not there."""
    run_id: str
    """Of the job's run: rows of the same run take the place of each other, all others stay."""
    alias: str | None = None
    """Alias of the version, or"""
    version: str | None = None
    """its number; exactly one of the two."""
    result_type: str = "string"
    """Spark type of a prediction, one of `RESULT_TYPES`."""
    prediction_column: str = "prediction"
    """What the column of predictions is called."""
    moment: datetime | None = None
    """`inference_timestamp` of all rows, with a zone; now when left out. A repaired run keeps that of its job."""
    warehouse_id: str | None = None
    """Warehouse that makes the output table; a running one when left out."""
    broadcast: bool = False
    """Send feature tables to every worker instead of shuffling rows to them: for small ones (S001-90)."""

    def __post_init__(self) -> None:
        problems = [
            f"{what} is {value!r}, not of the form catalog.schema.name"
            for what, value in (
                ("model", self.model),
                ("input_table", self.input_table),
                ("output_table", self.output_table),
            )
            if not _FULL_NAME.fullmatch(value)
        ]
        if (self.alias is None) == (self.version is None):
            problems.append(f"alias is {self.alias!r} and version is {self.version!r}: give exactly one of them")
        if self.version is not None and not self.version.isdigit():
            problems.append(f"version is {self.version!r}, not a number; an alias goes into alias")
        if self.result_type not in RESULT_TYPES:
            problems.append(f"result_type is {self.result_type!r}: use {', '.join(RESULT_TYPES)}")
        if not _NAME.fullmatch(self.prediction_column):
            problems.append(f"prediction_column is {self.prediction_column!r}, not a plain name")
        if not _RUN.fullmatch(self.run_id):
            problems.append(f"run_id is {self.run_id!r}: letters, digits, dash and underscore, at most 100")
        if self.moment is not None and self.moment.tzinfo is None:
            problems.append(f"moment {self.moment} has no time zone; times are UTC")
        if problems:
            raise PipelineError("Batch scoring cannot be carried out: " + "; ".join(problems) + ".")

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, str]) -> BatchRequest:
        """From the texts that a job's parameters are; empty ones count as left out. Raises PipelineError."""
        given = _addressed({name: value for name, value in parameters.items() if value != ""})
        known = set(cls.__dataclass_fields__)
        unknown, missing = (
            sorted(set(given) - known),
            sorted({"model", "input_table", "output_table", "run_id"} - set(given)),
        )
        if unknown or missing:
            raise PipelineError(
                f"Batch scoring has no parameter {', '.join(unknown) or '-'}, and needs {', '.join(missing) or '-'}; "
                f"parameters are {', '.join(sorted(known))}."
            )
        return cls(
            **{name: value for name, value in given.items() if name not in ("moment", "broadcast")},
            moment=None if "moment" not in given else _utc(given["moment"]),
            broadcast=_flag(given.get("broadcast", "false")),
        )


def _addressed(given: dict[str, str]) -> dict[str, str]:
    """`model_uri` (`models:/catalog.schema.model@alias`, or `/version`) as the parameters that it stands for."""
    uri = given.pop("model_uri", None)
    if uri is None:
        return given
    found = _URI.fullmatch(uri)
    if found is None or {"model", "alias", "version"} & set(given):
        raise PipelineError(
            f"Parameter model_uri is {uri!r}; write models:/catalog.schema.model@alias or /version, and neither model, "
            "alias nor version beside it."
        )
    return {**given, **{name: value for name, value in found.groupdict().items() if value is not None}}


def _utc(text: str) -> datetime:
    """A time of a job's run (`{{job.start_time.iso_datetime}}`), which is UTC and has no zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise PipelineError(f"Parameter moment is {text!r}, not a time; write it as 2026-11-27T13:00:00.") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise PipelineError(f"Parameter broadcast is {text!r}; use true or false.")
    return text.lower() == "true"
