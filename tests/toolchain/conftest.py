"""A clone of its own for each test, with the engine of this one where a test runs it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.engine import PROJECT, engine_binary
from toolchain.layout import Layout


def executable(path: Path, script: str) -> Path:
    """A shell script at `path` that can be run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bare_clone(tmp_path: Path) -> Layout:
    """What git would give: the modules' pins, and nothing made yet."""
    toolchain = tmp_path / "clone" / "toolchain"
    toolchain.mkdir(parents=True)
    for name in ("go.mod", "go.sum"):
        shutil.copy2(PROJECT / "toolchain" / name, toolchain)
    return Layout(tmp_path / "clone")


@pytest.fixture
def ready_clone(bare_clone: Layout) -> Layout:
    """A clone in which everything has been made already: links to what is here."""
    real = Layout(PROJECT)
    engine_binary()
    bare_clone.environment.symlink_to(real.environment)
    bare_clone.local.mkdir()
    for name in ("engine.json", "plugin.json"):
        shutil.copy2(real.local / name, bare_clone.local)
    if real.bin.is_dir():
        bare_clone.bin.symlink_to(real.bin)
    (bare_clone.pulumi_home / "plugins").mkdir(parents=True)
    for plugin in (real.pulumi_home / "plugins").glob("resource-*"):
        (bare_clone.pulumi_home / "plugins" / plugin.name).symlink_to(plugin)
    return bare_clone
