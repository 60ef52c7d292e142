"""What goes into the workspace beside notebooks: all that they import, and nothing else."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from components.job_code import code_files, imported_files
from examples.churn import drift
from examples.taxi_e2e import jobs
from examples.titanic import workflow
from tests.unit.recording import record

PIPELINES = Path(__file__).parents[2] / "pipelines"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package `work` with modules that import each other in every way, and one that nobody imports."""
    files = {
        "__init__.py": "",
        "notebook.py": "# Databricks notebook source\n# MAGIC %pip install x\nfrom work.steps import fit\n",
        "steps/__init__.py": "",
        "steps/fit.py": "import json\nimport work.tables\n\ndef go():\n    from work.steps.late import LIMIT\n",
        "steps/late.py": "from work.errors import WorkError\nLIMIT = 1\n",
        "tables.py": "TABLE = 't'\n",
        "errors.py": "class WorkError(Exception): ...\n",
        "other.py": "",
        "steps/rows.sql": "SELECT 1",
    }
    for name, text in files.items():
        (tmp_path / "work" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "work" / name).write_text(text)
    return tmp_path / "work"


def test_modules_are_found_however_they_are_imported_and_no_others(package: Path) -> None:
    found = imported_files([package / "notebook.py"], package)
    assert [path.relative_to(package).as_posix() for path in found] == [
        *("__init__.py", "errors.py", "steps/__init__.py", "steps/fit.py", "steps/late.py", "tables.py")
    ]


def test_they_are_files_beside_the_notebooks_with_the_data_that_they_read(package: Path) -> None:
    (package / "notebook.py").write_text("from work import tables")
    recorded = record(
        lambda: code_files(
            [package / "notebook.py"],
            package,
            "/Workspace/jobs",
            data=["steps/*.sql"],
            more={"ca.pem": b"CERTIFICATE"},
            prefix="batch",
        )
    )
    files = {one.name: one.inputs for one in recorded.resources}
    assert set(files) == {"batch-__init__.py", "batch-tables.py", "batch-steps/rows.sql", "batch-ca.pem"}
    assert files["batch-steps/rows.sql"]["path"] == "/Workspace/jobs/work/steps/rows.sql"
    assert base64.b64decode(files["batch-ca.pem"]["contentBase64"]) == b"CERTIFICATE"


def test_a_notebook_that_is_no_python_is_named(package: Path) -> None:
    (package / "notebook.py").write_text("from work import (")
    with pytest.raises(SyntaxError):
        imported_files([package / "notebook.py"], package)


@pytest.mark.parametrize(
    ("room", "data"),
    [("churn", drift.DATA), ("batch_scoring", ()), ("titanic", workflow.DATA), ("taxi_e2e", jobs.DATA)],
)
def test_what_the_notebooks_of_a_pipeline_import_can_be_imported_from_the_copies_alone(
    room: str, data: Sequence[str], tmp_path: Path
) -> None:
    files = imported_files((PIPELINES / room / "notebooks").glob("*.py"), PIPELINES)
    names = [path.relative_to(PIPELINES) for path in files]
    for name in (*names, *(path.relative_to(PIPELINES) for pattern in data for path in PIPELINES.glob(pattern))):
        (tmp_path / "pipelines" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pipelines" / name).write_bytes((PIPELINES / name).read_bytes())
    modules = [".".join(("pipelines", *name.with_suffix("").parts)).removesuffix(".__init__") for name in names]
    # From there alone: nothing of this clone is on its path.
    done = subprocess.run(
        [sys.executable, "-c", f"import {', '.join(modules)}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
