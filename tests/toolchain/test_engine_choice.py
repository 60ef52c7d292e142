"""Which engine is taken, and that it is looked for once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.toolchain.conftest import executable
from toolchain.engine import choice
from toolchain.engine.choice import Engine, ensure_engine, find_candidate, judge_candidate
from toolchain.engine.pin import RouteError, Version, executable_version, pinned_version
from toolchain.layout import Layout, project_layout
from toolchain.report import ToolchainError

PINNED = Version(3, 259, 0)


def pulumi_in(folder: Path, version: str, *, language_host: bool = True) -> Path:
    if language_host:
        executable(folder / "pulumi-language-python", "exit 0")
    return executable(folder / "pulumi", f"echo {version}")


@pytest.mark.parametrize(
    ("version", "satisfies"),
    [
        ("v3.259.0", True),
        ("v3.259.4", True),
        ("v3.260.0", True),
        ("v3.258.9", False),
        ("v4.0.0", False),
        ("v2.300.0", False),
    ],
)
def test_an_engine_on_path_is_taken_from_the_pinned_minor_version_on(
    tmp_path: Path, version: str, satisfies: bool
) -> None:
    pulumi_in(tmp_path / "bin", version)
    candidate = find_candidate(str(tmp_path / "bin"), tmp_path / "own")
    if satisfies:
        assert judge_candidate(candidate, PINNED, executable_version) == Version.parse(version)
    else:
        with pytest.raises(RouteError, match=r"older than the pinned 3\.259|is 4\.0\.0"):
            judge_candidate(candidate, PINNED, executable_version)


def test_an_engine_without_a_python_language_host_is_refused(tmp_path: Path) -> None:
    pulumi_in(tmp_path / "bin", "v3.259.0", language_host=False)
    candidate = find_candidate(str(tmp_path / "bin"), tmp_path / "own")
    with pytest.raises(RouteError, match="no pulumi-language-python beside it or on PATH"):
        judge_candidate(candidate, PINNED, executable_version)


def test_the_language_host_may_lie_beside_the_real_file_behind_a_link(tmp_path: Path) -> None:
    real = pulumi_in(tmp_path / "opt", "v3.259.0")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "pulumi").symlink_to(real)
    candidate = find_candidate(str(tmp_path / "bin"), tmp_path / "own")
    assert candidate is not None
    assert candidate.language_host == tmp_path / "opt" / "pulumi-language-python"


def test_the_engine_made_here_is_not_mistaken_for_the_users(tmp_path: Path) -> None:
    pulumi_in(tmp_path / "own", "v3.259.0")
    assert find_candidate(f"{tmp_path / 'own'}{os.pathsep}{tmp_path / 'none'}", tmp_path / "own") is None


def test_an_engine_that_does_not_tell_its_version_is_refused(tmp_path: Path) -> None:
    executable(tmp_path / "bin" / "pulumi", "exit 3")
    candidate = find_candidate(str(tmp_path / "bin"), tmp_path / "own")
    with pytest.raises(RouteError, match="does not tell its version"):
        judge_candidate(candidate, PINNED, executable_version)


def test_a_fitting_engine_on_path_is_used_and_what_was_built_makes_way(
    bare_clone: Layout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    version = pinned_version(project_layout())
    found = pulumi_in(tmp_path / "bin", f"v{version}")
    executable(bare_clone.bin / "pulumi-language-python", "exit 1")
    engine = ensure_engine(bare_clone, {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"})
    assert (engine.executable, engine.route) == (found, "path")
    assert not bare_clone.bin.exists()
    assert capsys.readouterr().err.splitlines() == [engine.reason]


def test_the_second_time_nothing_is_done_and_nothing_is_said(
    bare_clone: Layout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environ = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}
    calls = tmp_path / "calls"
    version = pinned_version(bare_clone)
    pulumi_in(tmp_path / "bin", f"v{version}; echo called >> {calls}")
    first = ensure_engine(bare_clone, environ)
    capsys.readouterr()
    assert ensure_engine(bare_clone, environ) == first
    assert calls.read_text() == "called\n"
    assert capsys.readouterr().err == ""


def test_a_changed_engine_on_path_is_judged_again(bare_clone: Layout, tmp_path: Path) -> None:
    environ = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}
    pulumi_in(tmp_path / "bin", f"v{pinned_version(bare_clone)}")
    ensure_engine(bare_clone, environ)
    newer = pulumi_in(tmp_path / "bin", "v3.999.0  # newer")
    assert ensure_engine(bare_clone, environ) == Engine(
        newer, "3.999.0", "path", f"engine: pulumi 3.999.0 from PATH ({newer}), with its own Python language host"
    )


def test_without_any_route_the_error_names_each_obstacle_and_the_remedy(
    bare_clone: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_reach(layout: Layout, pinned: Version) -> None:
        raise RouteError("the official download is out of reach")

    monkeypatch.setattr(choice, "download_engine", out_of_reach)
    with pytest.raises(ToolchainError) as raised:
        ensure_engine(bare_clone, {"PATH": str(tmp_path / "nothing")})
    message = str(raised.value)
    for part in ("no pulumi on PATH", "no working Go on PATH", "out of reach", "install Go", "install the Pulumi CLI"):
        assert part in message
    assert not (bare_clone.local / "engine.json").exists()
