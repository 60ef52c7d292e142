"""Builds the engine from the Go modules that `toolchain/go.mod` pins."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path

from toolchain.engine.pin import PACKAGE, RouteError, Version, executable_version
from toolchain.engine.scripts import install_scripts
from toolchain.files import scratch_folder
from toolchain.layout import Layout
from toolchain.report import Progress, duration, say

COMMAND = f"{PACKAGE}/cmd/pulumi"
SDK_MODULE = "github.com/pulumi/pulumi/sdk/v3"
VERSION_VARIABLE = f"{SDK_MODULE}/go/common/version.Version"

#: What a failed build shows of the compiler's or the module proxy's words.
SHOWN_LINES = 5


def go_version(environ: Mapping[str, str]) -> str | None:
    """Such as `go1.26.8`, or None when there is no working Go on PATH."""
    go = shutil.which("go", path=environ.get("PATH", ""))
    if go is None:
        return None
    try:
        done = subprocess.run(
            [go, "env", "GOVERSION"], capture_output=True, text=True, timeout=60, check=True, env=dict(environ)
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def build_engine(layout: Layout, environ: Mapping[str, str], pinned: Version) -> str:
    """Builds `pulumi` and puts it, with its scripts, into `layout.bin`. The executable arrives last and whole.

    Returns:
        The version of Go that built it.

    Raises:
        RouteError: there is no Go, or it cannot build this.
    """
    version = go_version(environ)
    go = shutil.which("go", path=environ.get("PATH", ""))
    if go is None or version is None:
        raise RouteError("no working Go on PATH")
    say(f"engine: building pulumi {pinned} with {version}; a first build takes 4 to 10 minutes")
    with scratch_folder(layout.local, "engine") as scratch:
        executable = scratch / "pulumi"
        flags = f"-s -w -X {VERSION_VARIABLE}=v{pinned}"
        _run_build([go, "build", "-v", "-o", str(executable), "-ldflags", flags, COMMAND], layout, environ)
        built = executable_version(executable)
        if built != pinned:
            raise RouteError(f"the built engine says it is {built}, not {pinned}")
        try:
            install_scripts(_sdk_module(go, layout, environ), layout.bin)
        except OSError as error:
            raise RouteError(f"the scripts of {SDK_MODULE} could not be installed: {error}") from error
        os.replace(executable, layout.bin / "pulumi")
    return version


def _run_build(command: list[str], layout: Layout, environ: Mapping[str, str]) -> None:
    progress = Progress("engine: go build")
    child = subprocess.Popen(
        command,
        cwd=layout.go_module.parent,
        env=dict(environ, GOWORK="off"),
        stderr=subprocess.PIPE,
        text=True,
        # A group of its own: an interruption ends the compilers too, not only `go`.
        process_group=0,
    )
    try:
        with child:
            last_words = _follow(child.stderr or (), progress)
    except BaseException:
        os.killpg(child.pid, signal.SIGKILL)
        raise
    finally:
        progress.clear()
    if child.returncode:
        raise RouteError(f"`go build` failed (exit code {child.returncode}): {' | '.join(last_words)}")
    say(f"engine: go build took {duration(progress.elapsed)}")


def _follow(lines: Iterable[str], progress: Progress) -> list[str]:
    """Counts what `go build -v` reports and returns its last lines that are neither a download nor a package."""
    modules = packages = 0
    other: deque[str] = deque(maxlen=SHOWN_LINES)
    for line in lines:
        text = line.strip()
        if text.startswith("go: downloading "):
            modules += 1
        elif text and " " not in text:
            packages += 1
        elif text:
            other.append(text)
        progress.show(f"{modules} modules downloaded, {packages} packages compiled")
    return list(other)


def _sdk_module(go: str, layout: Layout, environ: Mapping[str, str]) -> Path:
    done = subprocess.run(
        [go, "list", "-m", "-f", "{{.Dir}}", SDK_MODULE],
        cwd=layout.go_module.parent,
        env=dict(environ, GOWORK="off"),
        capture_output=True,
        text=True,
        check=False,
    )
    folder = done.stdout.strip()
    if done.returncode or not folder:
        raise RouteError(f"`go list` does not find {SDK_MODULE}: {done.stderr.strip()}")
    return Path(folder)
