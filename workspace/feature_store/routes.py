"""`/api/2.0/feature-store/...` and `/api/2.0/pipelines/...`: paths to functions.

Sources: databricks-sdk 0.156 `ml.FeatureStoreAPI`, `pipelines.PipelinesAPI`, `catalog.OnlineTablesAPI`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from starlette.routing import BaseRoute

from workspace.clock import Clock
from workspace.errors import invalid, not_found
from workspace.feature_store.keyed import KeyedReader, Row
from workspace.feature_store.online_stores import OnlineStores
from workspace.feature_store.online_tables import OnlineTables
from workspace.feature_store.pipelines import Pipelines
from workspace.feature_store.publishing import PUBLISHED, Publishing
from workspace.feature_store.runner import SyncRunner
from workspace.feature_store.status import Status
from workspace.http import Call, Json, api
from workspace.settings import Settings
from workspace.state import State

if TYPE_CHECKING:
    from workspace.unity_catalog.tables import Tables

LEGACY_ONLINE_TABLES = (
    "Creating new online tables is not allowed. Databricks Online Tables are no longer supported; use the Online "
    "Feature Store (POST /api/2.0/feature-store/tables/{source}/publish) or synced tables instead. See "
    "https://docs.databricks.com/aws/en/machine-learning/feature-store/migrate-from-online-tables"
)


class HasTables(Protocol):
    @property
    def tables(self) -> Tables: ...


class FeatureStore:
    """The feature store of one workspace; `lookup` and `serving_source` are what model serving asks of it,
    `online_tables` and `status` what Lakebase's synced tables are made of.
    """

    def __init__(self, state: State, catalog: HasTables, clock: Clock) -> None:
        settings = Settings(state)
        self._stores = OnlineStores(state.documents, settings, clock)
        self._publishing = Publishing(state.documents, catalog.tables, self._stores, state.subfolder("online"), clock)
        self._pipelines = Pipelines(state.documents, clock)
        self._runner = SyncRunner(self._pipelines, self._publishing, catalog.tables, settings, clock)
        self.status = Status(self._publishing, self._pipelines, catalog.tables)
        self.online_tables = OnlineTables(state.documents, self._publishing, self._pipelines, self._runner)
        self._readers: dict[Path, KeyedReader] = {}

    def lookup(
        self, source_table: str, keys: Mapping[str, object], columns: Sequence[str], timestamp: object = None
    ) -> Row:
        """The online values of `columns` under a primary key of `source_table`; all None where there is no such row.

        `keys` are the table's primary key columns (without the timeseries column, of which the newest row answers, or
        the newest not after `timestamp`). Raises ApiError 404 for a table that is not published, OnlineTableGoneError
        before the first sync, KeyTypeError for a key of another type.
        """
        path = self.serving_source(source_table)
        if path is None:
            raise not_found(f"Table '{source_table}' is not published to an online store.")
        reader = self._readers.setdefault(path, KeyedReader(path))
        return reader.lookup(keys, columns, timestamp)

    def serving_source(self, source_table: str) -> Path | None:
        """The keyed store that answers for a source table; None where it is not published."""
        published = self._publishing.of_source(source_table)
        return self._publishing.path(published[0]) if published else None

    def routes(self) -> list[BaseRoute]:
        stores, pipelines = "/api/2.0/feature-store/online-stores", "/api/2.0/pipelines"
        one = f"{pipelines}/{{pipeline_id}}"
        return [
            api("POST", stores, self._create_store),
            api("GET", stores, lambda _: {"online_stores": self._stores.all()}),
            api("GET", f"{stores}/{{name}}", lambda call: self._stores.get(call.path["name"])),
            api("PATCH", f"{stores}/{{name}}", self._update_store),
            api("DELETE", f"{stores}/{{name}}", self._delete_store),
            api("POST", "/api/2.0/feature-store/tables/{source}/publish", self._publish),
            api("DELETE", "/api/2.0/feature-store/online-tables/{name}", self._unpublish),
            api("GET", "/api/2.0/database/synced_tables/{name}", self._synced_table),
            api("GET", "/api/2.0/database/instances/{name}/synced_tables", self._synced_tables),
            api("GET", "/_workspace/online-tables", self._lags),
            api("POST", "/api/2.0/online-tables", _refuse_legacy),
            api("GET", "/api/2.0/online-tables/{name}", _no_legacy),
            api("DELETE", "/api/2.0/online-tables/{name}", _no_legacy),
            api("GET", pipelines, lambda _: {"statuses": self._pipelines.all()}),
            api("GET", one, lambda call: self._pipelines.get(call.path["pipeline_id"])),
            api("GET", f"{one}/updates", self._list_updates),
            api("POST", f"{one}/updates", self._start_update),
            api("GET", f"{one}/updates/{{update_id}}", self._get_update),
            api("POST", f"{one}/stop", self._stop_update),
            api("GET", f"{one}/events", lambda call: {"events": self._pipelines.events(call.path["pipeline_id"])}),
        ]

    def start(self) -> None:
        self._runner.start()

    def stop(self) -> None:
        self._runner.stop()

    def _create_store(self, call: Call) -> Json:
        call.require("name", "capacity")
        return self._stores.create(call.body, call.caller.user_name)

    def _update_store(self, call: Call) -> Json:
        mask = [field for field in call.query.get("update_mask", "").split(",") if field]
        return self._stores.update(call.path["name"], call.body, mask)

    def _delete_store(self, call: Call) -> Json:
        name = call.path["name"]
        self._stores.delete(name, [one["name"] for one in self._in_store(name)])
        return {}

    def _publish(self, call: Call) -> Json:
        spec = call.object("publish_spec")
        self.online_tables.clear_dropped()
        source, online_name = self._publishing.check(call.path["source"], spec)
        published = self._publishing.existing(source, online_name, spec)
        if published is None:
            described = self._publishing.described(source, online_name, spec, call.caller.user_name)
            published = self.online_tables.create(described, source)
        elif self._pipelines.get(published["pipeline_id"])["state"] != "RUNNING":
            # Publishing again what is published is how the feature engineering client asks for a sync.
            self.online_tables.sync(published, full_refresh=False)
        return {"online_table_name": published["name"], "pipeline_id": published["pipeline_id"]}

    def _unpublish(self, call: Call) -> Json:
        self.online_tables.remove(call.path["name"], PUBLISHED)
        return {}

    def _synced_table(self, call: Call) -> Json:
        published = self.online_tables.find(call.path["name"], PUBLISHED)
        if published is None:
            raise not_found(f"Synced table '{call.path['name']}' does not exist.")
        return self.status.shown(published)

    def _synced_tables(self, call: Call) -> Json:
        store = self._stores.get(call.path["name"])["name"]
        return {"synced_tables": [self.status.shown(one) for one in self._in_store(store)]}

    def _in_store(self, store: str) -> list[Json]:
        return [one for one in self.online_tables.all(PUBLISHED) if one["online_store"] == store]

    def _lags(self, _: Call) -> Json:
        return {"online_tables": [self.status.lag(one) for one in self._publishing.all()]}

    def _of_pipeline(self, pipeline_id: str) -> Json:
        self._pipelines.get(pipeline_id)
        return self._publishing.all(lambda one: bool(one["pipeline_id"] == pipeline_id))[0]

    def _start_update(self, call: Call) -> Json:
        published = self._of_pipeline(call.path["pipeline_id"])
        selected = bool(call.body.get("full_refresh") or call.body.get("full_refresh_selection"))
        return {"update_id": self.online_tables.sync(published, full_refresh=selected)["update_id"]}

    def _list_updates(self, call: Call) -> Json:
        self._pipelines.get(call.path["pipeline_id"])
        return {"updates": [_shown(update) for update in self._pipelines.updates(call.path["pipeline_id"])]}

    def _get_update(self, call: Call) -> Json:
        return {"update": _shown(self._pipelines.update(call.path["pipeline_id"], call.path["update_id"]))}

    def _stop_update(self, call: Call) -> Json:
        """Cancel what is active. A sync under way ends in its transaction, and the update stays CANCELED."""
        for update in self._pipelines.updates(call.path["pipeline_id"]):
            if update["state"] in ("QUEUED", "INITIALIZING", "RUNNING"):
                self._pipelines.advance(update, "CANCELED", "Stopped by request.")
        self._pipelines.get(call.path["pipeline_id"])
        return {}


def _shown(update: Json) -> dict[str, Any]:
    names = ("update_id", "pipeline_id", "state", "cause", "full_refresh", "creation_time")
    shown = {name: update[name] for name in names}
    # The service knows no cause for a publish: the first update of a managed pipeline is the service's own.
    shown["cause"] = "API_CALL" if update["cause"] == "API_CALL" else "SERVICE_UPGRADE"
    return shown


def _refuse_legacy(_: Call) -> Json:
    raise invalid(LEGACY_ONLINE_TABLES)


def _no_legacy(call: Call) -> Json:
    raise not_found(f"Online table '{call.path['name']}' does not exist. {LEGACY_ONLINE_TABLES}")
