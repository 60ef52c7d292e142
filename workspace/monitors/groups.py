"""Rows in groups: the cells that metrics are computed for, each one a window, a slice of the data, and a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int64]
"""One number a row, counted from 0; -1 for a row that belongs to none."""

BASELINE = -1
PREVIOUS = -2
"""Windows that are none: all rows of the baseline table, and all that a snapshot saw at the refresh before."""


@dataclass(frozen=True)
class Key:
    """What a group is."""

    window: int
    """Microseconds since the epoch; BASELINE or PREVIOUS where the rows come from elsewhere."""
    model: str | None
    """None for a monitor without models, `*` for all of them together."""
    slice_key: str | None
    slice_value: str | None


@dataclass(frozen=True)
class Axis:
    """A way to tell rows apart: a code for each row, and what the codes stand for."""

    codes: Codes
    names: Sequence[str]


@dataclass
class Groups:
    """The rows of a frame, sorted by group; every group has at least one."""

    keys: list[Key]
    codes: Codes
    order: Codes
    """Numbers of the rows, those of group 0 first; rows without a group are left out."""
    starts: Codes
    """Where each group begins in `order`."""
    position: dict[Key, int] = field(init=False)

    def __post_init__(self) -> None:
        self.position = {key: index for index, key in enumerate(self.keys)}

    @property
    def sizes(self) -> Codes:
        return np.diff(self.starts, append=len(self.order))

    def sums(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The sum of each group; NaN counts like any other number."""
        return np.asarray(np.add.reduceat(values[self.order], self.starts), dtype=np.float64)

    def of_rows(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """For every row of the frame, the value of its group; 0 for rows without one."""
        # Their code is -1.
        return np.append(values, 0.0)[self.codes]

    def counts(self, flags: npt.NDArray[np.bool_]) -> Codes:
        return np.asarray(np.add.reduceat(flags[self.order].astype(np.int64), self.starts), dtype=np.int64)

    def least(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(np.minimum.reduceat(values[self.order], self.starts), dtype=np.float64)

    def greatest(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(np.maximum.reduceat(values[self.order], self.starts), dtype=np.float64)


def group(
    windows: Codes,
    starts: Sequence[int],
    *,
    models: Axis | None = None,
    all_models: str | None = None,
    slices: Axis | None = None,
    slice_key: str | None = None,
) -> Groups:
    """Rows by window, and by model and slice where these are given.

    Args:
        windows: the window of each row, as a number of `starts`; -1 leaves the row out.
        models: None for all models together, which are then called `all_models`.
        slices: None for the whole table; rows whose code is -1 are in no slice.
    """
    model_count = 1 if models is None else max(len(models.names), 1)
    slice_count = 1 if slices is None else max(len(slices.names), 1)
    cells = windows.astype(np.int64)
    out = windows < 0
    if models is not None:
        cells = cells * model_count + models.codes
        out = out | (models.codes < 0)
    if slices is not None:
        cells = cells * slice_count + slices.codes
        out = out | (slices.codes < 0)
    used = np.unique(cells[~out])
    codes = np.where(out, -1, np.searchsorted(used, cells)).astype(np.int64)
    order = stable_order(codes, len(used))
    order = order[int(np.count_nonzero(out)) :]
    keys = []
    for cell in used.tolist():
        rest, slice_code = divmod(cell, slice_count) if slices is not None else (cell, 0)
        window, model_code = divmod(rest, model_count) if models is not None else (rest, 0)
        keys.append(
            Key(
                window=starts[window],
                model=all_models if models is None else models.names[model_code],
                slice_key=slice_key,
                slice_value=None if slices is None else slices.names[slice_code],
            )
        )
    return Groups(keys, codes, order, np.searchsorted(codes[order], np.arange(len(used))).astype(np.int64))


def stable_order(codes: Codes, count: int) -> Codes:
    """Row numbers sorted by code, -1 first; few codes are sorted by radix, which is many times faster."""
    small = codes.astype(np.int16) if count < np.iinfo(np.int16).max else codes
    return np.argsort(small, kind="stable").astype(np.int64)
