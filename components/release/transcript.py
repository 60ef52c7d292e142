"""A release as people read it afterwards: one Markdown file, rewritten at every entry, and a chart beside it.

Nothing of a query's content goes into it. A driver that is killed leaves what it had written.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from .chart import Sample, chart

FOLDER_VARIABLE = "RELEASE_REPORT_DIR"


@dataclass
class Transcript:
    """Entries of one release, oldest first."""

    release: str
    title: str
    folder: Path | None
    """None writes nothing."""
    redact: Callable[[str], str] = str
    samples: list[Sample] = field(default_factory=list)
    _entries: list[tuple[float, str]] = field(default_factory=list)
    _header: list[str] = field(default_factory=list)

    @property
    def path(self) -> Path | None:
        return None if self.folder is None else self.folder / f"{self.release}.md"

    def head(self, *lines: str) -> None:
        """What was known before it began."""
        self._header.extend(lines)

    def add(self, at: float, text: str) -> None:
        """One entry, and the file with it. Raises OSError where the folder cannot be written."""
        self._entries.append((at, text))
        self.write()

    def sample(self, sample: Sample) -> None:
        self.samples.append(sample)

    def write(self) -> None:
        """The files as they stand. Raises OSError."""
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        picture = self.path.with_suffix(".svg")
        if self.samples:
            _replace(picture, chart(self.title, self.samples))
        _replace(self.path, self.redact(self.text(picture.name if self.samples else None)))

    def text(self, picture: str | None) -> str:
        began = self._entries[0][0] if self._entries else 0.0
        lines = [f"# {self.title}", "", *(f"- {line}" for line in self._header), ""]
        lines += ["| time (UTC) | after | what |", "| --- | ---: | --- |"]
        lines += [
            f"| {_moment(at)} | {_span(at - began)} | {text.replace('|', '/').replace(chr(10), '<br>')} |"
            for at, text in self._entries
        ]
        if picture is not None:
            lines += ["", f"![Split, errors and latency over time]({picture})"]
        return "\n".join(lines) + "\n"


def report_folder(declared: str | None) -> Path | None:
    """Where transcripts go: the declared folder, else the one in the environment, else nowhere."""
    named = declared or os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else None


def _replace(path: Path, text: str) -> None:
    """A reader finds the old text or the new one."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _span(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f} min {rest:.0f} s" if minutes else f"{rest:.1f} s"
