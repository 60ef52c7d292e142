"""Small plots inside a row: where a number has been, and the limit that it must not pass. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, EDGE = 160.0, 36.0, 3.0


@dataclass(frozen=True)
class Sparkline:
    """A plot in a box of WIDTH by HEIGHT."""

    path: str
    """Of the line, in SVG's words."""
    last: tuple[float, float]
    """Where it ends."""
    limit: float | None
    """Height of the limit's line, None where there is none."""
    words: str
    """What it says to who does not see it."""


def sparkline(values: Sequence[float], limit: float | None = None) -> Sparkline:
    """The plot of values in the order of time, of which there is one at least; zero and limit are in it."""
    low = min(0.0, *values, *([] if limit is None else [limit]))
    high = max(0.0, *values, *([] if limit is None else [limit]))
    span = (high - low) or 1.0

    def height(value: float) -> float:
        return round(HEIGHT - EDGE - (value - low) / span * (HEIGHT - 2 * EDGE), 1)

    step = (WIDTH - 2 * EDGE) / max(1, len(values) - 1)
    points = [(round(EDGE + number * step, 1), height(value)) for number, value in enumerate(values)]
    path = "M" + " L".join(f"{x:g} {y:g}" for x, y in points)
    words = f"{len(values)} values from {min(values):.4g} to {max(values):.4g}, the last {values[-1]:.4g}"
    if limit is not None:
        words += f", limit {limit:g}"
    return Sparkline(path, points[-1], None if limit is None else height(limit), words)
