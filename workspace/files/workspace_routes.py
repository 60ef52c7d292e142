"""The Workspace API (`/api/2.0/workspace/...`): notebooks, files and directories are imported, listed and exported.

Sources: databricks-sdk's `service/workspace.py` and `mixins/workspace.py` (multipart import, direct download);
terraform-provider-databricks `workspace/resource_notebook.go`, `resource_workspace_file.go`, `resource_directory.go`.
"""

from __future__ import annotations

import base64
import binascii
import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from workspace.errors import ApiError, invalid, not_implemented
from workspace.files.notebooks import (
    EXTENSIONS,
    JUPYTER_EXTENSION,
    jupyter_language,
    jupyter_to_source,
    language_of,
    source_to_jupyter,
    with_header,
)
from workspace.files.objects import (
    DIRECTORY,
    FILE,
    NOTEBOOK,
    PREFIX,
    ObjectStore,
    WorkspaceFiles,
    WorkspaceObject,
    plain_path,
)
from workspace.http import Call, Json, api, json_body
from workspace.state import State

API = "/api/2.0/workspace"
MAX_BYTES = 10 * 1024 * 1024
FORMATS = ("AUTO", "DBC", "HTML", "JUPYTER", "RAW", "R_MARKDOWN", "SOURCE")


class WorkspaceObjects:
    """The service of workspace objects; `files` is what it gives to the others."""

    def __init__(self, state: State, now_ms: Callable[[], int], user_name: str) -> None:
        self._store = ObjectStore(state, now_ms, user_name)
        self.files = WorkspaceFiles(self._store)

    def start(self) -> None:
        self._store.start()

    def stop(self) -> None:
        pass

    def creator_of(self, object_id: str) -> str | None:
        """The user who imported the object of this id; None where there is no such object."""
        found = self._store.by_id(object_id)
        return found.creator if found else None

    def routes(self) -> list[BaseRoute]:
        return [
            Route(f"{API}/import", self._import_route, methods=["POST"]),
            api("GET", f"{API}/export", self._export),
            api("GET", f"{API}/get-status", self._get_status),
            api("GET", f"{API}/list", self._list),
            api("POST", f"{API}/mkdirs", self._mkdirs),
            api("POST", f"{API}/delete", self._delete),
        ]

    # --- what is there -----------------------------------------------------------------------------------------------

    def _get_status(self, call: Call) -> Json:
        path = _query_path(call)
        return _info(self._store.get(path), path)

    def _list(self, call: Call) -> Json:
        path = _query_path(call)
        after = _whole_number(call.query.get("notebooks_modified_after", "0"))
        objects = [
            _info(one, path)
            for one in self._store.children(path)
            if one.object_type != NOTEBOOK or one.modified_at > after
        ]
        return {"objects": objects} if objects else {}

    def _mkdirs(self, call: Call) -> Json:
        self._store.make_directories(_text(call.body, "path"))
        return {}

    def _delete(self, call: Call) -> Json:
        self._store.delete(_text(call.body, "path"), recursive=_flag(call.body, "recursive"))
        return {}

    # --- import ------------------------------------------------------------------------------------------------------

    async def _import_route(self, request: Request) -> Response:
        """JSON with base64 content, or the form that databricks-sdk's `upload` posts."""
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            fields, content = await _form(request)
        else:
            fields = await json_body(request)
            content = _decoded(fields.get("content", ""))
        caller = request.state.caller.user_name
        return JSONResponse(await run_in_threadpool(self._import, fields, content, caller))

    def _import(self, fields: Mapping[str, Any], content: bytes, caller: str) -> Json:
        path, kind = _text(fields, "path"), _choice(fields, "format", FORMATS) or "SOURCE"
        language = _choice(fields, "language", tuple(EXTENSIONS))
        overwrite = _flag(fields, "overwrite")
        _check_size(path, content)
        if kind in ("DBC", "HTML", "R_MARKDOWN"):
            raise not_implemented("POST", f"{API}/import with format={kind}")
        if kind == "SOURCE" and language is None and content.startswith(b"PK\x03\x04"):
            raise not_implemented("POST", f"{API}/import of a directory as a zip archive")
        if kind == "SOURCE" and language is None:
            raise invalid("The language of the notebook is required with format SOURCE: " + ", ".join(EXTENSIONS))
        jupyter = kind == "JUPYTER" or (kind == "AUTO" and path.lower().endswith(JUPYTER_EXTENSION))
        if jupyter:
            language = jupyter_language(content)
        elif kind == "AUTO":
            language = language_of(path, content)
        if kind == "RAW" or language is None:
            written = self._store.write(path, content, FILE, overwrite=overwrite, creator=caller)
        else:
            written = self._store.write(
                path[: -len(PurePosixPath(path).suffix)] if kind == "AUTO" else path,
                content if jupyter else with_header(language, content),
                NOTEBOOK,
                overwrite=overwrite,
                language=language,
                jupyter=jupyter,
                creator=caller,
            )
        return {"object_id": written.object_id}

    # --- export ------------------------------------------------------------------------------------------------------

    def _export(self, call: Call) -> Json | Response:
        path, kind = _query_path(call), _choice(call.query, "format", FORMATS) or "SOURCE"
        found = self._store.get(path)
        if kind in ("DBC", "HTML", "R_MARKDOWN"):
            raise not_implemented("GET", f"{API}/export with format={kind}")
        if found.object_type == DIRECTORY:
            content, file_type = self._archive(found, with_files=kind == "AUTO"), "zip"
        else:
            content, file_type = self._exported(found, kind)
        if str(call.query.get("direct_download", "")).lower() == "true":
            return Response(content, media_type="application/octet-stream")
        _check_size(path, content)
        return {"content": base64.b64encode(content).decode(), "file_type": file_type}

    def _exported(self, found: WorkspaceObject, kind: str) -> tuple[bytes, str]:
        content = self._store.content(found)
        if found.object_type == FILE:
            return content, PurePosixPath(found.path).suffix.removeprefix(".")
        if kind == "JUPYTER":
            language = found.language or "PYTHON"
            return (content if found.jupyter else source_to_jupyter(language, content, found.name)), "ipynb"
        return (jupyter_to_source(content) if found.jupyter else content), _extension(found).removeprefix(".")

    def _archive(self, directory: WorkspaceObject, *, with_files: bool) -> bytes:
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for one in self._store.descendants(directory.path):
                place = str(PurePosixPath(one.path).relative_to(directory.path))
                if one.object_type == NOTEBOOK:
                    archive.writestr(place + _extension(one), self._exported(one, "SOURCE")[0])
                elif one.object_type == FILE and with_files:
                    archive.writestr(place, self._store.content(one))
        return target.getvalue()


def _info(one: WorkspaceObject, asked: str) -> Json:
    # The path is answered in the form in which it was asked for, with or without /Workspace.
    prefix = PREFIX if asked == PREFIX or asked.startswith(f"{PREFIX}/") else ""
    info: Json = {
        "object_type": one.object_type,
        "path": prefix + one.path if one.path != "/" or not prefix else PREFIX,
        "object_id": one.object_id,
        "resource_id": str(one.object_id),
    }
    if one.language:
        info["language"] = one.language
    if one.object_type != DIRECTORY:
        info |= {"created_at": one.created_at, "modified_at": one.modified_at}
    if one.object_type == FILE:
        info["size"] = one.size
    return info


def _extension(one: WorkspaceObject) -> str:
    return EXTENSIONS[one.language or "PYTHON"]


async def _form(request: Request) -> tuple[dict[str, Any], bytes]:
    fields: dict[str, Any] = {}
    content = b""
    async with request.form() as form:
        for name, value in form.items():
            if isinstance(value, UploadFile):
                content = await value.read()
            elif name == "content":
                content = value.encode()
            else:
                fields[name] = value
    return fields, content


def _decoded(content: object) -> bytes:
    if not isinstance(content, str):
        raise invalid(f"content must be base64 text, received a {type(content).__name__}")
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid(f"content is not base64: {error}") from error


def _check_size(path: str, content: bytes) -> None:
    if len(content) > MAX_BYTES:
        raise ApiError(
            400,
            "MAX_NOTEBOOK_SIZE_EXCEEDED",
            f"The content of {path} has {len(content)} bytes, more than the limit of {MAX_BYTES} bytes",
        )


def _query_path(call: Call) -> str:
    return _text(call.query, "path")


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if value in (None, ""):
        raise invalid(f"Missing required field: {name}")
    if not isinstance(value, str):
        raise invalid(f"{name} must be a string, received {value!r}")
    if name == "path":
        plain_path(value)
    return value


def _flag(fields: Mapping[str, Any], name: str) -> bool:
    value = fields.get(name, False)
    if isinstance(value, bool):
        return value
    if str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    raise invalid(f"{name} must be true or false, received {value!r}")


def _choice(fields: Mapping[str, Any], name: str, choices: tuple[str, ...]) -> str | None:
    value = fields.get(name)
    if value in (None, ""):
        return None
    if value not in choices:
        raise invalid(f"{name} must be one of {', '.join(choices)} (case-sensitive), received {value!r}")
    return str(value)


def _whole_number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise invalid(f"notebooks_modified_after must be a time in milliseconds, received {text!r}")
    return int(text)
