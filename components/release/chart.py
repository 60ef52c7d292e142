"""A release over time as SVG: the candidate's share of the traffic, errors and latency of both versions. Pure.

Own SVG, because whoever runs `pulumi up` has no plotting library.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LEFT, RIGHT, TOP, PANEL, GAP = 880, 78, 24, 56, 132, 46
NEW_COLOUR, OLD_COLOUR, GRID, INK = "#d1495b", "#30638e", "#dde2e7", "#26323c"
_TICKS = 6


@dataclass(frozen=True)
class Sample:
    """What was known at one moment; None where there was no figure."""

    at: float
    """Seconds since the epoch."""
    percent: int
    """The candidate's share of the traffic."""
    errors: float | None = None
    stable_errors: float | None = None
    """Share of failing answers, 0 to 1."""
    latency_ms: float | None = None
    stable_latency_ms: float | None = None
    """95th percentile."""
    label: str = ""
    """Written at the moment, where something changed."""


@dataclass(frozen=True)
class _Panel:
    title: str
    lines: tuple[tuple[str, str, Callable[[Sample], float | None]], ...]
    least_top: float
    shown: Callable[[float], str]
    stepped: bool = False


_PANELS = (
    _Panel("Traffic of the new version", (("new", NEW_COLOUR, lambda s: s.percent),), 100, lambda v: f"{v:g} %", True),
    _Panel(
        "Failing answers",
        (("before", OLD_COLOUR, lambda s: s.stable_errors), ("new", NEW_COLOUR, lambda s: s.errors)),
        0.02,
        lambda v: f"{v * 100:g} %",
    ),
    _Panel(
        "Latency, 95th percentile",
        (("before", OLD_COLOUR, lambda s: s.stable_latency_ms), ("new", NEW_COLOUR, lambda s: s.latency_ms)),
        10,
        lambda v: f"{v:g} ms",
    ),
)


def chart(title: str, samples: Sequence[Sample]) -> str:
    """The whole picture. `samples` are in order, at least one."""
    began, ended = samples[0].at, max(samples[-1].at, samples[0].at + 1e-3)
    height = TOP + len(_PANELS) * (PANEL + GAP) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="{INK}">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="24" font-size="15" font-weight="600">{escape(title)}</text>',
        *_legend(),
    ]

    def x(at: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (at - began) / (ended - began)

    for number, panel in enumerate(_PANELS):
        parts += _panel(panel, samples, x, TOP + number * (PANEL + GAP))
    parts += _time_axis(began, ended, x, TOP + len(_PANELS) * (PANEL + GAP) - GAP)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: _Panel, samples: Sequence[Sample], x: Callable[[float], float], top: float) -> list[str]:
    values = [value for _, _, read in panel.lines for sample in samples if (value := read(sample)) is not None]
    highest = _round_up(max([panel.least_top, *values]))

    def y(value: float) -> float:
        return top + 20 + (PANEL - 20) * (1 - value / highest)

    parts = [f'<text x="{LEFT}" y="{top + 10}" font-weight="600">{escape(panel.title)}</text>']
    for share in (0.0, 0.5, 1.0):
        height = y(highest * share)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height:.1f}" y2="{height:.1f}" stroke="{GRID}"/>'
            f'<text x="{LEFT - 8}" y="{height + 4:.1f}" text-anchor="end">{escape(panel.shown(highest * share))}</text>'
        )
    for _, colour, read in panel.lines:
        points = [(x(sample.at), y(value)) for sample in samples if (value := read(sample)) is not None]
        parts.append(_line(points, colour, stepped=panel.stepped))
    if panel.stepped:
        parts += _labels(samples, x, y)
    if not values:
        parts.append(f'<text x="{LEFT + 12}" y="{y(highest / 2) - 4:.1f}">no figures</text>')
    return parts


def _line(points: Sequence[tuple[float, float]], colour: str, *, stepped: bool) -> str:
    if not points:
        return ""
    path = [f"M{points[0][0]:.1f},{points[0][1]:.1f}"]
    for across, down in points[1:]:
        path.append(f"H{across:.1f}V{down:.1f}" if stepped else f"L{across:.1f},{down:.1f}")
    dots = "" if stepped else "".join(f'<circle cx="{a:.1f}" cy="{d:.1f}" r="2.2" fill="{colour}"/>' for a, d in points)
    return f'<path d="{"".join(path)}" fill="none" stroke="{colour}" stroke-width="2"/>{dots}'


def _labels(samples: Sequence[Sample], x: Callable[[float], float], y: Callable[[float], float]) -> list[str]:
    """What happened, where it happened; one that would lie under the next is left out."""
    parts, free = [], float(WIDTH)
    for sample in reversed(samples):
        width = 7.0 * len(sample.label)
        place = min(x(sample.at) + 4, WIDTH - RIGHT - width)
        if not sample.label or place + width > free:
            continue
        free = place - 6
        height = y(sample.percent) + (14 if sample.percent > 80 else -5)
        parts.append(f'<text x="{place:.1f}" y="{height:.1f}" font-size="11">{escape(sample.label)}</text>')
    return parts


def _time_axis(began: float, ended: float, x: Callable[[float], float], top: float) -> list[str]:
    span = ended - began
    unit, name = (60.0, "min") if span >= 240 else (1.0, "s")
    step = _round_up(span / unit / _TICKS)
    count = int(span / unit / step + 1e-9) + 1
    return [
        f'<text x="{x(began + number * step * unit):.1f}" y="{top + 18:.1f}" text-anchor="middle">'
        f"{number * step:g} {name}</text>"
        for number in range(count)
    ]


def _legend() -> list[str]:
    parts = []
    for place, (name, colour) in enumerate((("new version", NEW_COLOUR), ("version before", OLD_COLOUR))):
        left = WIDTH - RIGHT - 220 + place * 108
        parts.append(
            f'<rect x="{left}" y="14" width="12" height="12" fill="{colour}"/>'
            f'<text x="{left + 17}" y="24">{name}</text>'
        )
    return parts


def _round_up(value: float) -> float:
    """The next 1, 2 or 5 of a power of ten."""
    power = 1e-6
    while power * 10 <= value:
        power *= 10
    return next((power * factor for factor in (1, 2, 5, 10) if power * factor >= value), value)
