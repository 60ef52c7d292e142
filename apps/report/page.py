"""The page: one file with everything in it, and the plots as PNG files beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from apps.report import charts, loop_sections, monitor_sections, serving_sections
from apps.report.facts import Facts
from apps.report.now import notes
from apps.report.sections import Section, instant, number
from apps.report.source import Asked

PAGE = "report.html"
_GOOD = ("ok", "ready", "no violation", "better")
_BAD = ("triggered", "error", "violation", "failed_registration")
_WARN = ("unknown", "no data", "held back", "not better", "not compared")


@dataclass(frozen=True)
class Tile:
    """A figure at the top of the page."""

    value: str
    says: str
    tone: str = ""


def sections_of(facts: Facts) -> list[Section]:
    """The report's parts in the order of the page."""
    return [
        serving_sections.traffic(facts),
        serving_sections.latency(facts),
        serving_sections.errors(facts),
        monitor_sections.drift(facts, of_predictions=True),
        monitor_sections.drift(facts, of_predictions=False),
        monitor_sections.performance(facts),
        monitor_sections.violations(facts),
        loop_sections.alerts(facts),
        loop_sections.decisions(facts),
        loop_sections.versions(facts),
        serving_sections.costs(facts),
    ]


def html(facts: Facts, sections: Sequence[Section], *, stack: str, warehouse: str, asked: Sequence[Asked]) -> str:
    """The whole page."""
    environment = Environment(
        loader=PackageLoader("apps.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["tone"] = tone
    drawings = {
        plot.chart.name: {
            "wide": Markup(charts.svg(plot.chart, "wide")),  # noqa: S704 - drawn here, its texts escaped there
            "narrow": Markup(charts.svg(plot.chart, "narrow")),  # noqa: S704
        }
        for section in sections
        for plot in section.plots
    }
    outputs = facts.outputs
    return environment.get_template("page.html.jinja").render(
        title=f"Report of {outputs.get('endpointName', '')}",
        style=Markup((Path(__file__).parent / "page.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        model=outputs.get("modelName", ""),
        environment=outputs.get("environment", ""),
        host=facts.host,
        days=facts.days,
        as_of=f"{instant(facts.now.value)} UTC" if facts.now.value else "unknown",
        contract=outputs.get("contractVersion", ""),
        stack=stack,
        warehouse=warehouse,
        notes=notes(facts),
        tiles=tiles(facts),
        sections=sections,
        drawings=drawings,
        asked=asked,
    )


def write(folder: Path, page: str, sections: Sequence[Section]) -> list[Path]:
    """The page and its plots as files of `folder`, which then holds no plots of an older report."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    files = [folder / PAGE]
    files[0].write_text(page, encoding="utf-8")
    for section in sections:
        for plot in section.plots:
            file = folder / f"{plot.chart.name}.png"
            file.write_bytes(charts.png(plot.chart))
            files.append(file)
    return files


def tiles(facts: Facts) -> list[Tile]:
    """The report in a few figures; a dash where there is no data."""
    rows = facts.traffic.value
    requests = sum(row["request_count"] for row in rows)
    failed = sum(row["error_count"] for row in rows)
    latest = rows[-1]["p95_latency_ms"] if rows else None
    triggered = sum(one.state == "TRIGGERED" for one in facts.alerts.value)
    beyond = monitor_sections.beyond(facts)
    windows = {one.window for one in beyond}
    trained = sum(bool(row["retrain"]) for row in facts.decisions.value)
    return [
        Tile(number(requests) if rows else "-", "requests"),
        Tile(f"{100 * failed / requests:.2f} %" if requests else "-", "of them errors", "bad" if failed else ""),
        Tile(f"{number(latest, 1)} ms" if rows else "-", "95th percentile, newest day"),
        Tile(
            f"{triggered} of {len(facts.alerts.value)}" if facts.alerts.value else "-",
            "alerts triggered",
            "bad" if triggered else "good" if facts.alerts.value else "",
        ),
        Tile(
            number(len(windows)) if facts.monitor.value else "-",
            "window beyond a limit" if len(windows) == 1 else "windows beyond a limit",
            "bad" if windows else "",
        ),
        Tile(number(trained) if facts.decisions.value else "-", "retraining" if trained == 1 else "retrainings"),
    ]


def tone(word: str) -> str:
    """What a state says, by its word: `good`, `bad`, `warn`, or nothing."""
    plain = word.lower()
    for found, words in (("good", _GOOD), ("bad", _BAD), ("warn", _WARN)):
        if plain in words:
            return found
    return ""
