"""The figures of one bake: read, judged, and told in a line."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..dynamic.errors import ProviderError, WorkspaceError, asking
from ..dynamic.smoke_ask import Asker
from ..dynamic.smoke_suite import SmokeCase, payload_text, verdict
from .exposition import ExportMeter, Figures
from .gates import Judged, Reading, judge, read_export, stable_figures
from .plan import Gate, Plan
from .table_gates import TableGates, Window, mark

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

_LOOKS_AT_TABLE = 5
DIRECT_BOUNDS = (1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10000.0, float("inf"))


@dataclass(frozen=True)
class Look:
    """What was found at one moment."""

    judged: Sequence[Judged]
    candidate: Figures
    stable: Figures | None
    direct: bool
    """Whether the figures are of own queries, because the endpoint's export tells no versions apart."""


@dataclass
class _Direct:
    """Own queries to either version, where there is no export to read."""

    figures: dict[str, Figures] = field(default_factory=dict)

    def add(self, entity: str, *, failed: bool, latency_ms: float) -> None:
        one = self.figures.setdefault(entity, Figures(buckets=dict.fromkeys(DIRECT_BOUNDS, 0.0)))
        one.requests += 1
        one.errors += failed
        for bound in DIRECT_BOUNDS:
            if latency_ms <= bound:
                one.buckets[bound] += 1


class Measures:
    """Figures since the moment it was made, of a candidate and of the entities that run beside it."""

    def __init__(
        self,
        client: WorkspaceClient,
        endpoint: str,
        plan: Plan,
        cases: Sequence[SmokeCase],
        *,
        candidate: str,
        stable: Sequence[str],
        asker: Asker,
        table: TableGates | None,
        release: str,
        note: Callable[[str], None],
    ) -> None:
        self._client = client
        self._endpoint = endpoint
        self._plan = plan
        self._cases = cases
        self._candidate = candidate
        self._stable = list(stable)
        """Those with traffic; empty in the step of 100 %."""
        self._asker = asker
        self._table = table
        self._release = release
        self._note = note
        self._meter = ExportMeter([candidate, *stable])
        self._direct: _Direct | None = None
        self._ids: dict[str, str] = {}
        self._table_at = 0.0
        self._from_table: list[Judged] = []

    def begin(self, at: float) -> None:
        """The reading that everything later is measured from. Raises WorkspaceError."""
        self._read_export(at)
        if self._table is not None:
            for entity in (self._candidate, *self._stable[:1]):
                self._send_mark(entity)

    def look(self, at: float, *, since: float, until: float) -> Look:
        """Reads and judges everything. Raises ProviderError where a source gives no usable answer.

        Args:
            since: when the bake began.
            until: when it ends; the table is read for the last time then.
        """
        if self._direct is None:
            self._read_export(at)
        if self._direct is not None:
            self._ask_both(self._direct)
        figures = self._meter.figures() if self._direct is None else self._direct.figures
        candidate = figures.get(self._candidate, Figures())
        stable = stable_figures(figures, self._stable) if self._stable else None
        judged = [
            judge(gate, read_export(gate, candidate, stable)) for gate in self._plan.gates if not gate.reads_table
        ]
        judged += self._table_judged(at, since, until)
        return Look(judged, candidate, stable, self._direct is not None)

    def _read_export(self, at: float) -> None:
        if not any(not gate.reads_table for gate in self._plan.gates):
            return
        try:
            with asking(f"reading the metrics of endpoint {self._endpoint}"):
                contents = self._client.serving_endpoints.export_metrics(self._endpoint).contents
            text = contents.read().decode() if contents is not None else ""
        except WorkspaceError as error:
            if error.kind not in ("absent", "denied", "refused"):
                raise
            self._measure_directly(f"the endpoint's metrics cannot be read ({str(error).splitlines()[0]})")
            return
        try:
            self._meter.take(text, at)
        except ValueError as error:
            raise ProviderError(f"the metrics of endpoint {self._endpoint} are no Prometheus text: {error}") from None
        if self._meter.has_samples and not self._meter.names_entities:
            self._measure_directly("the endpoint's metrics do not tell the versions apart")

    def _measure_directly(self, why: str) -> None:
        self._note(f"{why}: errors and latency are those of the smoke queries, asked of either version directly")
        self._direct = _Direct()

    def _ask_both(self, direct: _Direct) -> None:
        for entity in (self._candidate, *self._stable[:1]):
            for case in self._cases:
                answer = self._asker.ask(
                    entity, payload_text(case.payload), expected_status=case.expect.status, cold=False
                )
                failed = answer.status is None or bool(verdict(case, answer.status, answer.body, None))
                direct.add(entity, failed=failed, latency_ms=answer.latency_ms)

    def _send_mark(self, entity: str) -> None:
        """A request whose row in the table will tell the entity's id. Its answer was judged before."""
        payload = {**self._cases[0].payload, "client_request_id": mark(self._release, entity)}
        self._asker.ask(entity, json.dumps(payload), expected_status=200, cold=False)

    def _table_judged(self, at: float, since: float, until: float) -> list[Judged]:
        """The table is read from when rows can be there, and not at every look: a warehouse costs."""
        gates = [gate for gate in self._plan.gates if gate.reads_table]
        if not gates or self._table is None:
            return []
        lag = self._plan.delivery_lag_seconds
        due = at >= since + lag and at - self._table_at >= self._plan.bake_seconds / _LOOKS_AT_TABLE
        if due or at >= until:
            self._table_at = at
            wanted = [self._candidate, *self._stable[:1]]
            if len(self._ids) < len(wanted):
                self._ids = self._table.ids(wanted)
            stable = self._ids.get(self._stable[0], "") if self._stable else ""
            window = Window(since, at, self._ids.get(self._candidate, ""), stable)
            self._from_table = [judge(gate, self._read_table(gate, window)) for gate in gates]
        if not self._from_table:
            return [judge(gate, Reading(None, 0.0)) for gate in gates]
        return self._from_table

    def _read_table(self, gate: Gate, window: Window) -> Reading:
        if not self._stable:
            return Reading(None, 0.0, comparable=False)
        assert self._table is not None  # noqa: S101 - the caller has looked
        return self._table.read(gate, window)
