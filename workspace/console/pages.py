"""Templates to pages: how times, durations and names are written, and the headers that keep a page to itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from workspace.console.sections.tone import tone

HEADERS = {
    # Scripts and styles are the console's own files; nothing is inline, nothing comes from elsewhere.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    # "no-referrer" would make a browser send its own forms with the origin "null".
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_PIECES = re.compile(r"[^./_]+[./_]*|[./_]+")


class Pages:
    """The console's templates."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=PackageLoader("workspace.console"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        filters = {
            "tone": tone,
            "age": age,
            "span": span,
            "ms": milliseconds,
            "number": number,
            "fixed": lambda value: f"{value:.4f}",
            "breakable": breakable,
            "utc": utc,
        }
        self._environment.filters.update(filters)

    def page(self, template: str, context: Mapping[str, Any], status: int = 200) -> HTMLResponse:
        text = self._environment.get_template(template).render(context)
        return HTMLResponse(text, status_code=status, headers=HEADERS)


def span(seconds: float) -> str:
    """A length of time in its two largest units: `2 d 3 h`, `5 min`, `12 s`."""
    left = int(seconds)
    parts = []
    for name, size in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"


def age(time_ms: float, now_ms: float) -> Markup:
    """How long ago, with the exact time in UTC to be read by a machine, or by who points at it."""
    moment = datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    seconds = (now_ms - time_ms) / 1000
    # One unit is enough to tell old from new; what lies ahead is a clock that was moved since.
    text = "now" if seconds < 1 else f"{_largest(seconds)} ago"
    return Markup('<time datetime="{0}" title="{0}">{1}</time>').format(moment, text)


def utc(time_ms: float) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def milliseconds(value: float) -> str:
    """A duration with three digits at most: `0.8 ms`, `12 ms`, `1.4 s`."""
    if value >= 10_000:
        return span(value / 1000)
    if value >= 1000:
        return f"{value / 1000:.1f} s"
    return f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"


def number(value: float) -> str:
    """Without the decimals that a whole number does not need."""
    return f"{value:g}" if abs(value) < 1_000_000 else f"{value:.0f}"


def breakable(name: str) -> Markup:
    """A long name or path that may break after its dots, slashes and underscores."""
    return Markup("<wbr>").join(_PIECES.findall(name))


def _largest(seconds: float) -> str:
    return " ".join(span(seconds).split()[:2])
