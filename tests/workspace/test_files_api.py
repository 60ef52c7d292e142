"""The Files API, by databricks-sdk and by plain HTTP."""

from __future__ import annotations

import io
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.errors import AlreadyExists, BadRequest, InvalidParameterValue, NotFound
from databricks.sdk.service.catalog import VolumeType

from tests.support.server import WorkspaceServer

ROOT = "/Volumes/files_test/s/v"


def make_volume(client: WorkspaceClient) -> None:
    """The volume below which the files of these tests are."""
    client.catalogs.create("files_test")
    client.schemas.create("s", "files_test")
    client.volumes.create("files_test", "s", "v", VolumeType.MANAGED)


@pytest.fixture(scope="module", autouse=True)
def volume(client: WorkspaceClient) -> None:
    make_volume(client)


def put(client: WorkspaceClient, path: str, data: bytes, *, overwrite: bool = False) -> None:
    client.files.upload(path, io.BytesIO(data), overwrite=overwrite)


def get(client: WorkspaceClient, path: str) -> bytes:
    contents = client.files.download(path).contents
    assert contents is not None
    return contents.read()


def signed(client: WorkspaceClient, operation: str, path: str) -> str:
    answer: Any = client.api_client.do("POST", f"/api/2.0/fs/create-{operation}-url", body={"path": path})
    return str(answer["url"])


def test_what_is_uploaded_is_what_is_downloaded(client: WorkspaceClient) -> None:
    data = bytes(range(256)) * 5000
    put(client, f"{ROOT}/same/deep/er/a file+ü.bin", data)
    assert get(client, f"{ROOT}/same/deep/er/a file+ü.bin") == data
    assert client.files.get_metadata(f"{ROOT}/same/deep/er/a file+ü.bin").content_length == len(data)


def test_a_file_is_replaced_only_when_asked(client: WorkspaceClient) -> None:
    put(client, f"{ROOT}/replace.txt", b"one")
    with pytest.raises(AlreadyExists, match=r"replace\.txt"):
        put(client, f"{ROOT}/replace.txt", b"two")
    assert get(client, f"{ROOT}/replace.txt") == b"one"
    put(client, f"{ROOT}/replace.txt", b"two", overwrite=True)
    assert get(client, f"{ROOT}/replace.txt") == b"two"


def test_a_listing_has_every_entry_once_over_its_pages(client: WorkspaceClient) -> None:
    names = [f"f{number}" for number in range(5)] + ["folder"]
    for name in names[:-1]:
        put(client, f"{ROOT}/pages/{name}", name.encode() * 3)
    client.files.create_directory(f"{ROOT}/pages/folder")
    listed = list(client.files.list_directory_contents(f"{ROOT}/pages", page_size=2))
    assert [entry.name for entry in listed] == names
    assert [entry.is_directory for entry in listed] == [False] * 5 + [True]
    assert listed[0].path == f"{ROOT}/pages/f0"
    assert listed[0].file_size == 6


def test_a_directory_is_deleted_only_when_it_is_empty(client: WorkspaceClient) -> None:
    put(client, f"{ROOT}/full/x", b"x")
    with pytest.raises(BadRequest, match="not empty"):
        client.files.delete_directory(f"{ROOT}/full")
    client.files.delete(f"{ROOT}/full/x")
    client.files.delete_directory(f"{ROOT}/full")
    with pytest.raises(NotFound):
        client.files.get_directory_metadata(f"{ROOT}/full")


@pytest.mark.parametrize("act", ["download", "delete", "get_metadata", "list_directory_contents"])
def test_a_path_that_is_not_there_is_not_found(client: WorkspaceClient, act: str) -> None:
    with pytest.raises(NotFound):
        list(getattr(client.files, act)(f"{ROOT}/absent") or [])


@pytest.mark.parametrize(
    "path",
    [
        "Volumes/c/s/v/%2e%2e/%2e%2e/%2e%2e/%2e%2e/token",
        "Volumes/c/..%2f..%2f..%2ftoken",
        "%2e%2e/token",
        ".incoming/x",
        "etc/passwd",
        "Volumes/c/s/v/a%00b",
        "Volumes/c//s/v",
        "Volumes/c/s/v/" + "n" * 256,
    ],
)
def test_a_path_that_is_no_plain_descent_is_refused(server: WorkspaceServer, path: str) -> None:
    before = server.token
    for method in ("GET", "PUT", "DELETE"):
        request = f"{method} /api/2.0/fs/files/{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {before}\r\n"
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall((request + "Content-Length: 1\r\nConnection: close\r\n\r\nx").encode())
            assert b" 400 " in connection.recv(65536).split(b"\r\n")[0]
    assert server.token == before


def test_a_presigned_url_needs_no_token_and_serves_both_ways(client: WorkspaceClient) -> None:
    assert httpx.put(signed(client, "upload", f"{ROOT}/signed.txt"), content=b"signed").status_code == 204
    assert httpx.get(signed(client, "download", f"{ROOT}/signed.txt")).content == b"signed"
    by_query: Any = client.api_client.do(
        "POST",
        "/api/2.0/fs/create-download-url",
        query={"path": f"{ROOT}/signed.txt", "expire_time": "2100-01-01T00:00:00Z"},
    )
    assert httpx.get(by_query["url"]).content == b"signed"


def test_a_presigned_url_serves_for_nothing_that_it_was_not_signed_for(client: WorkspaceClient) -> None:
    put(client, f"{ROOT}/mine.txt", b"mine", overwrite=True)
    put(client, f"{ROOT}/other.txt", b"other", overwrite=True)
    url = signed(client, "download", f"{ROOT}/mine.txt")
    expires = parse_qs(urlsplit(url).query)["expires"][0]
    forged = [
        ("GET", url.replace("mine.txt", "other.txt")),
        ("PUT", url),
        ("GET", url.replace(f"expires={expires}", f"expires={int(expires) + 60}")),
        ("GET", url.split("?")[0]),
    ]
    for method, target in forged:
        assert httpx.request(method, target).status_code == 403, (method, target)
    assert get(client, f"{ROOT}/mine.txt") == b"mine"


def test_a_presigned_url_expires(client: WorkspaceClient) -> None:
    put(client, f"{ROOT}/soon.txt", b"x", overwrite=True)
    expired: Any = client.api_client.do(
        "POST",
        "/api/2.0/fs/create-download-url",
        body={"path": f"{ROOT}/soon.txt", "expire_time": "2020-01-01T00:00:00Z"},
    )
    answer = httpx.get(expired["url"])
    assert answer.status_code == 403
    assert "expired" in answer.json()["message"]


def test_an_upload_in_parts_is_joined_in_order(server: WorkspaceServer) -> None:
    config = Config(host=server.host, token=server.token, auth_type="pat")
    config.files_ext_multipart_upload_min_stream_size = 100_000
    client = WorkspaceClient(config=config)
    data = b"".join(number.to_bytes(4, "big") for number in range(500_000))
    client.files.upload(f"{ROOT}/parts.bin", io.BytesIO(data), part_size=300_000, overwrite=True)
    assert get(client, f"{ROOT}/parts.bin") == data
    log: Any = client.api_client.do("GET", "/_workspace/requests")
    parts = [entry for entry in log["requests"] if entry["method"] == "PUT" and entry["path"].endswith("parts.bin")]
    assert len(parts) == 7


def test_an_abandoned_upload_in_parts_cannot_be_completed(client: WorkspaceClient) -> None:
    path = f"{ROOT}/abandoned.bin"
    started: Any = client.api_client.do("POST", f"/api/2.0/fs/files{path}", query={"action": "initiate-upload"})
    token = started["multipart_upload"]["session_token"]
    body = {"path": path, "session_token": token}
    part: Any = client.api_client.do(
        "POST", "/api/2.0/fs/create-upload-part-urls", body=body | {"start_part_number": 1, "count": 1}
    )
    etag = httpx.put(part["upload_part_urls"][0]["url"], content=b"part").headers["etag"]
    abort: Any = client.api_client.do("POST", "/api/2.0/fs/create-abort-upload-url", body=body)
    assert httpx.delete(abort["abort_upload_url"]["url"]).status_code == 204
    query = {"action": "complete-upload", "upload_type": "multipart", "session_token": token}
    with pytest.raises(NotFound, match="no open upload"):
        client.api_client.do(
            "POST", f"/api/2.0/fs/files{path}", query=query, body={"parts": [{"part_number": 1, "etag": etag}]}
        )
    with pytest.raises(NotFound):
        get(client, path)


def test_an_upload_that_breaks_off_leaves_the_file_as_it_was(server: WorkspaceServer, client: WorkspaceClient) -> None:
    put(client, f"{ROOT}/whole.txt", b"whole", overwrite=True)
    head = f"PUT /api/2.0/fs/files{ROOT}/whole.txt?overwrite=true HTTP/1.1\r\nHost: x\r\n"
    head += f"Authorization: Bearer {server.token}\r\nContent-Length: 1000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(head.encode() + b"half")
    assert get(client, f"{ROOT}/whole.txt") == b"whole"


def test_acknowledged_files_survive_a_kill(start_server: Callable[[], WorkspaceServer]) -> None:
    server = start_server()
    make_volume(server.client())
    for number in range(20):
        put(server.client(), f"{ROOT}/kept-{number}", str(number).encode())
    server.restart()
    client = server.client()
    assert [get(client, f"{ROOT}/kept-{number}") for number in range(20)] == [b"%d" % n for n in range(20)]


def test_names_in_unity_catalog_paths_are_not_told_apart_by_case(client: WorkspaceClient) -> None:
    put(client, "/Volumes/Files_Test/S/V/Case.txt", b"x", overwrite=True)
    assert get(client, f"{ROOT}/Case.txt") == b"x"
    with pytest.raises(NotFound):
        get(client, f"{ROOT}/case.txt")


def test_a_file_is_not_put_where_a_directory_is_nor_below_a_file(client: WorkspaceClient) -> None:
    put(client, f"{ROOT}/taken/inside", b"x", overwrite=True)
    with pytest.raises(AlreadyExists):
        put(client, f"{ROOT}/taken", b"x", overwrite=True)
    with pytest.raises(InvalidParameterValue, match="is a file"):
        put(client, f"{ROOT}/taken/inside/deeper", b"x")
