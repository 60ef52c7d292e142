"""The routes of the Files API.

Sources: databricks-sdk's `service/files.py` and `mixins/files.py`; mlflow's `presigned_url_artifact_repo.py`, which
sends paths in JSON bodies where the SDK sends them in queries.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from email.utils import formatdate
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from workspace.errors import invalid, not_implemented
from workspace.files.multipart import MultipartUploads, part_etag
from workspace.files.presigned import PREFIX, UrlSigner, expiry
from workspace.files.tree import FileTree, Guard
from workspace.http import Call, Json, api
from workspace.state import State

FILES = "/api/2.0/fs/files"
DIRECTORIES = "/api/2.0/fs/directories"
DEFAULT_PAGE_SIZE = 1000
MAX_PART_URLS = 1000


class Files:
    """The service `files`."""

    def __init__(self, state: State) -> None:
        self._tree = FileTree(state.subfolder("files"))
        self._uploads = MultipartUploads(self._tree)
        self._signer = UrlSigner(state.token)

    def path(self, api_path: str) -> Path:
        """Where an API path (`/Models/main/ml/m/1`) lives on disk. ApiError 400 unless it is a plain descent."""
        return self._tree.path(api_path)

    def guard(self, root: str, check: Guard) -> None:
        """Have `check(segments)` refuse writes and deletes under `/<root>` by raising `ApiError`."""
        self._tree.guard(root, check)

    def remove_tree(self, api_path: str) -> None:
        """Remove everything at an API path, without asking the guard."""
        self._tree.remove_tree(api_path)

    def start(self) -> None:
        self._tree.discard_unfinished()
        self._uploads.discard_expired()

    def stop(self) -> None:
        pass

    def routes(self) -> list[BaseRoute]:
        return [
            Route(FILES + "/{path:path}", self._put_file, methods=["PUT"]),
            Route(FILES + "/{path:path}", self._get_file, methods=["GET", "HEAD"]),
            api("DELETE", FILES + "/{path:path}", self._delete_file),
            api("POST", FILES + "/{path:path}", self._multipart),
            Route(DIRECTORIES + "/{path:path}", self._head_directory, methods=["HEAD"]),
            _only("GET", api("GET", DIRECTORIES + "/{path:path}", self._list_directory)),
            api("PUT", DIRECTORIES + "/{path:path}", self._create_directory),
            api("DELETE", DIRECTORIES + "/{path:path}", self._delete_directory),
            api("POST", "/api/2.0/fs/create-upload-url", self._upload_url),
            api("POST", "/api/2.0/fs/create-download-url", self._download_url),
            api("POST", "/api/2.0/fs/create-upload-part-urls", self._part_urls),
            api("POST", "/api/2.0/fs/create-abort-upload-url", self._abort_url),
            Route(PREFIX + "/{path:path}", self._signed_put, methods=["PUT"]),
            Route(PREFIX + "/{path:path}", self._signed_get, methods=["GET", "HEAD"]),
            Route(PREFIX + "/{path:path}", self._signed_delete, methods=["DELETE"]),
        ]

    # --- files and directories ---------------------------------------------------------------------------------------

    async def _put_file(self, request: Request) -> Response:
        overwrite = request.query_params.get("overwrite", "false").lower() == "true"
        return await self._receive(request, _api_path(request.path_params), overwrite=overwrite)

    async def _receive(self, request: Request, api_path: str, *, overwrite: bool) -> Response:
        replacing = self._tree.replacing(api_path, overwrite=overwrite)
        target = await run_in_threadpool(replacing.__enter__)
        try:
            async for chunk in request.stream():
                await run_in_threadpool(target.write, chunk)
        except BaseException as error:
            await run_in_threadpool(replacing.__exit__, type(error), error, error.__traceback__)
            if isinstance(error, ClientDisconnect):
                return Response(status_code=499)
            raise
        await run_in_threadpool(replacing.__exit__, None, None, None)
        return Response(status_code=204)

    async def _get_file(self, request: Request) -> Response:
        return await run_in_threadpool(self._file_response, _api_path(request.path_params))

    def _file_response(self, api_path: str) -> Response:
        return FileResponse(self._tree.existing_file(api_path), media_type="application/octet-stream")

    def _delete_file(self, call: Call) -> Response:
        self._tree.delete_file(_api_path(call.path))
        return Response(status_code=204)

    async def _head_directory(self, request: Request) -> Response:
        path = await run_in_threadpool(self._tree.existing_directory, _api_path(request.path_params))
        return Response(headers={"last-modified": formatdate(path.stat().st_mtime, usegmt=True)})

    def _list_directory(self, call: Call) -> Json:
        """One page, in the order of names; the token of the next page is the last name of this one."""
        api_path = _api_path(call.path)
        size = _page_size(call.query.get("page_size"))
        after = _decode_token(call.query.get("page_token"))
        entries = sorted(self._tree.existing_directory(api_path).iterdir(), key=lambda entry: entry.name)
        rest = [entry for entry in entries if entry.name > after]
        body: Json = {"contents": [_entry(api_path, entry) for entry in rest[:size]]}
        if len(rest) > size:
            body["next_page_token"] = base64.urlsafe_b64encode(rest[size - 1].name.encode()).decode()
        return body

    def _create_directory(self, call: Call) -> Response:
        self._tree.create_directory(_api_path(call.path))
        return Response(status_code=204)

    def _delete_directory(self, call: Call) -> Response:
        self._tree.delete_directory(_api_path(call.path))
        return Response(status_code=204)

    # --- presigned URLs ----------------------------------------------------------------------------------------------

    def _upload_url(self, call: Call) -> Json:
        api_path = _named_path(call)
        self._tree.check_writable(api_path)
        return self._signed(call, "PUT", api_path)

    def _download_url(self, call: Call) -> Json:
        api_path = _named_path(call)
        self._tree.existing_file(api_path)
        return self._signed(call, "GET", api_path)

    def _signed(self, call: Call, method: str, api_path: str, **parameters: str) -> Json:
        expires = expiry(_parameter(call, "expire_time"))
        url = self._signer.url(f"http://{call.headers['host']}", method, api_path, expires=expires, **parameters)
        return {"url": url, "headers": []}

    async def _signed_put(self, request: Request) -> Response:
        api_path = self._verified(request, "PUT")
        query = request.query_params
        if "session_token" not in query:
            return await self._receive(request, api_path, overwrite=True)
        part = self._uploads.part_file(api_path, query["session_token"], int(query["part_number"]))
        with part.open("wb") as target:
            async for chunk in request.stream():
                await run_in_threadpool(target.write, chunk)
        return Response(headers={"ETag": await run_in_threadpool(part_etag, part)})

    async def _signed_get(self, request: Request) -> Response:
        return await run_in_threadpool(self._file_response, self._verified(request, "GET"))

    async def _signed_delete(self, request: Request) -> Response:
        api_path = self._verified(request, "DELETE")
        await run_in_threadpool(self._uploads.abort, api_path, request.query_params["session_token"])
        return Response(status_code=204)

    def _verified(self, request: Request, method: str) -> str:
        api_path = _api_path(request.path_params)
        self._signer.verify(method, api_path, request.query_params)
        return api_path

    # --- uploads in parts --------------------------------------------------------------------------------------------

    def _multipart(self, call: Call) -> Json:
        api_path, action = _api_path(call.path), call.query.get("action")
        if action == "initiate-upload":
            overwrite = call.query.get("overwrite", "false").lower() == "true"
            return {"multipart_upload": {"session_token": self._uploads.initiate(api_path, overwrite=overwrite)}}
        if action == "complete-upload":
            call.require("parts")
            parts = call.objects("parts")
            self._uploads.complete(api_path, call.query.get("session_token", ""), parts)
            return {}
        raise not_implemented("POST", f"{FILES}?action={action}")

    def _part_urls(self, call: Call) -> Json:
        api_path, token = call.text("path"), call.text("session_token")
        first, count = _number(call, "start_part_number"), _number(call, "count")
        if not 1 <= count <= MAX_PART_URLS:
            raise invalid(f"Invalid count {count}: between 1 and {MAX_PART_URLS} part URLs can be asked for at once")
        urls = []
        for number in range(first, first + count):
            self._uploads.part_file(api_path, token, number)
            signed = self._signed(call, "PUT", api_path, session_token=token, part_number=str(number))
            urls.append({**signed, "part_number": number})
        return {"upload_part_urls": urls}

    def _abort_url(self, call: Call) -> Json:
        api_path, token = call.text("path"), call.text("session_token")
        return {"abort_upload_url": self._signed(call, "DELETE", api_path, session_token=token)}


def _api_path(parameters: Mapping[str, str]) -> str:
    return "/" + str(parameters["path"]).strip("/")


def _number(call: Call, name: str) -> int:
    (value,) = call.require(name)
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit() and len(text) < 10):
        raise invalid(f"{name} must be a whole number, received {value!r}")
    return int(text)


def _parameter(call: Call, name: str) -> str | None:
    value = call.body.get(name) or call.query.get(name)
    return str(value) if value else None


def _named_path(call: Call) -> str:
    path = _parameter(call, "path")
    if path is None:
        raise invalid("Missing required field: path")
    return "/" + path.strip("/")


def _entry(directory: str, path: Path) -> Json:
    status = path.stat()
    entry: Json = {
        "path": f"{directory}/{path.name}",
        "name": path.name,
        "is_directory": path.is_dir(),
        "last_modified": int(status.st_mtime * 1000),
    }
    if path.is_file():
        entry["file_size"] = status.st_size
    return entry


def _page_size(value: str | None) -> int:
    if not value or value == "0":
        return DEFAULT_PAGE_SIZE
    if not value.isdigit():
        raise invalid(f"Invalid page_size {value!r}: expected a number up to {DEFAULT_PAGE_SIZE}")
    return min(int(value), DEFAULT_PAGE_SIZE)


def _decode_token(token: str | None) -> str:
    if not token:
        return ""
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise invalid(f"Invalid page_token {token!r}: it is not one that a listing answered with") from error


def _only(method: str, route: Route) -> Route:
    """A route without the HEAD that Starlette adds to every GET."""
    route.methods = {method}
    return route
