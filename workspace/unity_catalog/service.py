"""Unity Catalog as a service of the workspace."""

from __future__ import annotations

from starlette.routing import BaseRoute

from workspace.identity import OWNER
from workspace.state import State
from workspace.unity_catalog.containers import Containers
from workspace.unity_catalog.grants import Grants
from workspace.unity_catalog.routes import Routes
from workspace.unity_catalog.securables import CATALOG, SCHEMA, TABLE, Contents, Securables
from workspace.unity_catalog.tables import Tables

# A workspace comes with a catalog of its own; `main` is what it was called before workspaces gave it their name.
FIRST_CATALOG = "main"


class UnityCatalog:
    """What the other services build on: `tables`, and `containers` (catalogs and schemas)."""

    def __init__(self, state: State) -> None:
        self.containers = Containers(state.documents, state.metastore_id)
        self.tables = Tables(state.documents, state.subfolder("tables"), OWNER.user_name, self.containers.schema)
        self._securables = Securables(state.metastore_id)
        self._securables.add(CATALOG, lambda name: str(self.containers.catalog(name)["catalog_id"]))
        self._securables.add(SCHEMA, lambda name: str(self.containers.schema(*name.split(".", 1))["schema_id"]))
        self._routes = Routes(state, self.containers, self.tables, Grants(state.documents, self._securables))
        self.add_contents(
            Contents(
                TABLE,
                names=lambda schema: self.tables.names(*schema.split(".")),
                identity=lambda full_name: self.tables.get(full_name).table_id,
                drop=self.tables.drop,
            )
        )
        self._seed(state)

    def add_contents(self, contents: Contents) -> None:
        """Make schemas, and grants, know of one more kind of object: for services that keep objects in schemas."""
        self.containers.add_contents(contents)
        self._securables.add(contents.securable, contents.identity)

    def routes(self) -> list[BaseRoute]:
        return self._routes.all()

    def start(self) -> None:
        self.tables.remove_orphans()

    def stop(self) -> None: ...

    def _seed(self, state: State) -> None:
        """Once in the life of a state folder: a deleted `main` stays deleted."""
        if state.documents.get("unity_catalog", "seeded") is None:
            if not self.containers.catalogs():
                self.containers.create_catalog({"name": FIRST_CATALOG, "comment": "Main catalog"}, OWNER.user_name)
            state.documents.put("unity_catalog", "seeded", {})
