"""What one column is like in each group: the metrics of the profile table, and the samples that drift is measured on.

Source: "Data profiling metric tables": which metric a column has by its type. Values seen in a live table: percentages
count to 100, times are seconds since the epoch. Assumptions: NaN takes part in `num_nan` and `percent_nan` only; items
and their counts leave NULL out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from workspace.monitors.frame import Kind, Watched
from workspace.monitors.groups import Codes, Groups, stable_order
from workspace.monitors.statistics import Floats, Ints, Sample, categorical_drift, numeric_drift

Cells = dict[str, Any]
"""Metrics of one row of a metric table, by column; what is not there is NULL."""

QUANTILES = 1000
FREQUENT_ITEMS = 100
EFFECTIVE = "effective"
"""Beside the statistic of a `ks_test`: what its p-value is computed from, with those of all other rows."""
_LEVELS = np.linspace(0.0, 1.0, QUANTILES)


class Measure(ABC):
    """A column, read once for all groupings."""

    def __init__(self, values: pa.ChunkedArray) -> None:
        self.valid: npt.NDArray[np.bool_] = pc.is_valid(values).to_numpy()

    @abstractmethod
    def within(self, groups: Groups) -> Profile: ...


class Profile:
    """A column in one grouping: as here, for columns that are counted and no more."""

    def __init__(self, measure: Measure, groups: Groups) -> None:
        self.counts = groups.counts(measure.valid)
        self.nulls = groups.sizes - self.counts

    def cells(self, index: int) -> Cells:
        """The metrics of a group."""
        count, nulls = int(self.counts[index]), int(self.nulls[index])
        return {"count": count, "num_nulls": nulls, "percent_null": percent(nulls, count + nulls)}

    def drift(self, current: int, other: Profile, base: int) -> Cells:  # what is only counted has none
        """How far a group is from a group of another grouping (or of this one) of the same column."""
        return {}


class Counted(Measure):
    def within(self, groups: Groups) -> Profile:
        return Profile(self, groups)


class Numbers(Measure):
    """Numeric columns, and times as seconds."""

    def __init__(self, values: pa.ChunkedArray, *, times: bool) -> None:
        super().__init__(values)
        self.times = times
        self.values: Floats = values.fill_null(_zero(values.type)).to_numpy().astype(np.float64)
        self.nan = self.valid & np.isnan(self.values)
        self.usable = self.valid & ~self.nan
        rows = np.flatnonzero(self.usable)
        self.ascending: Codes = rows[np.argsort(self.values[rows], kind="stable")]

    def within(self, groups: Groups) -> Profile:
        return _NumberProfile(self, groups)


class _NumberProfile(Profile):
    def __init__(self, measure: Numbers, groups: Groups) -> None:
        super().__init__(measure, groups)
        self._times = measure.times
        usable = measure.usable
        self._sizes = groups.counts(usable)
        filled = np.where(usable, measure.values, 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            self._means = groups.sums(filled) / self._sizes
            centred = np.where(usable, measure.values - groups.of_rows(self._means), 0.0)
            self._deviations = np.sqrt(groups.sums(centred * centred) / (self._sizes - 1))
        self._zeros = groups.counts(usable & (measure.values == 0))
        self._nans = groups.counts(measure.nan)
        codes = groups.codes[measure.ascending]
        inside = codes >= 0
        order = stable_order(codes[inside], len(groups.keys))
        self._samples = measure.values[measure.ascending][inside][order]
        ends = np.cumsum(self._sizes).tolist()
        self._parts = [
            Sample(self._samples[end - size : end]) for end, size in zip(ends, self._sizes.tolist(), strict=True)
        ]

    def sample(self, index: int) -> Sample:
        """The group's values."""
        return self._parts[index]

    def cells(self, index: int) -> Cells:
        cells = super().cells(index)
        count = int(self.counts[index])
        sample = self.sample(index)
        values = sample.values
        distinct = int(np.count_nonzero(values[1:] != values[:-1])) + 1 if len(values) else 0
        cells |= {"distinct_count": distinct, "percent_distinct": percent(distinct, count)}
        if len(values):
            median = (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2
            cells |= {"min": float(values[0]), "max": float(values[-1]), "median": float(median)}
        if self._times:
            return cells
        zeros, nans = int(self._zeros[index]), int(self._nans[index])
        cells |= {"num_zeros": zeros, "percent_zeros": percent(zeros, count)}
        cells |= {"num_nan": nans, "percent_nan": percent(nans, count)}
        if len(values):
            cells |= {"avg": float(self._means[index]), "quantiles": sample.levels(_LEVELS)}
        if len(values) > 1:
            cells["stddev"] = float(self._deviations[index])
        return cells

    def drift(self, current: int, other: Profile, base: int) -> Cells:
        if self._times or not isinstance(other, _NumberProfile):
            return {}
        found = numeric_drift(self.sample(current), other.sample(base))
        if found is None:
            return {}
        return {
            "ks_test": {"statistic": found.ks_statistic, "pvalue": None, EFFECTIVE: found.effective},
            "wasserstein_distance": found.wasserstein_distance,
            "population_stability_index": found.population_stability_index,
        }


class Items(Measure):
    """Categorical columns: texts and booleans."""

    def __init__(self, values: pa.ChunkedArray) -> None:
        super().__init__(values)
        self.texts = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
        self.lengths = _lengths(pc.utf8_length(values)) if self.texts else None
        encoded = pc.dictionary_encode(values if self.texts else values.cast(pa.string()))
        chunk = encoded.unify_dictionaries().combine_chunks() if len(values) else None
        if isinstance(chunk, pa.ChunkedArray):
            chunk = chunk.chunk(0)
        self.items: Sequence[str] = [] if chunk is None else _Dictionary(chunk.dictionary)
        self.codes: Codes = (
            np.empty(0, np.int64)
            if chunk is None
            else chunk.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
        )

    def within(self, groups: Groups) -> Profile:
        return _ItemProfile(self, groups)


class _ItemProfile(Profile):
    def __init__(self, measure: Items, groups: Groups) -> None:
        super().__init__(measure, groups)
        self._items = measure.items
        self._lengths = None if measure.lengths is None else _LengthProfile(measure.lengths, measure.valid, groups)
        inside = (groups.codes >= 0) & (measure.codes >= 0)
        width = max(len(measure.items), 1)
        cells = groups.codes[inside] * width + measure.codes[inside]
        present, self._present = np.unique(cells, return_counts=True)
        owners, self._codes = np.divmod(present, width)
        self._bounds = np.searchsorted(owners, np.arange(len(groups.keys) + 1))

    def _counts(self, index: int) -> tuple[Codes, Ints]:
        part = slice(self._bounds[index], self._bounds[index + 1])
        return self._codes[part], self._present[part]

    def cells(self, index: int) -> Cells:
        cells = super().cells(index)
        codes, counts = self._counts(index)
        cells |= {"distinct_count": len(codes), "percent_distinct": percent(len(codes), int(self.counts[index]))}
        if self._lengths is not None:
            cells |= self._lengths.cells(index)
        if len(codes):
            at_least = np.sort(counts)[-min(FREQUENT_ITEMS, len(counts))]
            leading = [
                (-int(count), self._items[int(code)])
                for code, count in zip(codes[counts >= at_least], counts[counts >= at_least], strict=True)
            ]
            cells["frequent_items"] = [
                {"item": item, "count": -negative} for negative, item in sorted(leading)[:FREQUENT_ITEMS]
            ]
        return cells

    def drift(self, current: int, other: Profile, base: int) -> Cells:
        if not isinstance(other, _ItemProfile):
            return {}
        (here, here_counts), (there, there_counts) = self._counts(current), other._counts(base)
        every = np.union1d(here, there)
        counts = [np.zeros(len(every), np.int64), np.zeros(len(every), np.int64)]
        counts[0][np.searchsorted(every, here)] = here_counts
        counts[1][np.searchsorted(every, there)] = there_counts
        found = categorical_drift(*counts)
        if found is None:
            return {}
        test = found.chi_squared
        return {
            "chi_squared_test": None if test is None else {"statistic": test[0], "pvalue": test[1]},
            "tv_distance": found.tv_distance,
            "l_infinity_distance": found.l_infinity_distance,
            "js_distance": found.js_distance,
        }


class Arrays(Measure):
    """Arrays, which have lengths."""

    def __init__(self, values: pa.ChunkedArray) -> None:
        super().__init__(values)
        self.lengths = _lengths(pc.list_value_length(values))

    def within(self, groups: Groups) -> Profile:
        return _ArrayProfile(self, groups)


class _ArrayProfile(Profile):
    def __init__(self, measure: Arrays, groups: Groups) -> None:
        super().__init__(measure, groups)
        self._lengths = _LengthProfile(measure.lengths, measure.valid, groups)

    def cells(self, index: int) -> Cells:
        return super().cells(index) | self._lengths.cells(index)


class _LengthProfile:
    def __init__(self, lengths: Floats, valid: npt.NDArray[np.bool_], groups: Groups) -> None:
        self._counts = groups.counts(valid)
        self._least = groups.least(np.where(valid, lengths, np.inf))
        self._greatest = groups.greatest(np.where(valid, lengths, -np.inf))
        self._sums = groups.sums(np.where(valid, lengths, 0.0))

    def cells(self, index: int) -> Cells:
        count = int(self._counts[index])
        if not count:
            return {}
        return {
            "min_length": float(self._least[index]),
            "max_length": float(self._greatest[index]),
            "avg_length": float(self._sums[index] / count),
        }


class _Dictionary(Sequence[str]):
    """The values of a dictionary, turned into texts one by one: most are never asked for."""

    def __init__(self, values: pa.Array) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: Any) -> Any:
        return self._values[index].as_py()


def measure_of(column: Watched, values: pa.ChunkedArray) -> Measure:
    """The measure that fits the column's type."""
    if column.kind is Kind.NUMERIC:
        return Numbers(values.cast(pa.float64()) if pa.types.is_decimal(values.type) else values, times=False)
    if column.kind is Kind.TIME:
        micros = values.cast(pa.timestamp("us")) if pa.types.is_date(values.type) else values
        return Numbers(pc.divide(micros.cast(pa.int64()).cast(pa.float64(), safe=False), 1e6), times=True)
    if column.kind is Kind.CATEGORICAL:
        return Items(values)
    return Arrays(values) if column.kind is Kind.ARRAY else Counted(values)


def percent(part: int, whole: int) -> float | None:
    """None of nothing."""
    return part / whole * 100 if whole else None


def _zero(kind: pa.DataType) -> pa.Scalar:
    return pa.scalar(0, kind)


def _lengths(values: pa.ChunkedArray) -> Floats:
    return np.asarray(values.cast(pa.float64()).fill_null(0.0).to_numpy())
