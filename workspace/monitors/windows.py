"""Time windows: which one a moment belongs to, and which one comes before.

Source: "Data profiling metric tables" and `catalog.MonitorTimeSeries` of databricks-sdk (the granularities). Where
windows begin is an assumption: hours, days and shorter ones by UTC, weeks on Mondays (several of them counted from
1970-01-05).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Micros = npt.NDArray[np.int64]
"""Microseconds since the epoch, UTC."""

SECOND = 1_000_000
DAY = 86_400 * SECOND
_WEEK = 7 * DAY
_FIRST_MONDAY = 4 * DAY
_FIXED = {"5 minutes": 300 * SECOND, "30 minutes": 1800 * SECOND, "1 hour": 3600 * SECOND, "1 day": DAY}
_CALENDAR = {"1 month": "datetime64[M]", "1 year": "datetime64[Y]"}
_WEEKS = re.compile(r"([1-9]\d*) weeks?")


@dataclass(frozen=True)
class Granularity:
    """The length of a monitor's windows, in the words of its definition: `1 day`, `2 weeks`, `1 month`."""

    text: str

    def __post_init__(self) -> None:
        if self.text not in _FIXED and self.text not in _CALENDAR and not _WEEKS.fullmatch(self.text):
            raise ValueError(f"'{self.text}' is no granularity")

    def starts(self, moments: Micros) -> Micros:
        """The beginnings of the windows that the moments are in."""
        if self.text in _CALENDAR:
            whole = moments.astype("datetime64[us]").astype(_CALENDAR[self.text])
            return whole.astype("datetime64[us]").astype(np.int64)
        width, origin = self._fixed()
        return (moments - origin) // width * width + origin

    def end(self, start: int) -> int:
        """Where the window that begins at `start` ends: the beginning of the next."""
        return self._moved(start, 1)

    def previous(self, start: int) -> int:
        """The beginning of the window before."""
        return self._moved(start, -1)

    def _fixed(self) -> tuple[int, int]:
        weeks = _WEEKS.fullmatch(self.text)
        return (int(weeks[1]) * _WEEK, _FIRST_MONDAY) if weeks else (_FIXED[self.text], 0)

    def _moved(self, start: int, windows: int) -> int:
        if self.text in _CALENDAR:
            whole = np.datetime64(start, "us").astype(_CALENDAR[self.text]) + windows
            return int(whole.astype("datetime64[us]").astype(np.int64))
        return start + windows * self._fixed()[0]
