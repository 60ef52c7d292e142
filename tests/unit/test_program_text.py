"""What the programs' own text must not hold: hosts come from stack files, credentials from outside."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("components", "apps", "examples", "pipelines")
# Hosts of workspaces (Databricks documentation, "Workspace URLs"), and how tokens begin.
WORKSPACE = re.compile(
    r"[\w-]+(?:\.[\w-]+)*\.(?:cloud\.databricks\.com|azuredatabricks\.net|gcp\.databricks\.com)", re.IGNORECASE
)
TOKEN = re.compile(r"\b(?:dapi[0-9a-f]{32}|dose[0-9a-f]{32}|AKIA[0-9A-Z]{16}|gh[pousr]_\w{36}|sk-[\w-]{20,})")


def held(text: str) -> list[str]:
    return [found.group() for kind in (WORKSPACE, TOKEN) for found in kind.finditer(text)]


@pytest.mark.parametrize(
    "text", ["host = 'https://adb-1.2.azuredatabricks.net'", "dbc-1.cloud.databricks.com", f"token='dapi{'0' * 32}'"]
)
def test_a_host_or_token_would_be_seen(text: str) -> None:
    assert len(held(text)) == 1


def test_no_program_names_a_workspace_or_holds_a_token() -> None:
    files = [ROOT / "__main__.py", *(file for room in ROOMS for file in (ROOT / room).rglob("*.py"))]
    assert len(files) > 200
    named = {str(file.relative_to(ROOT)): found for file in files if (found := held(file.read_text(encoding="utf-8")))}
    assert named == {}
