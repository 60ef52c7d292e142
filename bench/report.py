"""Figures as a table and as JSON, and whether they are what they should be."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One number, and the most that it should be; `goal` None for what is only told."""

    name: str
    value: float
    unit: str
    goal: float | None

    @property
    def met(self) -> bool:
        return self.goal is None or self.value <= self.goal

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "value": round(self.value, 4),
            "unit": self.unit,
            "goal": self.goal,
            "met": self.met,
        }


def table(figures: Sequence[Figure]) -> str:
    width = max(len(figure.name) for figure in figures)
    lines = []
    for figure in figures:
        goal = "" if figure.goal is None else f"goal {figure.goal:g} {figure.unit}: {'met' if figure.met else 'MISSED'}"
        lines.append(f"{figure.name:<{width}}  {figure.value:>9.3f} {figure.unit:<3} {goal}".rstrip())
    return "\n".join(lines) + "\n"


def published(figures: Sequence[Figure], results: Path) -> int:
    """Prints the figures and keeps them in `results`; the exit code: 1 where a goal is missed."""
    sys.stdout.write(table(figures))
    results.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()},
        "figures": [figure.as_json() for figure in figures],
    }
    results.write_text(json.dumps(content, indent=1) + "\n")
    return 0 if all(figure.met for figure in figures) else 1
