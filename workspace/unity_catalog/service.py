"""Unity Catalog as a service of the workspace."""

from __future__ import annotations

from starlette.routing import BaseRoute

from workspace.identity import OWNER
from workspace.state import State
from workspace.unity_catalog.containers import Containers, Contents
from workspace.unity_catalog.tables import Tables


class UnityCatalog:
    """What the other services build on: `tables` and `containers` (catalogs and schemas)."""

    def __init__(self, state: State) -> None:
        self.containers = Containers(state.documents, state.metastore_id)
        self.tables = Tables(state.documents, state.subfolder("tables"), OWNER.user_name, self.containers.schema)
        self.containers.add_contents(
            Contents(
                "tables", lambda schema: [t.full_name for t in self.tables.list(*schema.split("."))], self.tables.drop
            )
        )

    def routes(self) -> list[BaseRoute]:
        return []

    def start(self) -> None:
        self.tables.remove_orphans()

    def stop(self) -> None: ...
