"""Unity Catalog as a service of the workspace."""

from __future__ import annotations

from starlette.routing import BaseRoute

from workspace.identity.caller import OWNER
from workspace.state import State
from workspace.unity_catalog.containers import Containers
from workspace.unity_catalog.credential_routes import CredentialRoutes
from workspace.unity_catalog.grant_routes import GrantRoutes
from workspace.unity_catalog.grants import Grants
from workspace.unity_catalog.privileges import Privileges
from workspace.unity_catalog.routes import METASTORE_NAME, Routes
from workspace.unity_catalog.securables import CATALOG, SCHEMA, TABLE, VOLUME, Contents, Securables
from workspace.unity_catalog.table_routes import TableRoutes
from workspace.unity_catalog.tables import Tables
from workspace.unity_catalog.tag_routes import TagRoutes
from workspace.unity_catalog.tags import Tags
from workspace.unity_catalog.volume_routes import VolumeRoutes
from workspace.unity_catalog.volumes import VolumeFiles, Volumes

# A workspace comes with a catalog of its own; `main` is what it was called before workspaces gave it their name.
FIRST_CATALOG = "main"


class UnityCatalog:
    """What the other services build on: `tables`, `containers` (catalogs and schemas), `grants`, `privileges`."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.metastore_id = state.metastore_id
        self.containers = Containers(state.documents, state.metastore_id)
        self.tables = Tables(state.documents, state.subfolder("tables"), self.containers.schema)
        self._securables = Securables(state.metastore_id)
        self._securables.add(
            CATALOG,
            lambda name: str(self.containers.catalog(name)["catalog_id"]),
            lambda name: str(self.containers.catalog(name)["owner"]),
        )
        self._securables.add(
            SCHEMA,
            lambda name: str(self.containers.schema(*name.split(".", 1))["schema_id"]),
            lambda name: str(self.containers.schema(*name.split(".", 1))["owner"]),
        )
        self.grants = Grants(state.documents, self._securables)
        self.privileges = Privileges(self._securables, self.grants, METASTORE_NAME)
        tags = Tags(state.documents, self._securables, self.tables.get)
        self._routes: list[BaseRoute] = [
            *Routes(state, self.containers, self.privileges, self.grants).all(),
            *TableRoutes(state.metastore_id, self.containers, self.tables, self.privileges).all(),
            *CredentialRoutes(self.tables, self.privileges).all(),
            *GrantRoutes(self.grants, self.privileges).all(),
            *TagRoutes(tags, self.privileges).all(),
        ]
        self.add_contents(
            Contents(
                TABLE,
                names=lambda schema: self.tables.names(*schema.split(".")),
                identity=self.tables.identity,
                drop=self.tables.drop,
                owner=self.tables.owner,
            )
        )
        self._seed(state)

    def add_contents(self, contents: Contents) -> None:
        """Make schemas, and grants, know of one more kind of object: for services that keep objects in schemas."""
        self.containers.add_contents(contents)
        self._securables.add(contents.securable, contents.identity, contents.owner)

    def add_volumes(self, files: VolumeFiles) -> None:
        """Keep volumes, whose files the Files API holds under `/Volumes/<catalog>/<schema>/<volume>/`."""
        volumes = Volumes(self._state.documents, self._state.metastore_id, files, self.containers.schema, self.grants)
        self._routes += VolumeRoutes(volumes, self.containers, self.privileges).all()
        self.add_contents(
            Contents(
                VOLUME,
                names=volumes.names,
                identity=lambda full_name: str(volumes.get(full_name)["volume_id"]),
                drop=volumes.delete,
                owner=lambda full_name: str(volumes.get(full_name)["owner"]),
            )
        )

    def routes(self) -> list[BaseRoute]:
        return self._routes

    def start(self) -> None:
        self.tables.remove_orphans()

    def stop(self) -> None: ...

    def _seed(self, state: State) -> None:
        """Once in the life of a state folder: a deleted `main` stays deleted."""
        if state.documents.get("unity_catalog", "seeded") is None:
            if not self.containers.catalogs():
                self.containers.create_catalog({"name": FIRST_CATALOG, "comment": "Main catalog"}, OWNER.user_name)
            state.documents.put("unity_catalog", "seeded", {})
