"""Fetches the official release: the engine with its language hosts, checked against the release's own checksums."""

from __future__ import annotations

import hashlib
import http.client
import os
import platform
import shutil
import sys
import tarfile
import urllib.request
from pathlib import Path

from toolchain.engine.pin import RouteError, Version, executable_version
from toolchain.files import scratch_folder
from toolchain.layout import Layout
from toolchain.report import Progress

RELEASES = "https://github.com/pulumi/pulumi/releases/download"

#: A network that does not let this through usually swallows it: waiting longer would only look like a hang.
CONNECT_SECONDS = 10.0
CHUNK_BYTES = 1 << 20

MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
SYSTEMS = {"linux": "linux", "darwin": "darwin"}


def download_engine(layout: Layout, pinned: Version, releases: str = RELEASES) -> None:
    """Downloads the release archive into `layout.bin`.

    Raises:
        RouteError: no release for this platform, no way through the network, or an archive that is not what it should
        be.
    """
    system, machine = SYSTEMS.get(sys.platform), MACHINES.get(platform.machine().lower())
    if system is None or machine is None:
        raise RouteError(f"there is no official download for {sys.platform} on {platform.machine()}")
    archive = f"pulumi-v{pinned}-{system}-{machine}.tar.gz"
    with scratch_folder(layout.local, "engine") as scratch:
        try:
            sums = _fetch(f"{releases}/v{pinned}/pulumi-{pinned}-checksums.txt", scratch / "checksums").read_text()
            file = _fetch(f"{releases}/v{pinned}/{archive}", scratch / archive)
        except (OSError, http.client.HTTPException) as error:
            raise RouteError(f"the official download is out of reach ({releases}: {error})") from error
        _check(file, sums)
        try:
            with tarfile.open(file) as opened:
                opened.extractall(scratch, filter="data")
        except (tarfile.TarError, OSError) as error:
            raise RouteError(f"{archive} cannot be unpacked: {error}") from error
        unpacked = scratch / "pulumi"
        found = executable_version(unpacked / "pulumi")
        if found != pinned:
            raise RouteError(f"the downloaded engine says it is {found}, not {pinned}")
        shutil.rmtree(layout.bin, ignore_errors=True)
        os.replace(unpacked, layout.bin)


def _fetch(address: str, destination: Path) -> Path:
    progress = Progress("engine: download")
    fetched = 0
    with urllib.request.urlopen(address, timeout=CONNECT_SECONDS) as answer, destination.open("wb") as file:
        while chunk := answer.read(CHUNK_BYTES):
            file.write(chunk)
            fetched += len(chunk)
            progress.show(f"{fetched >> 20} MB")
    progress.clear()
    return destination


def _check(file: Path, sums: str) -> None:
    listed = {}
    for line in sums.splitlines():
        digest, _, name = line.strip().partition("  ")
        listed[name] = digest
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if listed.get(file.name) != digest:
        raise RouteError(
            f"the checksum of {file.name} is {digest}, but the release lists {listed.get(file.name, 'none')}; "
            "it was not used"
        )
