"""The build from Go modules, with a `go` that only pretends: what it leaves behind, whole or interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.engine import PROJECT
from tests.toolchain.conftest import executable
from toolchain.engine.choice import ensure_engine
from toolchain.engine.gobuild import build_engine
from toolchain.engine.pin import RouteError, pinned_version
from toolchain.layout import Layout
from toolchain.report import ToolchainError

SCRIPTS = {"pulumi-language-python", "pulumi-language-python-exec", "pulumi-resource-pulumi-python"}


def fake_go(folder: Path, build: str, *, go: str = "go1.99.0") -> dict[str, str]:
    """A `go` that answers what the toolchain asks. In `build`, $out is the file to be made."""
    sdk = folder / "sdk"
    for name in ("python/cmd/pulumi-language-python-exec", "python/dist/pulumi-resource-pulumi-python"):
        executable(sdk / name, "exit 0")
    executable(
        folder / "bin" / "go",
        f"""\
echo "$1" >> {folder}/calls
case "$1" in
env) echo {go} ;;
list) echo {sdk} ;;
build) out=$4
{build}
;;
esac""",
    )
    return {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "HOME": str(folder)}


def says_version(layout: Layout) -> str:
    return f"""\
printf '#!/bin/sh\\necho v{pinned_version(layout)}\\n' > "$out"
chmod +x "$out"
echo go: downloading example.com/a v1 >&2
echo example.com/a >&2"""


def test_a_build_puts_the_engine_and_its_scripts_into_place(bare_clone: Layout, tmp_path: Path) -> None:
    go = build_engine(bare_clone, fake_go(tmp_path, says_version(bare_clone)), pinned_version(bare_clone))
    assert go == "go1.99.0"
    assert {path.name for path in bare_clone.bin.iterdir()} == SCRIPTS | {"pulumi"}
    assert all(os.access(path, os.X_OK) for path in bare_clone.bin.iterdir())


def test_what_was_built_is_kept_until_the_modules_or_go_change(bare_clone: Layout, tmp_path: Path) -> None:
    def builds() -> int:
        return (tmp_path / "calls").read_text().splitlines().count("build")

    environ = fake_go(tmp_path, says_version(bare_clone))
    ensure_engine(bare_clone, environ)
    ensure_engine(bare_clone, environ)
    assert builds() == 1
    with bare_clone.go_module.open("a") as file:
        file.write("// changed\n")
    ensure_engine(bare_clone, environ)
    assert builds() == 2
    ensure_engine(bare_clone, fake_go(tmp_path, says_version(bare_clone), go="go1.99.1"))
    assert builds() == 3


def test_what_was_built_is_kept_when_go_is_gone(bare_clone: Layout, tmp_path: Path) -> None:
    built = ensure_engine(bare_clone, fake_go(tmp_path, says_version(bare_clone)))
    assert ensure_engine(bare_clone, {"PATH": "/usr/bin:/bin"}) == built


def test_a_missing_executable_is_built_again(bare_clone: Layout, tmp_path: Path) -> None:
    environ = fake_go(tmp_path, says_version(bare_clone))
    ensure_engine(bare_clone, environ).executable.unlink()
    assert os.access(ensure_engine(bare_clone, environ).executable, os.X_OK)


def test_a_failed_build_tells_the_compilers_words_and_leaves_nothing(bare_clone: Layout, tmp_path: Path) -> None:
    environ = fake_go(tmp_path, 'echo half > "$out"; echo "dial tcp: no route to host" >&2; exit 1')
    with pytest.raises(RouteError, match=r"exit code 1.*no route to host"):
        build_engine(bare_clone, environ, pinned_version(bare_clone))
    assert list(bare_clone.local.iterdir()) == []


def test_a_build_of_another_version_is_not_used(bare_clone: Layout, tmp_path: Path) -> None:
    environ = fake_go(tmp_path, 'printf "#!/bin/sh\\necho v3.1.0\\n" > "$out"; chmod +x "$out"')
    with pytest.raises(RouteError, match=r"says it is 3\.1\.0"):
        build_engine(bare_clone, environ, pinned_version(bare_clone))
    assert not bare_clone.bin.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_build_leaves_no_engine_and_the_next_one_starts_clean(
    bare_clone: Layout, tmp_path: Path, number: signal.Signals
) -> None:
    environ = fake_go(tmp_path, f'echo half > "$out"; echo $$ > {tmp_path}/building; exec sleep 600')
    script = (
        "import os, sys; from pathlib import Path; from toolchain import __main__ as command; "
        "from toolchain.layout import Layout; from toolchain.engine import ensure_engine; "
        "command.main = lambda arguments: ensure_engine(Layout(Path(arguments[0])), os.environ) and 0; command.run()"
    )
    toolchain = subprocess.Popen(
        [sys.executable, "-c", script, str(bare_clone.root)], cwd=PROJECT, env=environ, stderr=subprocess.DEVNULL
    )
    building = _content(tmp_path / "building")
    toolchain.send_signal(number)
    assert toolchain.wait(timeout=30) != 0
    assert not bare_clone.bin.exists()
    if number is signal.SIGKILL:
        # Nothing can clean up then: the compiler goes on for a while, into a folder that the next run removes.
        os.kill(int(building), signal.SIGKILL)
    else:
        assert _is_gone(int(building))
        assert not list(bare_clone.local.glob(".making-*"))
    ensure_engine(bare_clone, fake_go(tmp_path, says_version(bare_clone)))
    assert {path.name for path in bare_clone.local.iterdir()} == {"bin", "engine.json", "toolchain.lock"}


def test_a_failed_build_is_an_obstacle_that_the_user_sees(
    bare_clone: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolchain.engine.choice.download_engine", _unreachable)
    with pytest.raises(ToolchainError, match="no space left on device"):
        ensure_engine(bare_clone, fake_go(tmp_path, 'echo "no space left on device" >&2; exit 1'))


def _unreachable(*_: object) -> None:
    raise RouteError("the official download is out of reach")


def _content(file: Path) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if file.exists() and file.read_text().strip():
            return file.read_text().strip()
        time.sleep(0.02)
    raise TimeoutError(f"{file} was not written")


def _is_gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False
