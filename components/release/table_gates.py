"""Gates on the inference table: figures by SQL, of two versions that ran at the same time.

The table says `served_entity_id`, which the serving API does not show. So one marked request (`client_request_id`) is
sent to either version: the rows that come of it tell whose id is whose. Marked rows are left out of the figures.
Source: AI Gateway-enabled inference table schema; SQL statement execution API (databricks-sdk 0.156.0).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..dynamic.errors import ProviderError, asking
from ..names import ThreePartName, quote_identifier
from .gates import Reading
from .plan import DRIFT, Gate

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

_WAIT = "50s"


@dataclass(frozen=True)
class Window:
    """What is judged."""

    since: float
    until: float
    """Seconds since the epoch, of the request."""
    candidate: str
    stable: str
    """`served_entity_id`; empty where the table does not show one yet."""


def mark(release: str, entity: str) -> str:
    """The `client_request_id` of the request that tells an entity's id."""
    return f"release-{release}-{entity}"


class TableGates:
    """Reads an inference table through a SQL warehouse."""

    def __init__(self, client: WorkspaceClient, warehouse_id: str, payload_table: str, release: str) -> None:
        self._client = client
        self._warehouse = warehouse_id
        parts = ThreePartName.parse(payload_table)
        self._table = ".".join(quote_identifier(part) for part in (parts.catalog, parts.schema, parts.name))
        self._release = release

    def ids(self, entities: list[str]) -> dict[str, str]:
        """Entity to `served_entity_id`, as far as marked rows have arrived. Raises ProviderError."""
        names = [f"mark{number}" for number in range(len(entities))]
        rows = self._rows(
            "SELECT client_request_id, max(served_entity_id) AS served_entity_id "  # noqa: S608 - a checked table name
            f"FROM {self._table} WHERE client_request_id IN ({', '.join(f':{name}' for name in names)}) "
            "GROUP BY client_request_id",
            {name: (mark(self._release, entity), "STRING") for name, entity in zip(names, entities, strict=True)},
        )
        found = {str(row["client_request_id"]): str(row["served_entity_id"]) for row in rows}
        return {entity: found[key] for entity in entities if (key := mark(self._release, entity)) in found}

    def read(self, gate: Gate, window: Window) -> Reading:
        """A gate's figure. Raises ProviderError where the statement cannot be carried out or says something else."""
        if not window.candidate or not window.stable:
            return Reading(None, 0.0)
        statement = self._drift() if gate.metric == DRIFT else gate.statement
        rows = self._rows(
            statement,
            {
                "since": (_timestamp(window.since), "TIMESTAMP"),
                "until": (_timestamp(window.until), "TIMESTAMP"),
                "candidate": (window.candidate, "STRING"),
                "stable": (window.stable, "STRING"),
            },
        )
        if len(rows) != 1 or "value" not in rows[0]:
            columns = ", ".join(rows[0]) if rows else "none"
            raise ProviderError(
                f"gate {gate.label}: the statement gave {len(rows)} rows (columns: {columns}), expected one row with "
                "a column `value`"
            )
        value, requests = rows[0]["value"], rows[0].get("requests")
        # Without a count of its own, a statement decides by its value alone.
        counted = float(requests) if requests is not None else float(gate.min_requests)
        try:
            return Reading(None if value is None else float(value), counted)
        except ValueError:
            raise ProviderError(f"gate {gate.label}: the value is {value!r}, expected a number or NULL") from None

    def _drift(self) -> str:
        """How far the mean prediction has moved, in standard deviations of the version before."""
        return f"""WITH answered AS (
  SELECT served_entity_id, from_json(get_json_object(response, '$.predictions'), 'ARRAY<STRING>') AS predictions
  FROM {self._table}
  WHERE status_code = 200 AND request_time >= :since AND request_time < :until
    AND served_entity_id IN (:candidate, :stable)
    AND NOT coalesce(startswith(client_request_id, 'release-'), FALSE)
),
predicted AS (
  SELECT served_entity_id, TRY_CAST(prediction AS DOUBLE) AS prediction
  FROM answered LATERAL VIEW explode(predictions) exploded AS prediction
),
summed AS (
  SELECT
    avg(CASE WHEN served_entity_id = :candidate THEN prediction END) AS candidate_mean,
    avg(CASE WHEN served_entity_id = :stable THEN prediction END) AS stable_mean,
    stddev_samp(CASE WHEN served_entity_id = :stable THEN prediction END) AS spread,
    count(CASE WHEN served_entity_id = :candidate THEN prediction END) AS requests
  FROM predicted
)
SELECT abs(candidate_mean - stable_mean) / nullif(spread, 0) AS value, requests FROM summed"""  # noqa: S608

    def _rows(self, statement: str, parameters: Mapping[str, tuple[str, str]]) -> list[dict[str, str | None]]:
        from databricks.sdk.service.sql import StatementParameterListItem, StatementState

        with asking("asking the SQL warehouse for a gate's figure"):
            answer = self._client.statement_execution.execute_statement(
                statement,
                self._warehouse,
                wait_timeout=_WAIT,
                parameters=[
                    StatementParameterListItem(name=name, value=value, type=kind)
                    for name, (value, kind) in parameters.items()
                    if f":{name}" in statement
                ],
            )
        state = answer.status.state if answer.status else None
        if state != StatementState.SUCCEEDED:
            error = answer.status.error.message if answer.status and answer.status.error else "no message"
            raise ProviderError(f"the SQL warehouse did not answer: {state.value if state else 'unknown'}: {error}")
        manifest = answer.manifest.schema.columns if answer.manifest and answer.manifest.schema else None
        names = [column.name or "" for column in manifest or []]
        data = answer.result.data_array if answer.result else None
        return [dict(zip(names, row, strict=True)) for row in data or []]


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
