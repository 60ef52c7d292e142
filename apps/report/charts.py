"""Plots: one description, drawn as SVG for the page (in two widths, in colours of the page) and as PNG for elsewhere.

matplotlib draws. In the SVG text stays text, and the colours are the page's own variables, so that one drawing serves
light and dark; a phone gets a narrow drawing with letters of the same size, not a small picture of the wide one.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

import matplotlib as mpl
from matplotlib import dates as mdates
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

Kind = Literal["lines", "bars", "steps", "dots"]

MOST_SERIES: Final = 6
_MARKERS: Final = ("o", "s", "^", "D", "v", "P")
_DASHES: Final = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)))
# Stand-ins that no drawing has by itself; each becomes a variable of the page.
_PAGE: Final[Mapping[str, str]] = {
    "text": "#010101",
    "quiet": "#020202",
    "line": "#030303",
    "card": "#040404",
    "limit": "#050505",
    **{f"series-{number}": f"#0606{number:02d}" for number in range(MOST_SERIES)},
}
_PAPER: Final[Mapping[str, str]] = {
    "text": "#1b2330",
    "quiet": "#566072",
    "line": "#dde1e7",
    "card": "#ffffff",
    "limit": "#a82020",
    **dict(
        zip(
            (f"series-{number}" for number in range(MOST_SERIES)),
            ("#2f66c8", "#b9621a", "#1f7f60", "#8a3fa3", "#b02f4b", "#566072"),
            strict=True,
        )
    ),
}
_INCHES: Final = {"wide": 8.6, "narrow": 3.9}
# A wide drawing is shown smaller than a point is on paper, a narrow one larger.
_FONT_SIZES: Final = {"wide": 12.0, "narrow": 9.5}
Width = Literal["wide", "narrow"]
_Place = Literal["outside upper left", "outside lower left"]


@dataclass(frozen=True)
class Series:
    """Points of one name, in the order of time."""

    name: str
    points: Sequence[tuple[datetime, float]]


@dataclass(frozen=True)
class Limit:
    """A threshold, drawn across."""

    value: float
    says: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """What is drawn, and what it says to who does not see it."""

    name: str
    """Of the files: letters, digits and dashes."""
    title: str
    alt: str
    kind: Kind
    series: Sequence[Series]
    """At most `MOST_SERIES`."""
    unit: str = ""
    limits: Sequence[Limit] = field(default=())
    whole_numbers: bool = False
    """Whether the vertical axis counts."""
    named: bool = True
    """Whether the names of the series are shown; a single one may say what the title says."""
    instants: bool = False
    """Whether points are moments of a day, rather than days."""


def svg(chart: Chart, width: Width) -> str:
    """The drawing as an element of a page, coloured by the page's variables."""
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": f"{chart.name}-{width}"}):
        figure = _draw(chart, width, _PAGE)
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return _embedded(file.getvalue(), chart, width)


def png(chart: Chart) -> bytes:
    """The drawing on paper: wide, on white, for mails and slides."""
    # Its title is in it: on paper there is no page around it.
    figure = _draw(chart, "wide", _PAPER, legend="outside lower left")
    figure.suptitle(chart.title, x=0.01, ha="left", fontsize=_FONT_SIZES["wide"] + 1.5, color=_PAPER["text"])
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=150, facecolor=_PAPER["card"])
    return file.getvalue()


def _draw(chart: Chart, width: Width, colours: Mapping[str, str], *, legend: _Place = "outside upper left") -> Figure:
    size, columns = _FONT_SIZES[width], 3 if width == "wide" else 1
    names = [one.name for one in chart.series] if chart.named else []
    rows = -(-len(names) // columns) + (1 if chart.limits else 0)
    figure = Figure(figsize=(_INCHES[width], 2.7 + 0.024 * size * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    {"lines": _lines, "bars": _bars, "steps": _steps, "dots": _dots}[chart.kind](axes, chart, colours)
    for limit in chart.limits:
        axes.axhline(limit.value, color=colours["limit"], linewidth=1.4, linestyle=(0, (6, 3)), label=limit.says)
    _style(axes, chart, colours, size=size, ticks=7 if columns > 1 else 4)
    if names or chart.limits:
        # Beside the plot: inside it, it would cover what the plot is about.
        shown = figure.legend(loc=legend, ncols=columns, frameon=False, fontsize=size, borderaxespad=0.2)
        for text in shown.get_texts():
            text.set_color(colours["text"])
    return figure


def _lines(axes: Axes, chart: Chart, colours: Mapping[str, str]) -> None:
    for number, one in enumerate(chart.series):
        axes.plot(
            [_day(moment) for moment, _ in one.points],
            [value for _, value in one.points],
            label=one.name,
            color=colours[f"series-{number}"],
            # Not by colour alone.
            marker=_MARKERS[number],
            linestyle=_DASHES[number],
            markersize=4.5,
            linewidth=1.8,
        )


def _dots(axes: Axes, chart: Chart, colours: Mapping[str, str]) -> None:
    """Events: nothing is between them."""
    for number, one in enumerate(chart.series):
        axes.plot(
            [_day(moment) for moment, _ in one.points],
            [value for _, value in one.points],
            label=one.name,
            color=colours[f"series-{number}"],
            marker=_MARKERS[number],
            markersize=5 + 3 * number,
            # The later ones around the earlier ones, not over them.
            markerfacecolor=colours["card"] if number else colours[f"series-{number}"],
            markeredgewidth=1.8,
            linestyle="none",
            zorder=3 - number,
        )


def _bars(axes: Axes, chart: Chart, colours: Mapping[str, str]) -> None:
    moments = sorted({moment for one in chart.series for moment, _ in one.points})
    bottom = dict.fromkeys(moments, 0.0)
    for number, one in enumerate(chart.series):
        values = dict(one.points)
        axes.bar(
            [_day(moment) for moment in moments],
            [values.get(moment, 0.0) for moment in moments],
            bottom=[bottom[moment] for moment in moments],
            width=0.7,
            label=one.name,
            color=colours[f"series-{number}"],
            edgecolor=colours["card"],
            linewidth=0.8,
            hatch=("", "//", "..", "\\\\", "xx", "oo")[number],
        )
        for moment, value in one.points:
            bottom[moment] += value


def _steps(axes: Axes, chart: Chart, colours: Mapping[str, str]) -> None:
    for number, one in enumerate(chart.series):
        axes.step(
            [_day(moment) for moment, _ in one.points],
            # Side by side where they carry the same version.
            [value + 0.05 * number for _, value in one.points],
            where="post",
            label=one.name,
            color=colours[f"series-{number}"],
            marker=_MARKERS[number],
            linestyle=_DASHES[number],
            markersize=4.5,
            linewidth=1.8,
        )


def _day(moment: datetime) -> float:
    """A moment as matplotlib counts: in days."""
    return float(mdates.date2num(moment))


def _style(axes: Axes, chart: Chart, colours: Mapping[str, str], *, size: float, ticks: int) -> None:
    axes.xaxis_date()
    moments = sorted({moment for one in chart.series for moment, _ in one.points})
    days = {moment.date() for moment in moments}
    if chart.instants and len(days) < 2:
        axes.xaxis.set_major_locator(mdates.AutoDateLocator(maxticks=ticks))
        axes.xaxis.set_major_formatter(mdates.DateFormatter("%H:%M"))
    else:
        every = max(1, -(-max(1, (max(days) - min(days)).days) // (ticks - 1))) if days else 1
        axes.xaxis.set_major_locator(mdates.DayLocator(interval=every))
        axes.xaxis.set_major_formatter(mdates.DateFormatter("%d %b"))
    if len(days) < 2 and moments and not chart.instants:
        centre = _day(moments[0])
        axes.set_xlim(centre - 1.5, centre + 1.5)
    if chart.whole_numbers:
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    if chart.kind == "steps":
        highest = max((value for one in chart.series for _, value in one.points), default=1.0)
        axes.set_ylim(0.5, highest + 0.5)
    else:
        low, high = axes.get_ylim()
        axes.set_ylim(min(low, 0.0) if low < 0 else 0.0, max(high, 1.0 if chart.whole_numbers else high) * 1.05)
    axes.set_ylabel(chart.unit, fontsize=size, color=colours["quiet"])
    axes.tick_params(colors=colours["quiet"], labelsize=size, length=0)
    axes.grid(axis="y", color=colours["line"], linewidth=0.8)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(colours["line"])


def _embedded(text: str, chart: Chart, width: str) -> str:
    """The drawing without its head, its ids (a page has several drawings) and its own font."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    # It would hold for the whole page.
    text = re.sub(r"<style.*?</style>\s*", "", text, flags=re.DOTALL)
    # A reader with letters of its own, not matplotlib's.
    text = re.sub(r"font: [^;\"]*", "", text)
    text = re.sub(r"font-family: [^;\"]*;?", "", text)
    for name, stand_in in _PAGE.items():
        text = text.replace(stand_in, f"var(--{name})")
    label = f"{chart.name}-{width}"
    opening = text[: text.index(">") + 1]
    size = re.search(r'viewBox="[^"]*"', opening)
    box = size.group(0) if size else ""
    head = (
        f'<svg {box} class="plot {width}" role="img" aria-labelledby="{label}-title {label}-desc" '
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
        f'<title id="{label}-title">{_escaped(chart.title)}</title><desc id="{label}-desc">{_escaped(chart.alt)}</desc>'
    )
    return head + text[len(opening) :].strip()


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
