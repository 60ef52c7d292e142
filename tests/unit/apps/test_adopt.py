"""What adopt says of a resource: there, not there, or not known; a refusal is never taken for "not there"."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from databricks.sdk.errors import InternalError, NotFound, PermissionDenied

from apps.ops import adopt
from apps.ops.findings import OpsError
from apps.ops.stack import StackFile

ROOT = Path(__file__).parents[3]
SERVING = "databricks:index/modelServing:ModelServing"
#: Types whose import id nobody has shown: said of each, never guessed.
NOT_LOOKED_FOR = {"DataQualityMonitor", "PostgresProject", "PostgresSyncedTable"}


def client(answer: Any) -> Any:
    """A workspace whose every look ends in `answer`, which is raised where it is an error."""

    def get(*_: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return SimpleNamespace(
        serving_endpoints=SimpleNamespace(get=get),
        vector_search_endpoints=SimpleNamespace(get_endpoint=get),
        vector_search_indexes=SimpleNamespace(get_index=get),
        lakeview=SimpleNamespace(list=lambda: [answer, answer]),
    )


@pytest.mark.parametrize(
    ("answer", "check", "verdict", "identity"),
    [
        (SimpleNamespace(name="ep"), "adopted", "pass", "ep"),
        (NotFound("no"), "left out", "pass", None),
        (PermissionDenied("you may not look Config: host=x"), "not known", "unknown", None),
        (InternalError("down"), "not known", "unknown", None),
        (TimeoutError("slow"), "not known", "unknown", None),
    ],
)
def test_only_not_there_means_that_up_makes_it(answer: Any, check: str, verdict: str, identity: str | None) -> None:
    finding, found = adopt._looked_up(client(answer), SERVING, "fares", {"name": "ep"})
    assert (finding.check, finding.verdict, found) == (check, verdict, identity)
    assert "Config:" not in finding.found
    assert bool(finding.fix) == (verdict == "unknown")


def test_two_of_one_name_are_left_to_a_person() -> None:
    there = SimpleNamespace(display_name="traffic", dashboard_id="1")
    kind = "databricks:index/dashboard:Dashboard"
    finding, found = adopt._looked_up(client(there), kind, "board", {"displayName": "traffic"})
    assert (finding.check, finding.verdict, found) == ("ambiguous", "unknown", None)


def test_a_type_that_nobody_looks_for_is_not_said_to_be_written_over() -> None:
    finding, found = adopt._looked_up(client(None), "databricks:index/volume:Volume", "files", {})
    assert (finding.check, finding.verdict, found) == ("not looked for", "unknown", None)


def test_every_type_that_a_component_makes_is_looked_for_or_named_among_those_that_are_not() -> None:
    made = {
        kind
        for folder in ("components", "examples")
        for file in (ROOT / folder).rglob("*.py")
        for kind in re.findall(r"\bdatabricks\.([A-Z]\w+)\(", file.read_text())
        if not kind.endswith("Args")
    }
    assert "ModelServing" in made
    known = {kind.rpartition(":")[2] for kind in (*adopt._LOOKUPS, *adopt._WRITTEN_OVER)}
    assert made - known == NOT_LOOKED_FOR
    page = (ROOT / "docs" / "adoption.md").read_text()
    assert all(f"`{kind}`" in page for kind in {*NOT_LOOKED_FOR, *(k.rpartition(":")[2] for k in adopt._LOOKUPS)})


@pytest.mark.parametrize(
    "says",
    [
        "echo 'no such stack' >&2",
        """echo '{"steps": [{"op": "same"}], "diagnostics": [{"severity": "error", "message": "no such stack"}]}'""",
    ],
)
def test_a_preview_that_fails_says_why_and_leaves_the_file_of_before(
    says: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    engine = tmp_path / "pulumi"
    engine.write_text(f"#!/bin/sh\n{says}\nexit 1\n")
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    before = tmp_path / "adopt.json"
    before.write_text("edited by hand")
    file = StackFile(tmp_path, "p", "s", {}, None, tmp_path / "Pulumi.s.yaml")
    with pytest.raises(OpsError, match=r"failed:\nno such stack$"):
        adopt.adopt(file, client(None), before)
    assert before.read_text() == "edited by hand"
