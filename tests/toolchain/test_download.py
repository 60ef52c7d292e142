"""The official download, from a loopback server that plays the release page."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from toolchain.engine.download import download_engine
from toolchain.engine.pin import RouteError, Version
from toolchain.layout import Layout

PINNED = Version(3, 259, 0)


class Release:
    """What the release page answers: path -> content."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.files: dict[str, bytes] = {}

    def publish(self, archive: bytes, *, digest: str | None = None) -> None:
        lines = []
        for system in ("linux", "darwin"):
            for machine in ("x64", "arm64"):
                name = f"pulumi-v{PINNED}-{system}-{machine}.tar.gz"
                self.files[f"/v{PINNED}/{name}"] = archive
                lines.append(f"{digest or hashlib.sha256(archive).hexdigest()}  {name}")
        self.files[f"/v{PINNED}/pulumi-{PINNED}-checksums.txt"] = "\n".join(lines).encode()


@pytest.fixture
def release() -> Iterator[Release]:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = published.files.get(self.path)
            self.send_response(200 if content is not None else 404)
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    published = Release(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield published
    server.shutdown()
    server.server_close()


def archive(version: str, *, extra: str | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as file:
        for name in ("pulumi/pulumi", "pulumi/pulumi-language-python", *([extra] if extra else [])):
            content = f"#!/bin/sh\necho v{version}\n".encode()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            file.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def test_the_release_is_unpacked_into_the_engines_folder(bare_clone: Layout, release: Release) -> None:
    release.publish(archive("3.259.0"))
    download_engine(bare_clone, PINNED, release.address)
    assert {file.name for file in bare_clone.bin.iterdir()} == {"pulumi", "pulumi-language-python"}
    assert [path.name for path in bare_clone.local.iterdir()] == ["bin"]


@pytest.mark.parametrize(
    ("content", "digest", "expected"),
    [
        (archive("3.259.0"), "0" * 64, "checksum"),
        (archive("3.1.0"), None, r"says it is 3\.1\.0"),
        (archive("3.259.0", extra="../outside"), None, "cannot be unpacked"),
        (b"<html>blocked by the company's network</html>", None, "cannot be unpacked"),
    ],
    ids=["tampered", "other version", "writes outside", "not an archive"],
)
def test_what_is_not_the_release_is_not_used(
    bare_clone: Layout, release: Release, content: bytes, digest: str | None, expected: str
) -> None:
    release.publish(content, digest=digest)
    with pytest.raises(RouteError, match=expected):
        download_engine(bare_clone, PINNED, release.address)
    assert list(bare_clone.local.iterdir()) == []
    assert not (bare_clone.local / "outside").exists()


def test_a_release_out_of_reach_is_an_obstacle_that_names_the_address(bare_clone: Layout, release: Release) -> None:
    with pytest.raises(RouteError, match=f"out of reach.*{release.address}.*404"):
        download_engine(bare_clone, PINNED, release.address)
