"""What an endpoint's metrics export says, in Prometheus text (names: docs "Export metrics of serving endpoints")."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict

BUCKETS_MS = (1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10000.0)


class _Series:
    """The counts of one served entity."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.buckets = [0] * len(BUCKETS_MS)
        self.total_ms = 0.0

    def add(self, status: int, milliseconds: float) -> None:
        self.statuses[status // 100] += 1
        self.total_ms += milliseconds
        for index, bound in enumerate(BUCKETS_MS):
            if milliseconds <= bound:
                self.buckets[index] += 1


class Metrics:
    """Counts since the server started, by endpoint and served entity."""

    def __init__(self) -> None:
        self._series: defaultdict[str, dict[str, _Series]] = defaultdict(dict)
        self._lock = threading.Lock()

    def add(self, endpoint_id: str, entity: str, status: int, milliseconds: float) -> None:
        with self._lock:
            self._series[endpoint_id].setdefault(entity, _Series()).add(status, milliseconds)

    def export(self, endpoint_id: str, endpoint_name: str) -> str:
        with self._lock:
            return "\n".join(_lines(endpoint_name, self._series.get(endpoint_id, {}))) + "\n"


def _lines(endpoint: str, series: dict[str, _Series]) -> list[str]:
    def labels(entity: str, extra: str = "") -> str:
        return f'{{endpoint_name="{endpoint}",served_model_name="{entity}"{extra}}}'

    lines = []
    for name, classes in (
        ("request_count_total", None),
        ("request_4xx_count_total", 4),
        ("request_5xx_count_total", 5),
    ):
        lines.append(f"# TYPE {name} counter")
        for entity, one in sorted(series.items()):
            count = sum(one.statuses.values()) if classes is None else one.statuses[classes]
            lines.append(f"{name}{labels(entity)} {count}")
    lines.append("# TYPE request_latency_ms histogram")
    for entity, one in sorted(series.items()):
        count = sum(one.statuses.values())
        for bound, below in zip(BUCKETS_MS, one.buckets, strict=True):
            lines.append(f"request_latency_ms_bucket{labels(entity, f',le={chr(34)}{bound}{chr(34)}')} {below}")
        lines.append(f"request_latency_ms_bucket{labels(entity, f',le={chr(34)}+Inf{chr(34)}')} {count}")
        lines.append(f"request_latency_ms_sum{labels(entity)} {one.total_ms:.3f}")
        lines.append(f"request_latency_ms_count{labels(entity)} {count}")
    return lines
