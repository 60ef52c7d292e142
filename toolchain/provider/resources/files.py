"""Rows for what lies in the workspace's folders: notebooks and files, given as base64.

Read in the provider's sources (`workspace/resource_notebook.go`, `resource_workspace_file.go`), not recorded. `source`,
a path on the plugin's machine, is not supported: content travels as text.
"""

from typing import Final

from toolchain.provider.fields import integer, text
from toolchain.provider.schema import Call, Family, Resource
from toolchain.provider.strategies.workspace_objects import WorkspaceObject

_API: Final = "/api/2.0/workspace"
_READ: Final = Call(method="GET", path=f"{_API}/get-status", query={"path": "{+path}"})
_DELETE: Final = Call(method="POST", path=f"{_API}/delete", sends=("path",), constants={"recursive": False})

NOTEBOOK: Final = Resource(
    type="databricks:index/notebook:Notebook",
    family=Family.SDK,
    fields=(
        text("path", required=True, replaces=True),
        text("content_base64", keep=True),
        text("language"),
        text("format", keep=True, default="SOURCE"),
        integer("object_id", output=True),
        text("object_type", output=True),
        text("url", output=True, formula="{+host}/#workspace{+path}"),
        text("workspace_path", output=True, formula="/Workspace{+path}"),
    ),
    id="{+path}",
    create=Call(
        method="POST",
        path=f"{_API}/import",
        sends=("path", "content_base64", "language", "format"),
        renames={"content_base64": "content"},
        constants={"overwrite": True},
    ),
    read=_READ,
    update=Call(
        method="POST",
        path=f"{_API}/import",
        sends=("path", "content_base64", "language", "format"),
        renames={"content_base64": "content"},
        constants={"overwrite": True},
    ),
    delete=_DELETE,
    strategy=WorkspaceObject(),
)

WORKSPACE_FILE: Final = Resource(
    type="databricks:index/workspaceFile:WorkspaceFile",
    family=Family.SDK,
    fields=(
        text("path", required=True, replaces=True),
        text("content_base64", keep=True),
        integer("object_id", output=True),
        text("url", output=True, formula="{+host}/#workspace{+path}"),
        text("workspace_path", output=True, formula="/Workspace{+path}"),
    ),
    id="{+path}",
    create=Call(
        method="POST",
        path=f"{_API}/import",
        sends=("path", "content_base64"),
        renames={"content_base64": "content"},
        constants={"overwrite": True, "format": "RAW"},
    ),
    read=_READ,
    update=Call(
        method="POST",
        path=f"{_API}/import",
        sends=("path", "content_base64"),
        renames={"content_base64": "content"},
        constants={"overwrite": True, "format": "RAW"},
    ),
    delete=_DELETE,
    strategy=WorkspaceObject(),
)

ROWS: Final = (NOTEBOOK, WORKSPACE_FILE)
