"""Dashboards by id: the draft, what is published of it, and the trash."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from workspace.dashboards import content
from workspace.documents import Document, Documents
from workspace.errors import ApiError, already_exists, invalid, not_found, permission_denied
from workspace.http import Json

KIND = "dashboard"
ACTIVE, TRASHED = "ACTIVE", "TRASHED"
EXTENSION = ".lvdash.json"
_FIRST_ETAG = 80_611_980
_IN_LISTS = ("create_time", "dashboard_id", "display_name", "lifecycle_state", "warehouse_id")
_SETTABLE = ("display_name", "serialized_dashboard", "warehouse_id")
DEFAULT_PAGE, LARGEST_PAGE = 20, 1000


class DashboardStore:
    """Kept as documents.

    Args:
        now_ms: the workspace's time.
        require_folder: raises ApiError 404 where a folder of the workspace is missing.
    """

    def __init__(
        self, documents: Documents, now_ms: Callable[[], int], require_folder: Callable[[str], object]
    ) -> None:
        self._documents = documents
        self._now_ms = now_ms
        self._require_folder = require_folder

    def create(self, asked: Mapping[str, Any], defaults: tuple[str, str], user: str) -> Document:
        """A new draft.

        Args:
            defaults: catalog and schema for all datasets, each may be empty.
        """
        name = _named(asked.get("display_name"))
        home = f"/Users/{user}"
        folder = str(asked.get("parent_path") or home).removeprefix("/Workspace").rstrip("/")
        if folder != home:
            self._require_folder(folder)
        now = self._now()
        draft: Document = {
            "dashboard_id": uuid.uuid4().hex,
            "display_name": name,
            "parent_path": folder,
            "path": f"{folder}/{name}{EXTENSION}",
            "warehouse_id": str(asked.get("warehouse_id") or ""),
            "serialized_dashboard": content.kept(asked.get("serialized_dashboard") or "{}", *defaults),
            "etag": str(_FIRST_ETAG),
            "lifecycle_state": ACTIVE,
            "create_time": now,
            "update_time": now,
        }
        with self._documents.transaction():
            self._require_free(draft["path"], None)
            self._documents.put(KIND, draft["dashboard_id"], {"draft": draft, "creator": user, "published": None})
        return draft

    def get(self, dashboard_id: str) -> Document:
        """Draft, creator and publication, also of one in the trash; ApiError 404 where there never was one."""
        found = self._documents.get(KIND, dashboard_id)
        if found is None:
            raise not_found(f"Unable to find dashboard [{dashboard_id}]")
        return found

    def find(self, dashboard_id: str) -> Document | None:
        return self._documents.get(KIND, dashboard_id)

    def published(self, dashboard_id: str) -> Document:
        """What is published of it; ApiError 404 where nothing is."""
        published: Document | None = self.get(dashboard_id)["published"]
        if published is None:
            raise not_found(f"Unable to find published dashboard [{dashboard_id}]")
        return published

    def page(self, *, size: int, token: str, trashed: bool) -> Json:
        """Summaries in the order of ids; the token is the last id of the page before."""
        if not 0 <= size <= LARGEST_PAGE:
            raise invalid(f"page_size must be between 1 and {LARGEST_PAGE}, received {size}")
        rest = [
            document["draft"]
            for key, document in self._documents.list(KIND)
            if key > token and (trashed or document["draft"]["lifecycle_state"] == ACTIVE)
        ]
        size = size or DEFAULT_PAGE
        shown = [{name: draft[name] for name in _IN_LISTS} for draft in rest[:size]]
        return {
            "dashboards": shown,
            **({"next_page_token": shown[-1]["dashboard_id"]} if len(rest) > size else {}),
        }

    def change(self, dashboard_id: str, asked: Mapping[str, Any], defaults: tuple[str, str]) -> Document:
        """The draft, changed. ApiError 409 where `etag` names another than the one that is there."""
        values = {name: asked[name] for name in _SETTABLE if asked.get(name) is not None}
        if "display_name" in values:
            values["display_name"] = _named(values["display_name"])
        if "serialized_dashboard" in values:
            values["serialized_dashboard"] = content.kept(values["serialized_dashboard"], *defaults)
        folder = asked.get("parent_path")

        def apply(document: Document) -> None:
            draft = document["draft"]
            _require_active(draft)
            _require_etag(draft, asked.get("etag"))
            if folder is not None and str(folder).removeprefix("/Workspace").rstrip("/") != draft["parent_path"]:
                raise invalid(f"parent_path of a dashboard cannot be changed; it is in {draft['parent_path']}")
            draft.update(values)
            draft["path"] = f"{draft['parent_path']}/{draft['display_name']}{EXTENSION}"
            self._require_free(draft["path"], dashboard_id)
            self._touch(draft)

        draft: Document = self._apply(dashboard_id, apply)["draft"]
        return draft

    def publish(self, dashboard_id: str, asked: Mapping[str, Any], user: str) -> Document:
        """What everybody sees from now on: the draft as it is."""

        def apply(document: Document) -> None:
            draft = document["draft"]
            _require_active(draft)
            warehouse = str(asked.get("warehouse_id") or draft["warehouse_id"])
            if not warehouse:
                raise invalid("warehouse_id is needed to publish: neither the request nor the draft names one")
            document["published"] = {
                "display_name": draft["display_name"],
                "embed_credentials": bool(asked.get("embed_credentials")),
                "warehouse_id": warehouse,
                "revision_create_time": self._now(),
                "publisher": user,
                "serialized_dashboard": draft["serialized_dashboard"],
            }

        published: Document = self._apply(dashboard_id, apply)["published"]
        return published

    def unpublish(self, dashboard_id: str) -> None:
        self.published(dashboard_id)
        self._apply(dashboard_id, lambda document: document.update(published=None))

    def revert(self, dashboard_id: str, etag: object) -> None:
        """Make the draft what was published last."""
        published = self.published(dashboard_id)

        def apply(document: Document) -> None:
            draft = document["draft"]
            _require_active(draft)
            _require_etag(draft, etag)
            draft["serialized_dashboard"] = published["serialized_dashboard"]
            self._touch(draft)

        self._apply(dashboard_id, apply)

    def trash(self, dashboard_id: str) -> None:
        """Nobody sees it published any more, and its name is free."""

        def apply(document: Document) -> None:
            _require_active(document["draft"])
            document["draft"]["lifecycle_state"] = TRASHED
            document["published"] = None

        self._apply(dashboard_id, apply)

    def _apply(self, dashboard_id: str, change: Callable[[Document], None]) -> Document:
        changed = self._documents.update(KIND, dashboard_id, change)
        if changed is None:
            raise not_found(f"Unable to find dashboard [{dashboard_id}]")
        return changed

    def _require_free(self, path: str, own_id: str | None) -> None:
        for key, document in self._documents.list(KIND):
            draft = document["draft"]
            if draft["path"] == path and draft["lifecycle_state"] == ACTIVE and key != own_id:
                raise already_exists(f"Node named '{draft['display_name']}{EXTENSION}' already exists")

    def _touch(self, draft: Document) -> None:
        draft.update(etag=str(int(draft["etag"]) + 1), update_time=self._now())

    def _now(self) -> str:
        moment = datetime.fromtimestamp(self._now_ms() / 1000, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _named(name: object) -> str:
    if not isinstance(name, str) or not name or "/" in name:
        raise invalid(f"display_name must be a name without a slash, received {name!r}")
    return name


def _require_active(draft: Document) -> None:
    if draft["lifecycle_state"] == TRASHED:
        # The provider's delete meets this answer (`dashboards/resource_dashboard.go`).
        raise permission_denied(f"Dashboard {draft['dashboard_id']} is in the trash.")


def _require_etag(draft: Document, etag: object) -> None:
    if etag is not None and etag != draft["etag"]:
        raise ApiError(
            409,
            "ABORTED",
            f"The dashboard has been modified since it was last read: etag {etag} was sent, it is {draft['etag']}.",
        )
