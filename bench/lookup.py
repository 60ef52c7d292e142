"""The lookup itself: as a model process does it, in the keyed store that the server keeps."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from bench.load import BenchError
from bench.scene import FEATURES, ZONES
from workspace.feature_store.keyed import KeyedReader

COUNT = 2_000


def lookup_ms(state: Path) -> tuple[float, float]:
    """Median and 99th percentile in milliseconds of lookups of all features by key."""
    stores = [
        path for path in (state / "online").rglob("*") if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    ]
    if len(stores) != 1:
        raise BenchError(f"one online table was expected in {state / 'online'}, found {stores}")
    reader = KeyedReader(stores[0])
    took = []
    for number in range(COUNT):
        started = time.perf_counter()
        row = reader.lookup({"zone": number % ZONES}, list(FEATURES))
        took.append((time.perf_counter() - started) * 1000)
        if None in row.values():
            raise BenchError(f"zone {number % ZONES} has no row in the online table: {row}")
    return statistics.median(took), statistics.quantiles(took, n=100)[98]
