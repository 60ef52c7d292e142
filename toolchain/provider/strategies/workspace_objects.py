"""Notebooks and files of the workspace: a folder that is missing is made, then the import is tried once more."""

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from toolchain.provider.errors import RestError
from toolchain.provider.operation import Operation
from toolchain.provider.schema import Call, Resource
from toolchain.provider.state import Properties
from toolchain.provider.strategies.plain import Plain

_MKDIRS = Call(method="POST", path="/api/2.0/workspace/mkdirs", sends=())


class WorkspaceObject(Plain):
    """`workspace/resource_notebook.go` and `resource_workspace_file.go` of the provider."""

    def check(self, resource: Resource, inputs: Mapping[str, object]) -> Iterable[tuple[str, str]]:
        path = inputs.get("path")
        if isinstance(path, str) and not path.startswith("/"):
            yield "path", f"{path!r} begins at no root: write /Workspace/... or /Shared/..."
        if inputs.get("source") is not None:
            yield "source", "the stand-in plugin takes content_base64 only: a path is the program's, not the plugin's"

    def send_create(self, op: Operation, planned: Properties) -> Properties:
        try:
            return op.send(op.resource.create, planned)
        except RestError as error:
            if not error.not_found:
                raise
            folder = str(PurePosixPath(str(planned["path"])).parent)
            op.send(_MKDIRS, planned, more_body={"path": folder})
            return op.send(op.resource.create, planned)
