"""Carries out one refresh: what has changed since the last one, and what has to be computed anew for it.

Sources: "Create a data profile using the API" (a new monitor looks back 30 days; with the change data feed only changed
data is processed), "Data profiling metric tables" (a changed monitor recomputes what there is). Assumption: without the
change data feed every refresh computes the windows since the first day, and those that there are already.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from workspace.documents import Document
from workspace.errors import bad_request, invalid
from workspace.monitors.analysis import Analysis, Request
from workspace.monitors.bench import Bench, Sheet, quoted
from workspace.monitors.frame import Frame, Origin, Part, load, source_of
from workspace.monitors.metric_tables import MetricTable, windows_of, without
from workspace.monitors.spec import Spec, spec_of
from workspace.monitors.store import MonitorStore, watched
from workspace.monitors.windows import DAY, SECOND, Granularity
from workspace.sql.errors import SqlError
from workspace.unity_catalog.table import VIEW, Table
from workspace.unity_catalog.tables import Tables

LOOK_BACK_DAYS = 30

_TIME = "moment"

Windows = Mapping[str, Collection[int]]


class Computing:
    """Refreshes, one after the other."""

    def __init__(self, tables: Tables, bench: Bench, store: MonitorStore) -> None:
        self._tables = tables
        self._bench = bench
        self._store = store

    def carry_out(self, table_id: str, refresh: Document, check: Callable[[], None]) -> str | None:
        """Bring the metric tables of a monitor up to date; a remark for whoever reads the refresh.

        Raises ApiError with the reason where that cannot be; what `check` raises ends it before anything is written.
        """
        record = self._store.by_table(table_id)
        if record is None:
            raise bad_request("The monitor is gone.")
        table = self._tables.get(record["monitor"]["table_name"])
        if table.table_id != table_id:
            raise bad_request(f"Table {table.full_name} was dropped; the monitor has nothing to watch.")
        if table.table_type == VIEW:
            raise invalid(f"{table.full_name} is a view; the embedded workspace profiles Delta tables only")
        try:
            with self._bench.sheet() as sheet:
                run = _Run(self._tables, sheet, table, record, refresh, check)
                message = run.snapshot() if run.spec.snapshot else run.windows()
        except SqlError as error:
            raise bad_request(str(error)) from error
        except DeltaError as error:
            raise bad_request(f"{table.full_name} could not be read: {error}") from error
        self._store.note_computed(record, run.computed)
        return message


class _Run:
    def __init__(
        self,
        tables: Tables,
        sheet: Sheet,
        table: Table,
        record: Document,
        refresh: Document,
        check: Callable[[], None],
    ) -> None:
        self._tables = tables
        self._sheet = sheet
        self._table = table
        self._monitor = record["monitor"]
        self._created = int(record["created_at"] * SECOND)
        self._before: dict[str, Any] = record["computed"] or {}
        self._check = check
        self._delta = tables.delta(table.full_name)
        self._version = int(self._delta.version())
        self._moment = refresh["start_time_ms"] * 1000
        self.spec: Spec = spec_of(self._monitor, watched(table))
        self._profile = MetricTable(tables, self._monitor["profile_metrics_table_name"])
        self._drift = MetricTable(tables, self._monitor["drift_metrics_table_name"])
        self._baseline = self._monitor.get("baseline_table_name")
        self._baseline_version = None if self._baseline is None else int(tables.delta(self._baseline).version())
        self._same = (
            self._before.get("monitor_version") == self._monitor["monitor_version"]
            and self._before.get("baseline_version") == self._baseline_version
            and self._profile.rows() is not None
            and self._drift.rows() is not None
        )

    @property
    def computed(self) -> dict[str, Any]:
        return {
            "version": self._version,
            "monitor_version": self._monitor["monitor_version"],
            "baseline_version": self._baseline_version,
            "moment": self._moment,
        }

    def snapshot(self) -> str | None:
        """One more moment of the whole table, beside those before."""
        parts = [self._input(None)]
        previous = self._before.get("moment")
        if previous is not None:
            older = self._tables.delta(self._table.full_name)
            older.load_as_version(self._before["version"])
            parts.append(self._part(Origin.PREVIOUS, older))
        request = Request(
            version=self._version,
            monitor_version=self._monitor["monitor_version"],
            moment=self._moment,
            previous=previous,
            profiled={},
            compared={},
            baseline=True,
        )
        frame = self._load([*parts, *self._baselines()])
        profile, drift = self._analyse(frame, request)
        kept = self._profile.rows()
        self._put(profile, drift, kept=None if kept is None else _without_baseline(kept), kept_drift=self._drift.rows())
        return None

    def windows(self) -> str | None:
        """The windows whose rows have changed, or all of them."""
        changed = self._changed() if self._same else None
        if changed is not None and not any(changed.values()):
            return "Nothing has changed since the last refresh."
        profiled = self._all() if changed is None else changed
        compared = {name: _with_next(Granularity(name), starts) for name, starts in profiled.items()}
        whole = changed is None
        request = Request(
            version=self._version,
            monitor_version=self._monitor["monitor_version"],
            moment=self._moment,
            previous=None,
            profiled=profiled,
            compared=compared,
            baseline=whole,
        )
        frame = self._load([self._input(_ranges(compared)), *self._baselines()])
        profile, drift = self._analyse(frame, request)
        kept, kept_drift = self._profile.rows(), self._drift.rows()
        if whole or kept is None or kept_drift is None:
            self._put(profile, drift, kept=None, kept_drift=None)
        else:
            self._put(
                profile,
                drift,
                kept=without(kept, profiled, baseline=False),
                kept_drift=without(kept_drift, compared, baseline=False),
            )
        if profile.num_rows or not self._version:
            return None
        first = np.datetime64(self._created - LOOK_BACK_DAYS * DAY, "us").astype("datetime64[D]")
        return f"There is no row since {first}: a new monitor looks back {LOOK_BACK_DAYS} days."

    def _all(self) -> dict[str, set[int]]:
        """Every window since the first day, and those that there are metrics of."""
        moments = self._moments(self._sheet.add(source_of(self._delta)))
        known = self._profile.rows()
        there = windows_of(known) if known is not None and self._before else {}
        first = self._created - LOOK_BACK_DAYS * DAY
        found = {}
        for granularity in self.spec.granularities:
            starts = np.unique(granularity.starts(moments))
            older = there.get(granularity.text, set())
            found[granularity.text] = {start for start in starts.tolist() if start >= first or start in older}
        return found

    def _changed(self) -> dict[str, set[int]] | None:
        """Windows with rows that came, went or changed since the last refresh; None where that is not known."""
        since = self._before["version"]
        if since == self._version:
            return {granularity.text: set() for granularity in self.spec.granularities}
        if not self._table.change_data_feed:
            return None
        try:
            changes = pa.table(self._delta.load_cdf(starting_version=since + 1, ending_version=self._version))
        except DeltaError:
            # The feed was turned on after that version: what came before is not in it.
            return None
        moments = self._moments(self._sheet.add(changes))
        return {one.text: set(np.unique(one.starts(moments)).tolist()) for one in self.spec.granularities}

    def _moments(self, source: str) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The times of the rows of a source; each one once."""
        moment = f"unix_micros(CAST({quoted(self.spec.time or '')} AS TIMESTAMP))"
        rows = self._sheet.query(f"SELECT DISTINCT {moment} AS {_TIME} FROM {source}")  # noqa: S608
        return np.asarray(rows.column(_TIME).drop_null().to_numpy(), dtype=np.int64)

    def _load(self, parts: list[Part]) -> Frame:
        self._check()
        return load(self._sheet, self.spec.columns, self.spec.reading, parts)

    def _analyse(self, frame: Frame, request: Request) -> tuple[pa.Table, pa.Table]:
        return Analysis(self._sheet, frame, self.spec, request, self._check).run()

    def _input(self, between: list[tuple[int, int]] | None) -> Part:
        return self._part(Origin.INPUT, self._delta, between)

    def _baselines(self) -> list[Part]:
        return [] if self._baseline is None else [self._part(Origin.BASELINE, self._tables.delta(self._baseline))]

    def _part(self, origin: Origin, delta: DeltaTable, between: list[tuple[int, int]] | None = None) -> Part:
        names = [field.name for field in delta.schema().fields]
        return Part(origin, source_of(delta), names, between)

    def _put(self, profile: pa.Table, drift: pa.Table, *, kept: pa.Table | None, kept_drift: pa.Table | None) -> None:
        self._check()
        self._profile.put(self.spec.profile_types, profile, kept)
        self._drift.put(self.spec.drift_types, drift, kept_drift)


def _without_baseline(rows: pa.Table) -> pa.Table:
    return without(rows, {}, baseline=True)


def _with_next(granularity: Granularity, starts: Collection[int]) -> set[int]:
    """A window that has changed is what the next one is compared with."""
    return set(starts) | {granularity.end(start) for start in starts}


def _ranges(windows: Windows) -> list[tuple[int, int]]:
    """The stretches of time that the windows, and the ones before them, cover together."""
    stretches = []
    for name, starts in windows.items():
        granularity = Granularity(name)
        stretches += [(granularity.previous(start), granularity.end(start)) for start in starts]
    joined: list[tuple[int, int]] = []
    for start, end in sorted(stretches):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined
