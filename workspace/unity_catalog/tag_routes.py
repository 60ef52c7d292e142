"""`/api/2.1/unity-catalog/entity-tag-assignments`."""

from __future__ import annotations

from starlette.routing import BaseRoute

from workspace.errors import invalid
from workspace.http import Call, Json, api
from workspace.unity_catalog.privileges import Privileges
from workspace.unity_catalog.requests import BASE, page
from workspace.unity_catalog.tags import Tags

PATH = f"{BASE}/entity-tag-assignments"


class TagRoutes:
    """Paths to functions."""

    def __init__(self, tags: Tags, privileges: Privileges) -> None:
        self._tags = tags
        self._privileges = privileges

    def all(self) -> list[BaseRoute]:
        entity = f"{PATH}/{{entity_type}}/{{entity_name}}/tags"
        return [
            api("POST", PATH, self._create),
            api("GET", entity, self._list),
            api("GET", f"{entity}/{{tag_key}}", self._get),
            api("PATCH", f"{entity}/{{tag_key}}", self._update),
            api("DELETE", f"{entity}/{{tag_key}}", self._delete),
        ]

    def _create(self, call: Call) -> Json:
        entity_type, entity_name, _ = call.require("entity_type", "entity_name", "tag_key")
        self._require_apply(call, str(entity_type), str(entity_name))
        return self._tags.create(call.body, call.caller.user_name)

    def _list(self, call: Call) -> Json:
        self._require_read(call)
        found = self._tags.list(*_entity(call))
        return page(call, "tag_assignments", found, lambda tag: str(tag["tag_key"]))

    def _get(self, call: Call) -> Json:
        self._require_read(call)
        return self._tags.get(*_entity(call), call.path["tag_key"])

    def _update(self, call: Call) -> Json:
        mask = [name.strip() for name in call.query.get("update_mask", "").split(",")]
        if mask not in (["tag_value"], ["*"]):
            raise invalid(f"update_mask must be tag_value, received '{call.query.get('update_mask')}'")
        self._require_apply(call, *_entity(call))
        value = call.body.get("tag_value")
        return self._tags.update(*_entity(call), call.path["tag_key"], value, call.caller.user_name)

    def _delete(self, call: Call) -> Json:
        self._require_apply(call, *_entity(call))
        self._tags.delete(*_entity(call), call.path["tag_key"])
        return {}

    def _require_apply(self, call: Call, entity_type: str, entity_name: str) -> None:
        """Ownership or APPLY TAG, and the way to the entity."""
        self._privileges.require(call.caller, "APPLY_TAG", *self._tags.holder(entity_type, entity_name))

    def _require_read(self, call: Call) -> None:
        self._privileges.require_read(call.caller, *self._tags.holder(*_entity(call)))


def _entity(call: Call) -> tuple[str, str]:
    return call.path["entity_type"], call.path["entity_name"]
