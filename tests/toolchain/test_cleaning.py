"""`make clean` gives a fresh clone back, and does not forget what exists on a real workspace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from toolchain.cleaning import clean
from toolchain.layout import Layout
from toolchain.report import ToolchainError


def made(root: Path, stack: str, resources: list[dict[str, str]]) -> Layout:
    layout = Layout(root)
    state = layout.state / ".pulumi" / "stacks" / "taxi" / f"{stack}.json"
    state.parent.mkdir(parents=True)
    state.write_text(json.dumps({"checkpoint": {"latest": {"resources": resources}}}))
    layout.environment.mkdir()
    (root / "kept.txt").touch()
    (root / "Pulumi.local.yaml").write_text("config: {}\nencryptionsalt: v1:x\n")
    return layout


@pytest.mark.parametrize(("stack", "resources"), [("local", [{"urn": "u"}]), ("staging", [])])
def test_what_was_made_is_removed_and_the_rest_stays(
    tmp_path: Path, stack: str, resources: list[dict[str, str]]
) -> None:
    clean(made(tmp_path, stack, resources), force=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Pulumi.local.yaml", "kept.txt"]
    assert (tmp_path / "Pulumi.local.yaml").read_text() == "config: {}\n"
    clean(Layout(tmp_path), force=False)


def test_the_only_record_of_real_resources_is_kept_unless_forced(tmp_path: Path) -> None:
    layout = made(tmp_path, "staging", [{"urn": "u"}])
    with pytest.raises(ToolchainError, match=r"taxi/staging.*make down STACK.*FORCE=1"):
        clean(layout, force=False)
    assert layout.environment.is_dir()
    clean(layout, force=True)
    assert not layout.local.exists()
