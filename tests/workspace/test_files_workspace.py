"""Notebooks, files and directories of the workspace tree, by databricks-sdk and as the provider sends them."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, InvalidParameterValue, NotFound, ResourceAlreadyExists
from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.service.workspace import ExportFormat, ImportFormat, Language, ObjectType

from tests.support.server import WorkspaceServer
from workspace.files.objects import ObjectStore, WorkspaceFiles
from workspace.state import State

NOTEBOOK = b"# Databricks notebook source\n# MAGIC %md\n# MAGIC # Title\n\n# COMMAND ----------\n\nprint(1)\n"


@pytest.fixture
def folder(client: WorkspaceClient, request: pytest.FixtureRequest) -> Iterator[str]:
    path = f"/Shared/{request.node.name.partition('[')[0]}"
    client.workspace.mkdirs(path)
    yield path
    client.workspace.delete(path, recursive=True)


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def exported(client: WorkspaceClient, path: str, form: ExportFormat | None = None) -> bytes:
    content = client.workspace.export(path, format=form).content
    assert content is not None
    return base64.b64decode(content)


def types(client: WorkspaceClient, path: str) -> dict[str, ObjectType | None]:
    return {str(one.path): one.object_type for one in client.workspace.list(path)}


def test_a_notebook_is_imported_and_exported_as_it_was_written(client: WorkspaceClient, folder: str) -> None:
    client.workspace.import_(
        f"{folder}/train", content=text(NOTEBOOK), format=ImportFormat.SOURCE, language=Language.PYTHON
    )
    assert exported(client, f"{folder}/train") == NOTEBOOK
    status = client.workspace.get_status(f"{folder}/train")
    assert (status.object_type, status.language) == (ObjectType.NOTEBOOK, Language.PYTHON)
    assert status.path == f"{folder}/train"
    assert status.resource_id == str(status.object_id)


def test_a_notebook_without_the_header_gets_it(client: WorkspaceClient, folder: str) -> None:
    client.workspace.import_(f"{folder}/q", content=text(b"SELECT 1"), language=Language.SQL)
    assert exported(client, f"{folder}/q") == b"-- Databricks notebook source\nSELECT 1"


def test_a_file_keeps_its_bytes_and_its_name(client: WorkspaceClient, folder: str) -> None:
    data = bytes(range(256))
    client.workspace.upload(f"{folder}/data.bin", io.BytesIO(data), format=ImportFormat.RAW)
    client.workspace.upload(f"{folder}/plain.py", io.BytesIO(b"x = 1\n"), format=ImportFormat.AUTO)
    assert client.workspace.download(f"{folder}/data.bin", format=ExportFormat.AUTO).read() == data
    status = client.workspace.get_status(f"{folder}/data.bin")
    assert (status.object_type, status.size) == (ObjectType.FILE, 256)
    assert types(client, folder)[f"{folder}/plain.py"] == ObjectType.FILE


def test_auto_makes_a_notebook_of_a_source_with_the_header_and_drops_its_extension(
    client: WorkspaceClient, folder: str
) -> None:
    client.workspace.upload(f"{folder}/step.py", io.BytesIO(NOTEBOOK), format=ImportFormat.AUTO)
    assert types(client, folder) == {f"{folder}/step": ObjectType.NOTEBOOK}


def test_a_jupyter_notebook_becomes_source_and_a_source_becomes_jupyter(client: WorkspaceClient, folder: str) -> None:
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Title"]},
        {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": ["print(1)"]},
    ]
    document = {"cells": cells, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 0}
    content = json.dumps(document).encode()
    client.workspace.import_(f"{folder}/n", content=text(content), format=ImportFormat.JUPYTER)
    assert exported(client, f"{folder}/n") == NOTEBOOK
    assert exported(client, f"{folder}/n", ExportFormat.JUPYTER) == content
    client.workspace.import_(f"{folder}/s", content=text(NOTEBOOK), language=Language.PYTHON)
    made = json.loads(exported(client, f"{folder}/s", ExportFormat.JUPYTER))
    assert [(cell["cell_type"], cell["source"]) for cell in made["cells"]] == [
        ("markdown", ["# Title"]),
        ("code", ["print(1)"]),
    ]


def test_an_object_is_replaced_only_when_asked_and_keeps_its_id(client: WorkspaceClient, folder: str) -> None:
    path = f"{folder}/n"
    client.workspace.import_(path, content=text(b"1"), language=Language.PYTHON)
    before = client.workspace.get_status(path).object_id
    with pytest.raises(ResourceAlreadyExists, match="already exists") as refused:
        client.workspace.import_(path, content=text(b"2"), language=Language.PYTHON)
    assert refused.value.error_code == "RESOURCE_ALREADY_EXISTS"
    client.workspace.import_(path, content=text(b"2"), language=Language.PYTHON, overwrite=True)
    assert exported(client, path).endswith(b"2")
    assert client.workspace.get_status(path).object_id == before


def test_a_notebook_is_not_overwritten_by_a_file(client: WorkspaceClient, folder: str) -> None:
    client.workspace.import_(f"{folder}/n", content=text(b"1"), language=Language.PYTHON)
    with pytest.raises(InvalidParameterValue, match=r"type mismatch .asked: FILE, actual: NOTEBOOK"):
        client.workspace.import_(f"{folder}/n", content=text(b"2"), format=ImportFormat.RAW, overwrite=True)


def test_an_import_into_a_missing_folder_is_refused_until_it_is_made(client: WorkspaceClient, folder: str) -> None:
    # What terraform-provider-databricks does: import, ask for the parent, make it, import again.
    path = f"{folder}/a/b/n"
    with pytest.raises(NotFound, match=r"parent folder .*/a/b. does not exist"):
        client.workspace.import_(path, content=text(b"1"), language=Language.PYTHON)
    with pytest.raises(NotFound):
        client.workspace.get_status(f"{folder}/a/b")
    client.workspace.mkdirs(f"{folder}/a/b")
    client.workspace.mkdirs(f"{folder}/a/b")
    answer: Any = client.api_client.do(
        "POST",
        "/api/2.0/workspace/import",
        body={"path": path, "content": text(b"1"), "language": "PYTHON", "format": "SOURCE", "overwrite": True},
    )
    assert answer["object_id"] == client.workspace.get_status(path).object_id


def test_the_prefix_workspace_names_the_same_tree(client: WorkspaceClient, folder: str) -> None:
    client.workspace.import_(f"/Workspace{folder}/n", content=text(b"1"), language=Language.PYTHON)
    assert exported(client, f"{folder}/n").endswith(b"1")
    assert client.workspace.get_status(f"/Workspace{folder}/n").path == f"/Workspace{folder}/n"
    assert client.workspace.get_status("/Workspace").object_type == ObjectType.DIRECTORY


def test_a_directory_is_deleted_whole_only_when_asked(client: WorkspaceClient, folder: str) -> None:
    client.workspace.mkdirs(f"{folder}/d/e")
    client.workspace.import_(f"{folder}/d/e/n", content=text(b"1"), language=Language.PYTHON)
    client.workspace.mkdirs(f"{folder}/d-other")
    with pytest.raises(BadRequest, match="not empty") as refused:
        client.workspace.delete(f"{folder}/d")
    assert refused.value.error_code == "DIRECTORY_NOT_EMPTY"
    client.workspace.delete(f"{folder}/d", recursive=True)
    assert types(client, folder) == {f"{folder}/d-other": ObjectType.DIRECTORY}
    with pytest.raises(NotFound, match="doesn't exist"):
        client.workspace.delete(f"{folder}/d")


def test_a_listing_is_of_one_level_unless_it_is_recursive(client: WorkspaceClient, folder: str) -> None:
    client.workspace.mkdirs(f"{folder}/d")
    client.workspace.import_(f"{folder}/d/n", content=text(b"1"), language=Language.PYTHON)
    assert types(client, folder) == {f"{folder}/d": ObjectType.DIRECTORY}
    assert [one.path for one in client.workspace.list(folder, recursive=True)] == [f"{folder}/d/n"]
    assert list(client.workspace.list(f"{folder}/d", notebooks_modified_after=2**53)) == []
    with pytest.raises(NotFound):
        list(client.workspace.list(f"{folder}/none"))


def test_a_directory_is_exported_as_an_archive(client: WorkspaceClient, folder: str) -> None:
    client.workspace.mkdirs(f"{folder}/d")
    client.workspace.import_(f"{folder}/d/n", content=text(NOTEBOOK), language=Language.PYTHON)
    client.workspace.import_(f"{folder}/f.txt", content=text(b"f"), format=ImportFormat.RAW)
    names = {
        form: zipfile.ZipFile(io.BytesIO(exported(client, folder, form))).namelist()
        for form in (ExportFormat.SOURCE, ExportFormat.AUTO)
    }
    assert names == {ExportFormat.SOURCE: ["d/n.py"], ExportFormat.AUTO: ["d/n.py", "f.txt"]}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"path": "Shared/x"}, "doesn't start with '/'"),
        ({"path": "/Shared/../x"}, "neither"),
        ({"path": "/Shared/x", "format": "source", "language": "PYTHON"}, "case-sensitive"),
        ({"path": "/Shared/x", "language": "PERL"}, "one of PYTHON, SQL"),
        ({"path": "/Shared/x"}, "language of the notebook is required"),
        ({"path": "/Shared/x", "language": "PYTHON", "content": "%%%"}, "not base64"),
        ({"path": "/Shared/x", "format": "JUPYTER", "content": text(b"{}")}, "not a Jupyter notebook"),
        ({"path": "/Shared/x", "language": "PYTHON", "overwrite": "maybe"}, "true or false"),
    ],
)
def test_an_import_that_cannot_be_carried_out_is_refused(
    client: WorkspaceClient, fields: dict[str, str], message: str
) -> None:
    with pytest.raises(InvalidParameterValue, match=message):
        client.api_client.do("POST", "/api/2.0/workspace/import", body=fields)


def test_content_over_the_limit_is_refused(client: WorkspaceClient) -> None:
    with pytest.raises(DatabricksError, match="limit of 10485760 bytes") as refused:
        client.workspace.upload("/Shared/big", io.BytesIO(b"x" * (10 * 1024 * 1024 + 1)), format=ImportFormat.RAW)
    assert refused.value.error_code == "MAX_NOTEBOOK_SIZE_EXCEEDED"


@pytest.mark.parametrize("form", ["DBC", "HTML", "R_MARKDOWN"])
def test_a_format_that_is_not_implemented_says_so(client: WorkspaceClient, form: str) -> None:
    with pytest.raises(DatabricksError, match=f"does not implement POST .*format={form}"):
        client.api_client.do("POST", "/api/2.0/workspace/import", body={"path": "/Shared/x", "format": form})


def test_the_users_home_and_the_shared_folder_are_there_and_stay(client: WorkspaceClient) -> None:
    home = f"/Users/{client.current_user.me().user_name}"
    assert client.workspace.get_status(home).object_type == ObjectType.DIRECTORY
    with pytest.raises(InvalidParameterValue, match="cannot be deleted"):
        client.workspace.delete("/Shared", recursive=True)


def test_objects_survive_a_kill(start_server: Callable[[], WorkspaceServer]) -> None:
    server = start_server()
    server.client().workspace.import_("/Shared/n", content=text(NOTEBOOK), language=Language.PYTHON)
    (server.state / "workspace_objects" / "0123").write_bytes(b"of a write that was never acknowledged")
    server.restart()
    assert exported(server.client(), "/Shared/n") == NOTEBOOK
    assert len(list((server.state / "workspace_objects").iterdir())) == 1


def test_a_task_reads_notebooks_as_source_and_a_tree_as_files(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    store = ObjectStore(state, lambda: 1, "me@example.com")
    store.start()
    store.make_directories("/Shared/p/lib")
    store.write("/Shared/p/run", NOTEBOOK, "NOTEBOOK", overwrite=False, language="PYTHON")
    store.write("/Shared/p/lib/util.py", b"y = 2", "FILE", overwrite=False)
    files = WorkspaceFiles(store)
    assert files.read("/Workspace/Shared/p/run") == NOTEBOOK
    assert (files.language("/Shared/p/run"), files.language("/Shared/p/lib/util.py")) == ("PYTHON", None)
    files.copy_tree("/Shared/p", tmp_path / "out")
    assert (tmp_path / "out/run.py").read_bytes() == NOTEBOOK
    assert (tmp_path / "out/lib/util.py").read_bytes() == b"y = 2"
    state.close()
