"""Long-running operations: every write starts one, which is done once the provisioning time is over.

Shape: databricks-sdk 0.156 `postgres.Operation`. What the write does is stored at once; the operation only tells when
the service would be done with it, by the workspace's clock, so a restart neither loses nor repeats anything.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable

from workspace.clock import Clock
from workspace.documents import Documents
from workspace.errors import ApiError, not_found
from workspace.http import Json
from workspace.settings import Settings

KIND = "lakebase_operation"
SETTING = "lakebase_provisioning_seconds"


class Operations:
    """The operations of one workspace; `shown` gives the resource of a name, ApiError 404 where there is none."""

    def __init__(self, documents: Documents, settings: Settings, clock: Clock, shown: Callable[[str], Json]) -> None:
        self._documents = documents
        self._settings = settings
        self._clock = clock
        self._shown = shown

    def due(self) -> float:
        """When what is started now will be done."""
        return self._clock.now() + self._settings.get(SETTING)

    def start(self, name: str, *, deletes: bool = False) -> Json:
        """Begin an operation on the resource `name`."""
        operation = f"{name}/operations/{uuid.uuid4()}"
        document: Json = {"name": operation, "resource": name, "deletes": deletes, "due": self.due()}
        self._documents.put(KIND, operation, document)
        return self.get(operation)

    def get(self, operation: str) -> Json:
        document = self._documents.get(KIND, operation)
        if document is None:
            raise not_found(f"Operation '{operation}' does not exist.")
        if self._clock.now() < document["due"]:
            return {"name": operation, "done": False, "metadata": {}}
        ended: Json = {"name": operation, "done": True, "metadata": {}}
        if document["deletes"]:
            return {**ended, "response": {}}
        try:
            return {**ended, "response": self._shown(document["resource"])}
        except ApiError as error:
            # What it made was deleted meanwhile.
            return {**ended, "error": error.body()}
