"""Golden rows: rows that batch scoring has answered, which the endpoint has to answer alike.

What is served online and what was scored in bulk are the same model over the same features: a difference means that
the two see different features, or are different versions. Rows come from a file that the stack brings, or from a table
by SQL.
Source: Statement Execution API (`POST /api/2.0/sql/statements`, databricks-sdk 0.156.0 `statement_execution`), format
JSON_ARRAY: every value is text, its type stands in the manifest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import ProviderError, asking
from .smoke_suite import SmokeCase, SmokeExpectation, SuiteError

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

TOLERANCE = 1e-6
"""Largest accepted difference where none is stated."""
MOST_ROWS = 1000
_WAIT = "50s"

Row = Mapping[str, Any]


def golden_case(
    name: str, rows: Sequence[Row], *, expected: str, tolerance: float = TOLERANCE, version: str | None = None
) -> SmokeCase:
    """One query with all rows as its records, and their batch predictions as what must come back.

    Args:
        rows: the model's inputs by name, and the prediction.
        expected: which field is the prediction.
        tolerance: largest accepted difference of a number.
        version: model version that made the predictions; only its entities are asked.

    Raises:
        SuiteError: there are no rows, too many, or one has no prediction.
    """
    if not 0 < len(rows) <= MOST_ROWS:
        raise SuiteError(f"golden rows {name!r}: received {len(rows)} rows, expected 1 to {MOST_ROWS}")
    for number, row in enumerate(rows):
        if row.get(expected) is None:
            raise SuiteError(
                f"golden rows {name!r}: row {number} has no {expected} (it has {', '.join(row)}); name the field with "
                "the batch prediction, and take rows that have one"
            )
    records = [{key: value for key, value in row.items() if key != expected} for row in rows]
    return SmokeCase(
        name=name,
        payload={"dataframe_records": records},
        expect=SmokeExpectation(values=[row[expected] for row in rows], absolute_tolerance=tolerance),
        version=version,
    )


def rows_of_file(path: str | Path) -> list[Row]:
    """The rows in a file: a JSON list of objects, or one JSON object a line. Raises SuiteError where it holds none."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        rows = json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines()]
    except (OSError, ValueError) as error:
        raise SuiteError(
            f"golden rows: {path} holds no rows: {error}; write a JSON list or one object a line"
        ) from None
    if not all(isinstance(row, dict) for row in rows):
        raise SuiteError(f"golden rows: {path} holds other things than objects; write one object for each row")
    return rows


def rows_by_sql(client: WorkspaceClient, warehouse_id: str, statement: str) -> list[Row]:
    """The rows of a query, in the types of its columns.

    Raises:
        ProviderError: the warehouse refused, failed, or has more than one chunk of rows.
        WorkspaceError: the workspace did not answer.
    """
    from databricks.sdk.service.sql import Disposition, Format, StatementState

    with asking(f"reading golden rows through SQL warehouse {warehouse_id}"):
        answer = client.statement_execution.execute_statement(
            statement,
            warehouse_id,
            wait_timeout=_WAIT,
            row_limit=MOST_ROWS + 1,
            format=Format.JSON_ARRAY,
            disposition=Disposition.INLINE,
        )
    state = answer.status.state if answer.status else None
    if state != StatementState.SUCCEEDED:
        error = answer.status.error.message if answer.status and answer.status.error else "no message"
        raise ProviderError(
            f"the golden rows could not be read: {state.value if state else 'unknown'}: {error}",
            f"Statement: {statement}",
            f"It has {_WAIT} to answer; correct it, or read from a smaller table",
        )
    columns = answer.manifest.schema.columns if answer.manifest and answer.manifest.schema else None
    readers = [
        (column.name or "", _READERS.get(column.type_name.value if column.type_name else "", str))
        for column in columns or []
    ]
    # Null is null in the answer's JSON, which the SDK's annotation does not have.
    data: Any = answer.result.data_array if answer.result else None
    return [
        {name: None if value is None else read(value) for (name, read), value in zip(readers, row, strict=True)}
        for row in data or []
    ]


def largest_difference(case: SmokeCase, body: str) -> float | None:
    """The largest difference of a number between an answer and what was expected; None where no number is."""
    predictions = json.loads(body).get("predictions", [])
    differences = [
        abs(one - other)
        for one, other in zip(case.expect.values or [], predictions, strict=True)
        if isinstance(one, int | float) and isinstance(other, int | float)
    ]
    return max(differences, default=None)


_READERS: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(("BYTE", "SHORT", "INT", "LONG"), int),
    **dict.fromkeys(("FLOAT", "DOUBLE", "DECIMAL"), float),
    "BOOLEAN": lambda text: text == "true",
    **dict.fromkeys(("ARRAY", "MAP", "STRUCT"), json.loads),
}
