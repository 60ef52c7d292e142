"""AI/BI dashboards: a draft, published after each write; a trashed one counts as gone.

Source: `dashboards/resource_dashboard.go` of terraform-provider-databricks.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from toolchain.provider.codec import has_unknown
from toolchain.provider.diff import Change, Entry
from toolchain.provider.errors import PluginError, RestError
from toolchain.provider.operation import Operation
from toolchain.provider.schema import Call, Resource
from toolchain.provider.state import Properties
from toolchain.provider.strategies.plain import Plain

TRASHED: Final = "TRASHED"
_PATH: Final = "/api/2.0/lakeview/dashboards"
_MKDIRS: Final = Call(method="POST", path="/api/2.0/workspace/mkdirs", sends=())


def fingerprint(content: object) -> str:
    """What the plugin keeps of the content that it sent: the service changes the text that it keeps."""
    return hashlib.md5(str(content).encode(), usedforsecurity=False).hexdigest()


class Dashboard(Plain):
    """Every write is a change of the draft, then its publication with the publisher's credentials or without."""

    def check(self, resource: Resource, inputs: Mapping[str, object]) -> Iterable[tuple[str, str]]:
        if inputs.get("filePath") is not None:
            yield "filePath", "the stand-in plugin takes serialized_dashboard only: a path is the program's"
        parent = inputs.get("parentPath")
        if isinstance(parent, str) and not parent.startswith("/"):
            yield "parentPath", f"{parent!r} begins at no root: write /Workspace/... or /Shared/..."

    def more_diffs(self, news: Mapping[str, object], state: Mapping[str, object]) -> Iterable[Entry]:
        """A draft that somebody changed is written again; a content of another fingerprint is a change."""
        content, parent = news.get("serializedDashboard"), news.get("parentPath")
        same = fingerprint(content) == state.get("md5") and not state.get("dashboardChangeDetected")
        if content is not None and not same:
            yield Entry("serializedDashboard", Change.UPDATE if state.get("md5") else Change.ADD, replaces=False)
        if _folder(parent) != _folder(state.get("parentPath")):
            yield Entry("parentPath", Change.UPDATE, replaces=not has_unknown(parent))

    def send_create(self, op: Operation, planned: Properties) -> Properties:
        try:
            answer = op.send(op.resource.create, planned)
        except RestError as error:
            if not _lacks_folder(error):
                raise
            op.send(_MKDIRS, planned, more_body={"path": planned["parentPath"]})
            # The official plugin leaves out the default catalog and schema this second time.
            answer = op.send(Call(method="POST", path=_PATH, sends=("*",), omits=op.resource.create.omits), planned)
        self._publish(op, planned, str(answer["dashboard_id"]))
        return answer

    def send_update(self, op: Operation, planned: Properties) -> Properties:
        answer = super().send_update(op, planned)
        self._publish(op, planned, op.id)
        return answer

    def send_read(self, op: Operation, known: Mapping[str, object]) -> Properties:
        found = super().send_read(op, known)
        if found.get("lifecycle_state") == TRASHED:
            raise RestError(f"GET {_PATH}/{op.id}", "", f"{op.what} is in the trash", not_found=True)
        return found

    def send_delete(self, op: Operation) -> None:
        """One that is in the trash already is refused (403), which is a success then."""
        try:
            super().send_delete(op)
        except RestError as error:
            if error.code != "PERMISSION_DENIED" or not self._is_trashed(op):
                raise

    def read_back(self, op: Operation, state: Properties, answer: Properties) -> Properties:
        """The draft that was just written is the known one, whatever its etag was before."""
        return super().read_back(op, {**state, "etag": answer.get("etag")}, answer)

    def absorb(
        self,
        op: Operation,
        answer: Properties,
        planned: Mapping[str, object],
        *,
        whole: bool = False,
        writing: bool = False,
    ) -> Properties:
        state = super().absorb(op, answer, planned, whole=whole, writing=writing)
        content = op.inputs.get("serializedDashboard")
        state["md5"] = fingerprint(content) if writing and content is not None else planned.get("md5")
        etag = planned.get("etag")
        state["dashboardChangeDetected"] = etag is not None and etag != answer.get("etag")
        return state

    def _is_trashed(self, op: Operation) -> bool:
        try:
            return super().send_read(op, op.state).get("lifecycle_state") == TRASHED
        except RestError:
            return False

    def _publish(self, op: Operation, planned: Properties, identity: str) -> None:
        body = {"warehouse_id": planned["warehouseId"], "embed_credentials": bool(planned.get("embedCredentials"))}
        call = Call(method="POST", path=f"{_PATH}/{identity}/published", sends=())
        try:
            op.send(call, planned, more_body=body)
        except RestError as error:
            op.workspace.do("DELETE", f"{_PATH}/{identity}")
            raise PluginError(
                f"{op.what}: publishing it failed, so it was put in the trash, as the official plugin does: {error}"
            ) from error


def _folder(path: object) -> str:
    """The service keeps folders without /Workspace in front."""
    return str(path).removeprefix("/Workspace").rstrip("/")


def _lacks_folder(error: RestError) -> bool:
    return str(error).startswith("Path (") and "doesn't exist." in str(error)
