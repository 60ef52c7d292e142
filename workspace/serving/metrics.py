"""What an endpoint's metrics export says, in Prometheus text.

Names: docs "Track and export serving endpoint health metrics to Prometheus and Datadog" (its Datadog configuration).
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

BUCKETS_MS = (1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10000.0)


@dataclass(frozen=True)
class Replica:
    """A served entity as far as its machine goes. `pid` is None while it is scaled to zero."""

    name: str
    pid: int | None
    concurrency: int


class _Histogram:
    def __init__(self) -> None:
        self.buckets = [0] * len(BUCKETS_MS)
        self.count = 0
        self.total_ms = 0.0

    def add(self, milliseconds: float) -> None:
        self.count += 1
        self.total_ms += milliseconds
        for index, bound in enumerate(BUCKETS_MS):
            if milliseconds <= bound:
                self.buckets[index] += 1

    def lines(self, name: str, labels: str) -> list[str]:
        bounds = [*zip(map(str, BUCKETS_MS), self.buckets, strict=True), ("+Inf", self.count)]
        return [
            *(f'{name}_bucket{{{labels},le="{bound}"}} {below}' for bound, below in bounds),
            f"{name}_sum{{{labels}}} {self.total_ms:.3f}",
            f"{name}_count{{{labels}}} {self.count}",
        ]


class _Series:
    """The counts of one served entity."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.latency = _Histogram()
        self.queued = _Histogram()


class Metrics:
    """Counts since the server started, by endpoint and served entity; processor and memory at the time of asking."""

    def __init__(self) -> None:
        self._series: defaultdict[str, dict[str, _Series]] = defaultdict(dict)
        self._lock = threading.Lock()
        self._seen: dict[int, tuple[float, float]] = {}

    def add(self, endpoint_id: str, entity: str, status: int, milliseconds: float, in_model_ms: float) -> None:
        """One answer: how long it took here, and how much of that the model worked on it."""
        with self._lock:
            series = self._series[endpoint_id].setdefault(entity, _Series())
            series.statuses[status // 100] += 1
            series.latency.add(milliseconds)
            series.queued.add(max(0.0, milliseconds - in_model_ms))

    def export(self, endpoint_id: str, endpoint_name: str, replicas: Sequence[Replica]) -> str:
        def labels(entity: str) -> str:
            return f'endpoint_name="{endpoint_name}",served_model_name="{entity}"'

        with self._lock:
            series = {one.name: _Series() for one in replicas} | self._series.get(endpoint_id, {})
            lines = []
            for name, help_text, values in (
                ("cpu_usage_percentage", "Processor time of one core that the served entity uses", self._cpu),
                ("mem_usage_percentage", "Share of the machine's memory that the served entity uses", _memory),
                ("provisioned_concurrent_requests_total", "Requests that are answered at a time", _provisioned),
            ):
                lines += [f"# HELP {name} {help_text}", f"# TYPE {name} gauge"]
                lines += [f"{name}{{{labels(one.name)}}} {values(one):g}" for one in replicas]
            for name, kind in (
                ("request_count_total", None),
                ("request_4xx_count_total", 4),
                ("request_5xx_count_total", 5),
            ):
                lines += [f"# TYPE {name} counter"]
                for entity, one in sorted(series.items()):
                    number = sum(one.statuses.values()) if kind is None else one.statuses[kind]
                    lines.append(f"{name}{{{labels(entity)}}} {number}")
            lines.append("# TYPE request_latency_ms histogram")
            for entity, one in sorted(series.items()):
                lines += one.latency.lines("request_latency_ms", labels(entity))
            lines.append("# TYPE model_queue_time_ms histogram")
            for entity, one in sorted(series.items()):
                lines += one.queued.lines("model_queue_time_ms", labels(entity))
            return "\n".join(lines) + "\n"

    def _cpu(self, replica: Replica) -> float:
        """Since the last export; since the process started at the first."""
        times = _times(replica.pid)
        if times is None or replica.pid is None:
            return 0.0
        used, started = times
        now = time.monotonic()
        before_used, before = self._seen.get(replica.pid, (0.0, started))
        self._seen[replica.pid] = (used, now)
        return 100 * (used - before_used) / max(now - before, 1e-3)


def _provisioned(replica: Replica) -> float:
    return replica.concurrency if replica.pid is not None else 0


def _memory(replica: Replica) -> float:
    if replica.pid is None:
        return 0.0
    try:
        pages = int(Path(f"/proc/{replica.pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return 100 * pages / os.sysconf("SC_PHYS_PAGES")


def _times(pid: int | None) -> tuple[float, float] | None:
    """Processor seconds of a process, and its start on the monotonic clock; None where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        uptime = float(Path("/proc/uptime").read_text().split()[0])
    except (FileNotFoundError, ProcessLookupError):
        return None
    ticks = os.sysconf("SC_CLK_TCK")
    age = uptime - int(fields[19]) / ticks
    return (int(fields[11]) + int(fields[12])) / ticks, time.monotonic() - age
