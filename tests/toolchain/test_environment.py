"""Which packages the environment has: what everybody needs, and Spark for those who ask for it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from toolchain import bootstrap


@pytest.fixture
def synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Commands that would have made the environment."""
    commands: list[list[str]] = []

    def run(command: list[str], _environ: dict[str, str]) -> int:
        commands.append([word for word in command if word.startswith("--group")])
        return 0

    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    monkeypatch.setattr(bootstrap, "ENVIRONMENT", tmp_path)
    monkeypatch.setattr(bootstrap, "STAMP", tmp_path / ".made-from")
    monkeypatch.setattr(bootstrap, "get_uv", lambda: Path("uv"))
    monkeypatch.setattr(bootstrap, "_run_uv", run)
    return commands


def test_spark_comes_when_it_is_asked_for_and_stays(synced: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    bootstrap.make_environment()
    bootstrap.make_environment()
    bootstrap.make_environment(("spark",))
    # Whoever needs less finds it there, and nothing is made again.
    bootstrap.make_environment()
    bootstrap.make_environment(("spark",))
    assert synced == [[], ["--group=spark"]]
    # Another lock file makes all of it again.
    monkeypatch.setattr(bootstrap, "fingerprint", lambda: "another")
    bootstrap.make_environment()
    assert synced[2:] == [["--group=spark"]]


def test_an_environment_of_before_groups_is_known_by_its_stamp(synced: list[list[str]]) -> None:
    bootstrap.STAMP.write_text(bootstrap.fingerprint(), encoding="utf-8")
    bootstrap.make_environment()
    assert synced == []


def test_the_groups_are_there_and_none_of_them_is_everybodys() -> None:
    project = tomllib.loads((bootstrap.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = {group for groups in bootstrap.MORE_GROUPS.values() for group in groups}
    assert asked == {"spark"}
    assert asked <= set(project["dependency-groups"])
    assert not asked & set(project["tool"]["uv"]["default-groups"])
