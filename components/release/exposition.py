"""An endpoint's metrics export (Prometheus text) as requests, errors and latencies of every served entity. Pure.

Names: Databricks, "Track and export serving endpoint health metrics": `request_count_total`,
`request_4xx_count_total`, `request_5xx_count_total`, `request_latency_ms` (a histogram). The names end in `_total`, but
the service declares them as gauges over the last minute, each with the minute's timestamp (the Datadog integration
and published exports say so); a counter is understood as well. The documentation names no labels: a sample belongs to
the entity that one of its label values names, whatever the label is called.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

REQUESTS = "request_count_total"
ERRORS = ("request_4xx_count_total", "request_5xx_count_total")
LATENCY = "request_latency_ms"
MINUTE = 60.0


@dataclass
class Figures:
    """What one entity has done in a stretch of time."""

    requests: float = 0.0
    errors: float = 0.0
    buckets: dict[float, float] = field(default_factory=dict)
    """Upper bound in milliseconds to the number of answers up to it."""

    @property
    def error_rate(self) -> float | None:
        """Share of the answers with a status from 400; None without answers."""
        return self.errors / self.requests if self.requests > 0 else None

    def latency_ms(self, quantile: float) -> float | None:
        """A quantile, within its bucket by proportion as Prometheus does; None without answers."""
        bounds = sorted(self.buckets)
        total = self.buckets[bounds[-1]] if bounds else 0.0
        if total <= 0:
            return None
        rank, lower, below = quantile * total, 0.0, 0.0
        for bound in bounds:
            count = self.buckets[bound]
            if count >= rank:
                if math.isinf(bound):
                    return lower
                return bound if count == below else lower + (bound - lower) * (rank - below) / (count - below)
            lower, below = bound, count
        return lower


@dataclass(frozen=True)
class _Sample:
    series: tuple[str, str, float]
    """Metric, entity, upper bound of the bucket (0 where it is none)."""
    value: float
    minute: float | None


class ExportMeter:
    """Adds up what successive exports say, from the first one on."""

    def __init__(self, entities: Iterable[str]) -> None:
        self._entities = tuple(entities)
        self._sums: dict[tuple[str, str, float], float] = {}
        self._last: dict[tuple[str, str, float], float] = {}
        self._minutes: dict[tuple[str, str, float], float] = {}
        self._began: float | None = None
        self.has_samples = False
        """Whether an export so far has counted requests at all."""
        self.names_entities = False
        """Whether one has told the entities apart."""

    def take(self, text: str, at: float) -> None:
        """One export, read at `at` (seconds since the epoch). The first one is where counting begins.

        Raises:
            ValueError: the text is no Prometheus exposition.
        """
        first = self._began is None
        if self._began is None:
            self._began = at
        windowed, samples = self._read(text)
        # A counter is declared once for its whole life: one that starts at zero later was not there before.
        for sample in samples:
            self.names_entities = True
            if windowed:
                self._add_minute(sample, at)
            else:
                self._add_difference(sample, first=first)

    def figures(self) -> Mapping[str, Figures]:
        """What every entity has done since the first export."""
        found = {entity: Figures() for entity in self._entities}
        for (metric, entity, bound), value in self._sums.items():
            one = found[entity]
            if metric == REQUESTS:
                one.requests += value
            elif metric in ERRORS:
                one.errors += value
            else:
                one.buckets[bound] = one.buckets.get(bound, 0.0) + value
        return found

    def _add_minute(self, sample: _Sample, at: float) -> None:
        """A minute counts once, and only one that began after the counting did."""
        began = self._began if self._began is not None else at
        minute = sample.minute if sample.minute is not None else at
        seen = self._minutes.get(sample.series, began)
        if minute < seen + MINUTE:
            return
        self._minutes[sample.series] = minute
        self._sums[sample.series] = self._sums.get(sample.series, 0.0) + sample.value

    def _add_difference(self, sample: _Sample, *, first: bool) -> None:
        before = sample.value if first else self._last.get(sample.series, 0.0)
        # A counter that has fallen was started anew.
        grown = sample.value - before if sample.value >= before else sample.value
        self._last[sample.series] = sample.value
        self._sums[sample.series] = self._sums.get(sample.series, 0.0) + grown

    def _read(self, text: str) -> tuple[bool, list[_Sample]]:
        from prometheus_client.parser import text_string_to_metric_families

        windowed, samples = True, []
        for family in text_string_to_metric_families(text):
            # A counter's family loses its suffix in the parser, a gauge's keeps it.
            if family.name in (REQUESTS, REQUESTS.removesuffix("_total")):
                windowed = family.type != "counter"
            for sample in family.samples:
                metric = sample.name
                if metric not in (REQUESTS, *ERRORS, f"{LATENCY}_bucket"):
                    continue
                self.has_samples = True
                entity = next((name for name in self._entities if name in sample.labels.values()), None)
                if entity is None:
                    continue
                minute = None if sample.timestamp is None else float(sample.timestamp)
                bound = float(sample.labels.get("le", "0"))
                samples.append(_Sample((metric, entity, bound), float(sample.value), minute))
        return windowed, samples
