"""Takes the first engine that works: one on PATH, one built from the pinned Go modules, the official download."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from toolchain.engine.download import download_engine
from toolchain.engine.gobuild import build_engine, go_version
from toolchain.engine.pin import RouteError, Version, executable_version, module_digest, pinned_version
from toolchain.files import exclusive, read_record, write_record
from toolchain.layout import Layout
from toolchain.report import ToolchainError, say

Route = Literal["path", "build", "download"]


@dataclass(frozen=True)
class Engine:
    """The engine that was taken. `reason` is the line shown to the user."""

    executable: Path
    version: str
    route: Route
    reason: str


@dataclass(frozen=True)
class Candidate:
    """A `pulumi` found on PATH and the Python language host that it would use, if any."""

    executable: Path
    language_host: Path | None

    @property
    def fingerprint(self) -> list[Any]:
        stat = self.executable.stat()
        return [str(self.executable), stat.st_mtime_ns, stat.st_size, str(self.language_host)]


def find_candidate(search_path: str, own_folder: Path) -> Candidate | None:
    """The user's own `pulumi`: the first on `search_path` that is not the one this toolchain made.

    The language host counts when it lies beside the executable (links followed, as the engine does) or on the path.
    """
    folders = [part for part in search_path.split(os.pathsep) if part and Path(part).resolve() != own_folder.resolve()]
    path = os.pathsep.join(folders)
    found = shutil.which("pulumi", path=path)
    if found is None:
        return None
    executable = Path(found)
    beside = os.pathsep.join([str(executable.resolve().parent), str(executable.parent)])
    host = shutil.which("pulumi-language-python", path=beside) or shutil.which("pulumi-language-python", path=path)
    return Candidate(executable, Path(host) if host else None)


def judge_candidate(
    candidate: Candidate | None, pinned: Version, version_of: Callable[[Path], Version | None]
) -> Version:
    """The version of a `pulumi` on PATH that can be used.

    Raises:
        RouteError: it cannot, and why.
    """
    if candidate is None:
        raise RouteError("no pulumi on PATH")
    version = version_of(candidate.executable)
    if version is None:
        raise RouteError(f"{candidate.executable} does not tell its version")
    if not version.satisfies(pinned):
        raise RouteError(f"{candidate.executable} is {version}, older than the pinned {pinned.major}.{pinned.minor}")
    if candidate.language_host is None:
        raise RouteError(f"{candidate.executable} has no pulumi-language-python beside it or on PATH")
    return version


def ensure_engine(layout: Layout, environ: Mapping[str, str]) -> Engine:
    """The engine to use, made when there is none. Costs a few milliseconds when nothing has changed since the last
    time.

    Raises:
        ToolchainError: no route is open; the message names each obstacle and the remedy.
    """
    with exclusive(layout.local / "toolchain.lock"):
        candidate = find_candidate(environ.get("PATH", ""), layout.bin)
        key = {
            "modules": module_digest(layout),
            "go": go_version(environ),
            "candidate": candidate.fingerprint if candidate else None,
        }
        known = _remembered(layout, key)
        if known is not None:
            return known
        engine = _choose(layout, environ, candidate)
        say(engine.reason)
        write_record(
            _record(layout),
            {
                "key": key,
                "executable": str(engine.executable),
                "version": engine.version,
                "route": engine.route,
                "reason": engine.reason,
            },
        )
        return engine


def _choose(layout: Layout, environ: Mapping[str, str], candidate: Candidate | None) -> Engine:
    pinned = pinned_version(layout)
    obstacles = []
    try:
        version = judge_candidate(candidate, pinned, executable_version)
    except RouteError as error:
        obstacles.append(str(error))
    else:
        if candidate is not None:
            # What an earlier run built would be found first on the PATH of `make env`.
            shutil.rmtree(layout.bin, ignore_errors=True)
            reason = f"engine: pulumi {version} from PATH ({candidate.executable}), with its own Python language host"
            return Engine(candidate.executable, str(version), "path", reason)
    try:
        go = build_engine(layout, environ, pinned)
    except RouteError as error:
        obstacles.append(str(error))
    else:
        reason = f"engine: pulumi {pinned} built from toolchain/go.mod with {go}, because {_joined(obstacles)}"
        return Engine(layout.bin / "pulumi", str(pinned), "build", reason)
    try:
        download_engine(layout, pinned)
    except RouteError as error:
        obstacles.append(str(error))
    else:
        reason = f"engine: pulumi {pinned}, the official download, because {_joined(obstacles)}"
        return Engine(layout.bin / "pulumi", str(pinned), "download", reason)
    listed = "\n".join(f"  - {obstacle}" for obstacle in obstacles)
    raise ToolchainError(
        f"no Pulumi engine can be had here:\n{listed}\n"
        "Do one of these, then run the same command again:\n"
        "  - install Go (https://go.dev/dl, or your system's package `golang`) and let GOPROXY reach a module proxy\n"
        f"  - install the Pulumi CLI, {pinned.major}.{pinned.minor} or newer, and put it on PATH: "
        "https://www.pulumi.com/docs/install"
    )


def _remembered(layout: Layout, key: dict[str, Any]) -> Engine | None:
    record = read_record(_record(layout))
    noted = record.get("key", {})
    if record and key["go"] is None and record["route"] == "build":
        # Go was needed for the build only.
        noted = dict(noted, go=None)
    if noted != key or not os.access(record["executable"], os.X_OK):
        return None
    return Engine(Path(record["executable"]), record["version"], record["route"], record["reason"])


def _record(layout: Layout) -> Path:
    return layout.local / "engine.json"


def _joined(obstacles: list[str]) -> str:
    return " and ".join(obstacles)
