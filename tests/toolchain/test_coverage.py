"""`docs/coverage/` answers every requirement, and nothing in it has rotted: tests, files and commands are there."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "coverage"
MAKEFILE = (ROOT / "Makefile").read_text()

#: How many rows each list of requirements has; ids are numbered from 1.
COUNTS = {
    "F": 18,
    "CTX": 8,
    "S000": 54,
    "S000-X": 15,
    "S001": 111,
    "S001-X": 24,
    "S002": 49,
    "S002-X": 14,
    "S003": 89,
    "S003-X": 22,
    "S004": 51,
    "S004-X": 18,
    "XS": 10,
    "POL": 22,
    "BAR": 28,
    "ASK": 8,
}
OUTPUTS = [
    "endpointName",
    "endpointUrl",
    "servedEntities",
    "modelName",
    "modelAlias",
    "resolvedVersion",
    "previousVersion",
    "payloadTable",
    "onlineStoreName",
    "onlineTableNames",
    "onlineTableStates",
    "monitorTable",
    "profileMetricsTable",
    "driftMetricsTable",
    "dashboardId",
    "jobIds",
    "alertIds",
    "smokeResult",
    "secretPrefixes",
]
SMOKE_INPUTS = [
    "endpointName",
    "payload",
    "expectStatus",
    "minPredictions",
    "requiredFields",
    "timeoutSeconds",
    "initialDelaySeconds",
    "retries",
    "maxLatencyMs",
    "triggers",
    "onFailure",
]

_QUOTED = re.compile(r"`([^`]+)`")
_PAGE = re.compile(r"`([^`]+\.(?:md|yaml|yml))` \"([^\"]+)\"")
_EXCUSE = re.compile(r"\b(?:F-\d\d|S\d{3}-X\d\d|X\d\d)\b|needs an account")


_COLLECT = r"""
import json, pytest

class Seen:
    found = []

    def pytest_collection_finish(self, session):
        never = {"skip", "skipif", "xfail"}
        self.found = [(one.nodeid, any(mark.name in never for mark in one.iter_markers())) for one in session.items]

seen = Seen()
code = pytest.main(["--collect-only", "-qq", "-p", "no:cacheprovider", "tests"], plugins=[seen])
print("\n" + json.dumps([int(code), seen.found]))
"""


@dataclass(frozen=True)
class Row:
    """One line of a coverage table."""

    id: str
    asks: str
    met_in: str
    checked_by: str
    instead: str

    @property
    def tests(self) -> list[str]:
        return [f"tests/{one}" for one in _QUOTED.findall(self.checked_by) if ".py::" in one]

    @property
    def commands(self) -> list[str]:
        return [one for one in _QUOTED.findall(self.checked_by) if one.startswith(("make ", "python -m "))]

    @property
    def pages(self) -> list[tuple[str, str]]:
        return _PAGE.findall(self.checked_by)

    @property
    def files(self) -> list[str]:
        return [one.partition(" ")[0] for one in _QUOTED.findall(self.met_in)]


def numbered(prefix: str, count: int) -> list[str]:
    joint = "" if prefix.endswith("-X") else "-"
    return [f"{prefix}{joint}{number:02d}" for number in range(1, count + 1)]


def wanted() -> list[str]:
    ids = [one for prefix, count in COUNTS.items() for one in numbered(prefix, count)]
    return [*ids, *(f"OUT-{name}" for name in OUTPUTS), *(f"SMOKE-{name}" for name in SMOKE_INPUTS)]


def rows() -> Iterator[Row]:
    for page in sorted(PAGES.glob("*.md")):
        for line in page.read_text().splitlines():
            if not line.startswith("| ") or line.startswith(("| id ", "| ---")):
                continue
            cells = [cell.strip() for cell in line.strip()[1:-1].split("|")]
            assert len(cells) == 5, f"{page.name}: {len(cells)} cells instead of 5: {line[:120]}"
            yield Row(*cells)


@functools.cache
def collected() -> dict[str, tuple[bool, int]]:
    """Every test that pytest collects, with and without its parameters: whether a case of it would be skipped, and how
    many cases it has.
    """
    done = subprocess.run([sys.executable, "-c", _COLLECT], cwd=ROOT, capture_output=True, text=True, timeout=300)
    code, found = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stdout[-2000:]
    tests: dict[str, tuple[bool, int]] = {}
    for node, skipped in found:
        for name in {node, node.partition("[")[0]}:
            before, count = tests.get(name, (False, 0))
            tests[name] = (before or skipped, count + 1)
    return tests


def test_every_requirement_has_exactly_one_row_and_every_row_a_requirement() -> None:
    found = [row.id for row in rows()]
    assert [one for one in wanted() if one not in found] == []
    assert [one for one in found if one not in wanted()] == []
    assert sorted({one for one in found if found.count(one) > 1}) == []


def test_every_row_says_what_is_asked_in_words_and_has_a_check_or_an_excuse_that_counts() -> None:
    silent = [row.id for row in rows() if not row.asks]
    unchecked = [row.id for row in rows() if not (row.tests or row.commands or row.pages or row.instead)]
    without_place = [row.id for row in rows() if not row.files and not row.instead]
    excused_by_nothing = [row.id for row in rows() if row.instead and not _EXCUSE.search(row.instead)]
    assert (silent, unchecked, without_place, excused_by_nothing) == ([], [], [], [])


def test_every_test_that_is_cited_is_collected_and_not_skipped() -> None:
    tests = collected()
    cited = {(row.id, test) for row in rows() for test in row.tests}
    assert cited
    assert sorted(one for one in cited if one[1] not in tests) == []
    assert sorted(one for one in cited if tests.get(one[1], (False, 0))[0]) == []


def test_every_file_page_and_command_that_is_cited_is_there() -> None:
    missing = [(row.id, file) for row in rows() for file in row.files if not (ROOT / file).exists()]
    unsaid = [
        (row.id, page, words)
        for row in rows()
        for page, words in row.pages
        if not (ROOT / page).is_file() or words not in re.sub(r"\s+", " ", (ROOT / page).read_text())
    ]
    unknown = [(row.id, command) for row in rows() for command in row.commands if not _is_there(command)]
    assert (missing, unsaid, unknown) == ([], [], [])


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("| S000-01 | a | `components/cost.py` | `unit/test_cost.py::test_of_nobody` | |", "collected"),
        ("| S000-01 | a | `components/of_nobody.py` | `make up` | |", "there"),
        ("| S000-01 | a | `components/cost.py` | `make nothing` | |", "there"),
        ('| S000-01 | a | `components/cost.py` | `README.md` "words that stand nowhere" | |', "there"),
        ("| S000-01 | a | `components/cost.py` | | |", "check"),
        ("| S000-01 | a | | | we did not feel like it |", "check"),
        ("| S000-99 | a | `components/cost.py` | `make up` | |", "requirement"),
    ],
)
def test_a_row_that_has_rotted_is_noticed(
    line: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "page.md").write_text(f"| id | asks | met in | checked by | instead |\n| --- |\n{line}\n")
    monkeypatch.setattr(sys.modules[__name__], "PAGES", tmp_path)
    check = {
        "collected": test_every_test_that_is_cited_is_collected_and_not_skipped,
        "there": test_every_file_page_and_command_that_is_cited_is_there,
        "check": test_every_row_says_what_is_asked_in_words_and_has_a_check_or_an_excuse_that_counts,
        "requirement": test_every_requirement_has_exactly_one_row_and_every_row_a_requirement,
    }[says]
    with pytest.raises(AssertionError):
        check()


def _is_there(command: str) -> bool:
    """A target of the Makefile, or a module that can be run."""
    words = command.split()
    if words[0] == "make":
        targets = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
        return targets is not None and words[1] in targets[1].split()
    path = ROOT / words[2].replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()
