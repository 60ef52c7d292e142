"""Online tables as a whole: the entry in Unity Catalog, the document, the pipeline and the rows come and go together.

Published tables and Lakebase's synced tables are both made here; they differ in where they are declared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workspace.documents import Documents
from workspace.feature_store.pipelines import Pipelines
from workspace.feature_store.publishing import Publishing
from workspace.feature_store.runner import SyncRunner
from workspace.http import Json

if TYPE_CHECKING:
    from workspace.unity_catalog.table import Table


class OnlineTables:
    """Makes and deletes online tables, and has their pipelines sync."""

    def __init__(self, documents: Documents, publishing: Publishing, pipelines: Pipelines, runner: SyncRunner) -> None:
        self._documents = documents
        self._publishing = publishing
        self._pipelines = pipelines
        self._runner = runner

    def create(self, described: Json, source: Table) -> Json:
        """Make an online table and start its first sync; the document with its pipeline's id.

        Raises ApiError where the name is taken or its schema is missing.
        """
        name, mode = described["name"], described["publish_mode"]
        spec: Json = {
            "catalog": name.split(".")[0],
            "continuous": mode == "CONTINUOUS",
            "configuration": {"source_table": source.full_name, "online_table": name, "publish_mode": mode},
        }
        # Together, so that a kill leaves no online table without its pipeline, or the other way round.
        with self._documents.transaction():
            pipeline_id = self._pipelines.create(f"Synced table: {name}", spec, described["creator"])
            online_table = self._publishing.record({**described, "pipeline_id": pipeline_id}, source)
            update = self._pipelines.open_update(pipeline_id, "PUBLISH", full_refresh=False)
        self._runner.submit(online_table, update)
        return online_table

    def sync(self, online_table: Json, *, full_refresh: bool) -> Json:
        """A new update of an online table's pipeline; ApiError 409 where one is active."""
        update = self._pipelines.open_update(online_table["pipeline_id"], "API_CALL", full_refresh=full_refresh)
        self._runner.submit(online_table, update)
        return update

    def remove(self, name: str, kind: str) -> None:
        """Delete an online table of that kind; ApiError 404 where there is none."""
        self._runner.remove(self._publishing.remove(name, kind, self._delete_pipeline))

    def clear_dropped(self) -> None:
        """Who drops an online table in Unity Catalog drops what it stands for."""
        for online_table in self._publishing.dropped(self._delete_pipeline):
            self._runner.remove(online_table)

    def find(self, name: str, kind: str) -> Json | None:
        """The online table of that name and kind, dropped ones excepted."""
        self.clear_dropped()
        found = self._publishing.find(name)
        return found if found is not None and found["kind"] == kind else None

    def all(self, kind: str) -> list[Json]:
        self.clear_dropped()
        return self._publishing.all(lambda one: bool(one["kind"] == kind))

    def _delete_pipeline(self, online_table: Json) -> None:
        self._pipelines.delete(online_table["pipeline_id"])
