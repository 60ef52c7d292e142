"""From rows to the rows of both metric tables."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from workspace.monitors import custom_metrics
from workspace.monitors.bench import Sheet
from workspace.monitors.frame import Frame, Origin, Watched
from workspace.monitors.groups import BASELINE, PREVIOUS, Axis, Groups, Key, group
from workspace.monitors.measures import EFFECTIVE, Cells, Profile, measure_of
from workspace.monitors.metric_tables import (
    ALL_MODELS,
    CONSECUTIVE,
    INPUT,
    WHOLE_TABLE,
    rows_of,
    window,
)
from workspace.monitors.metric_tables import BASELINE as BASELINE_TEXT
from workspace.monitors.model_quality import Classification, Regression
from workspace.monitors.spec import CLASSIFICATION, Spec
from workspace.monitors.statistics import ks_pvalues
from workspace.monitors.windows import Granularity

_DELTAS = {f"{name}_delta": name for name in ("count", "avg", "percent_null", "percent_zeros", "percent_distinct")}


@dataclass(frozen=True)
class Request:
    """Which rows a refresh wants, and what they are stamped with."""

    version: int
    """Of the monitored table."""
    monitor_version: int
    moment: int
    """Of the refresh, in microseconds since the epoch: the window of a snapshot."""
    previous: int | None
    """The moment of the snapshot before."""
    profiled: Mapping[str, Collection[int]]
    """Windows by granularity whose profile is wanted; there is no entry for a snapshot."""
    compared: Mapping[str, Collection[int]]
    """Windows whose drift is wanted."""
    baseline: bool
    """Whether the baseline's own profile is wanted too."""


@dataclass
class _Cut:
    """One way to group the rows: a granularity, perhaps a slice, perhaps model by model."""

    granularity: Granularity | None
    groups: Groups
    whole: _Cut | None = None
    """The same cut with all models together, where this one is model by model."""
    first: bool = False
    """Whether it is of the first granularity: a baseline has no windows, and is written once."""
    present: list[list[str]] = field(default_factory=list)
    """Columns with a value, by group."""
    profile: Profile | None = None
    """Of the column at hand."""
    rows: list[int] = field(default_factory=list)
    """Which row of the profile is each group's, of the column at hand; -1 where the column is missing there."""
    quality: Sequence[Cells] = ()
    custom: Mapping[str, Mapping[str, Sequence[Any]]] = field(default_factory=dict)


class Analysis:
    """One computation. `check` is called between its steps, and may raise to end it."""

    def __init__(
        self, sheet: Sheet, frame: Frame, spec: Spec, request: Request, check: Callable[[], None] = lambda: None
    ) -> None:
        self._sheet = sheet
        self._frame = frame
        self._spec = spec
        self._request = request
        self._check = check
        self._profile: list[Cells] = []
        self._written: list[bool] = []
        self._drift: list[Cells] = []
        self._pairs: list[tuple[int, int]] = []

    def run(self) -> tuple[pa.Table, pa.Table]:
        """Profile and drift. Raises SqlError where an expression of the monitor cannot be computed."""
        cuts = self._cuts()
        for cut in cuts:
            self._check()
            cut.custom = custom_metrics.aggregates(
                self._sheet, self._frame.rows, cut.groups, self._spec.metrics, self._spec.parameters
            )
        for column in self._spec.columns:
            measure = measure_of(column, self._frame.values(column.name))
            for cut in cuts:
                self._check()
                cut.profile = measure.within(cut.groups)
                self._add_column(cut, column)
            for cut in cuts:
                self._compare(cut, column)
        self._rate_models(cuts)
        for cut in cuts:
            self._add_table(cut)
        for cut in cuts:
            cut.profile = None
            self._compare(cut, None)
        return self._tables()

    def _cuts(self) -> list[_Cut]:
        frame, spec = self._frame, self._spec
        cuts: list[_Cut] = []
        granularities: Sequence[Granularity | None] = spec.granularities or [None]
        every: Sequence[tuple[str | None, Axis | None]] = [(None, None), *frame.slices]
        all_models = None if spec.model is None else ALL_MODELS
        for number, granularity in enumerate(granularities):
            codes, starts = self._windows(granularity)
            for key, axis in every:
                groups = group(codes, starts, all_models=all_models, slices=axis, slice_key=key)
                whole = _Cut(granularity, groups, first=number == 0)
                cuts.append(whole)
                if frame.models is not None:
                    groups = group(codes, starts, models=frame.models, slices=axis, slice_key=key)
                    cuts.append(_Cut(granularity, groups, whole, first=number == 0))
        for cut in cuts:
            cut.present = [[] for _ in cut.groups.keys]
        return cuts

    def _windows(self, granularity: Granularity | None) -> tuple[np.ndarray[Any, np.dtype[np.int64]], list[int]]:
        """A code for each row, and the windows that the codes stand for."""
        frame = self._frame
        codes = np.full(len(frame.origins), -1, np.int64)
        inputs = frame.of(Origin.INPUT)
        if granularity is None:
            starts = [self._request.moment]
            codes[inputs] = 0
        else:
            timed = inputs & frame.timed
            found, inverse = np.unique(granularity.starts(frame.times[timed]), return_inverse=True)
            codes[timed] = inverse
            starts = found.tolist()
        for origin, pseudo in ((Origin.BASELINE, BASELINE), (Origin.PREVIOUS, PREVIOUS)):
            rows = frame.of(origin)
            if rows.any():
                codes[rows] = len(starts)
                starts.append(pseudo)
        return codes, starts

    def _add_column(self, cut: _Cut, column: Watched) -> None:
        profile = cut.profile
        if profile is None:
            return
        cut.rows = []
        custom = cut.custom.get(column.name, {})
        for index, key in enumerate(cut.groups.keys):
            if column.name in self._frame.missing.get(_origin(key), frozenset()):
                cut.rows.append(-1)
                continue
            cells = profile.cells(index)
            if cells["count"]:
                cut.present[index].append(column.name)
            own = {name: values[index] for name, values in custom.items()}
            self._add(cut, key, {"column_name": column.name, "data_type": column.type_text, **cells, **own})

    def _add_table(self, cut: _Cut) -> None:
        cut.rows = []
        custom = cut.custom.get(WHOLE_TABLE, {})
        for index, key in enumerate(cut.groups.keys):
            own = {name: values[index] for name, values in custom.items()}
            quality = cut.quality[index] if cut.quality else {}
            size = int(cut.groups.sizes[index])
            cells = {"column_name": WHOLE_TABLE, "count": size, "non_null_columns": cut.present[index]}
            self._add(cut, key, {**cells, **quality, **own})

    def _add(self, cut: _Cut, key: Key, cells: Cells) -> None:
        request, granularity = self._request, cut.granularity
        baseline = key.window == BASELINE
        row: Cells = {
            "log_type": BASELINE_TEXT if baseline else INPUT,
            "logging_table_commit_version": request.version,
            **self._identity(cut, key),
            **cells,
        }
        if baseline:
            written = request.baseline and cut.first
            row |= {"window": None, "granularity": None}
        else:
            written = key.window != PREVIOUS and (
                granularity is None or key.window in request.profiled.get(granularity.text, ())
            )
        cut.rows.append(len(self._profile))
        self._profile.append(row)
        self._written.append(written)

    def _identity(self, cut: _Cut, key: Key) -> Cells:
        """The columns that say which group a row is of."""
        identity: Cells = {
            "window": self._shown(cut, key.window),
            "granularity": None if cut.granularity is None else cut.granularity.text,
            "monitor_version": self._request.monitor_version,
            "slice_key": key.slice_key,
            "slice_value": key.slice_value,
        }
        if self._spec.model is not None:
            identity[self._spec.model] = key.model
        return identity

    def _shown(self, cut: _Cut, start: int) -> Any:
        if start == BASELINE:
            return None
        if cut.granularity is not None:
            return window(start, cut.granularity.end(start))
        moment = self._request.previous if start == PREVIOUS else start
        return window(moment, moment)

    def _compare(self, cut: _Cut, column: Watched | None) -> None:
        """Drift of the column at hand, or of `:table`, in every group that has something to be compared with."""
        for index, key in enumerate(cut.groups.keys):
            if not self._is_compared(cut, key):
                continue
            for drift_type, other, base in self._bases(cut, key):
                here, there = cut.rows[index], other.rows[base]
                if here < 0 or there < 0:
                    continue
                measured: Cells = {}
                if cut.profile is not None and other.profile is not None:
                    measured = cut.profile.drift(index, other.profile, base)
                current, compared = self._profile[here], self._profile[there]
                against = None if drift_type == BASELINE_TEXT else self._shown(other, other.groups.keys[base].window)
                self._pairs.append((here, there))
                self._drift.append(
                    {
                        **self._identity(cut, key),
                        "column_name": WHOLE_TABLE if column is None else column.name,
                        "data_type": None if column is None else column.type_text,
                        "window_cmp": against,
                        "drift_type": drift_type,
                        **_deltas(current, compared),
                        **measured,
                    }
                )

    def _is_compared(self, cut: _Cut, key: Key) -> bool:
        if key.window in (BASELINE, PREVIOUS):
            return False
        return cut.granularity is None or key.window in self._request.compared.get(cut.granularity.text, ())

    def _bases(self, cut: _Cut, key: Key) -> list[tuple[str, _Cut, int]]:
        """What a group is compared with: how, and the group of which cut."""
        before = PREVIOUS if cut.granularity is None else cut.granularity.previous(key.window)
        found: list[tuple[str, _Cut, int]] = []
        position = cut.groups.position.get(Key(before, key.model, key.slice_key, key.slice_value))
        if position is not None:
            found.append((CONSECUTIVE, cut, position))
        baseline = cut.groups.position.get(Key(BASELINE, key.model, key.slice_key, key.slice_value))
        if baseline is not None:
            return [*found, (BASELINE_TEXT, cut, baseline)]
        if cut.whole is not None:
            # A baseline that does not know the model is the baseline of all models.
            whole = cut.whole.groups.position.get(Key(BASELINE, ALL_MODELS, key.slice_key, key.slice_value))
            if whole is not None:
                found.append((BASELINE_TEXT, cut.whole, whole))
        return found

    def _rate_models(self, cuts: Sequence[_Cut]) -> None:
        spec = self._spec
        if spec.quality is None or spec.prediction is None or spec.label is None:
            return
        predictions, labels = self._frame.values(spec.prediction), self._frame.values(spec.label)
        kind = Classification if spec.quality == CLASSIFICATION else Regression
        rated = kind(predictions, labels)
        for cut in cuts:
            self._check()
            quality = rated.within(cut.groups)
            cut.quality = [quality.cells(index) for index in range(len(cut.groups.keys))]

    def _tables(self) -> tuple[pa.Table, pa.Table]:
        spec = self._spec
        whole = rows_of(spec.profile_types, self._profile)
        whole = custom_metrics.derived(self._sheet, whole, spec.metrics, spec.parameters)
        tests = [row["ks_test"] for row in self._drift if "ks_test" in row]
        pvalues = ks_pvalues([test["statistic"] for test in tests], [test.pop(EFFECTIVE) for test in tests])
        for test, pvalue in zip(tests, pvalues, strict=True):
            test["pvalue"] = pvalue
        drift = rows_of(spec.drift_types, self._drift)
        if self._pairs:
            current, base = (whole.take(pa.array(side)) for side in zip(*self._pairs, strict=True))
            drift = custom_metrics.drifts(self._sheet, drift, current, base, spec.metrics, spec.parameters)
        return whole.filter(pa.array(self._written, pa.bool_())), drift


def _origin(key: Key) -> Origin:
    return {BASELINE: Origin.BASELINE, PREVIOUS: Origin.PREVIOUS}.get(key.window, Origin.INPUT)


def _deltas(current: Cells, base: Cells) -> Cells:
    """Differences of what both rows have: current minus comparison."""
    deltas: Cells = {
        delta: current[name] - base[name]
        for delta, name in _DELTAS.items()
        if current.get(name) is not None and base.get(name) is not None
    }
    if "non_null_columns" in current:
        here, there = set(current["non_null_columns"]), set(base["non_null_columns"])
        deltas["non_null_columns_delta"] = {"added": len(here - there), "missing": len(there - here)}
    return deltas
