"""Warehouses, saved queries and alerts; published tables and online stores; monitors.

Sources: page "Access control lists" (SQL warehouse, query and alert ACLs); docstrings of databricks-sdk 0.156
`catalog.QualityMonitorsAPI` and `ml.FeatureStoreAPI`.
"""

from __future__ import annotations

from collections.abc import Callable

from workspace.access.rules import Rights, Rule, admins_only, any_method, listed, open_to_all
from workspace.access.workspace_rules import require_folder
from workspace.errors import ApiError
from workspace.http import Call, Json
from workspace.unity_catalog.privileges import Privileges, schema_of
from workspace.unity_catalog.securables import FUNCTION, SCHEMA, TABLE

WAREHOUSES, QUERIES, ALERTS, DASHBOARDS = "sql/warehouses", "sql/queries", "alertsv2", "dashboards"
_SQL = "/api/2.0/sql"
_STORE = "/api/2.0/feature-store"
_FUNCTIONS = "/api/2.1/unity-catalog/functions"
_VECTORS = "/api/2.0/vector-search"
_LAKEVIEW = "/api/2.0/lakeview/dashboards"
_POSTGRES = "/api/2.0/postgres"
_MONITOR = "/api/2.1/unity-catalog/tables/{table}/monitor"


class DataRules:
    """Rules of what reads and watches tables."""

    def __init__(self, rights: Rights, privileges: Privileges) -> None:
        self._rights = rights
        self._privileges = privileges

    def all(self) -> list[Rule]:
        return [
            *self._sql(),
            *self._dashboards(),
            *self._features(),
            *self._monitors(),
            *self._vectors(),
            *_others(),
        ]

    def _sql(self) -> list[Rule]:
        statement, warehouse, query = f"{_SQL}/statements", f"{_SQL}/warehouses/{{id}}", f"{_SQL}/queries/{{id}}"
        return [
            # Whoever sent a statement sees it; the statement itself needs the privileges of its tables.
            Rule(method="POST", path=statement, check=self._uses_warehouse, reads_body=True),
            *open_to_all(
                f"GET {statement}/{{id}}",
                f"POST {statement}/{{id}}/cancel",
                f"GET {statement}/{{id}}/result/chunks/{{index}}",
                "GET /api/2.0/preview/sql/data_sources",
                f"POST {_SQL}/queries",
                "POST /api/2.0/alerts",
            ),
            Rule(
                method="GET", path=f"{_SQL}/warehouses", show=listed("warehouses", self._sees(WAREHOUSES, "CAN_VIEW"))
            ),
            self._on("GET", warehouse, WAREHOUSES, "CAN_VIEW"),
            self._on("POST", f"{warehouse}/start", WAREHOUSES, "CAN_USE"),
            self._on("POST", f"{warehouse}/stop", WAREHOUSES, "CAN_MANAGE"),
            self._on("POST", f"{warehouse}/edit", WAREHOUSES, "CAN_MANAGE"),
            Rule(method="GET", path=f"{_SQL}/queries", show=listed("results", self._sees(QUERIES, "CAN_VIEW"))),
            self._on("GET", query, QUERIES, "CAN_VIEW"),
            self._on("PATCH", query, QUERIES, "CAN_EDIT"),
            self._on("DELETE", query, QUERIES, "CAN_MANAGE"),
            Rule(method="GET", path=_FUNCTIONS, show=listed("functions", self._sees_function), for_admins=True),
            Rule(method="GET", path=f"{_FUNCTIONS}/{{name}}", check=self._function(manage=False), for_admins=True),
            Rule(method="DELETE", path=f"{_FUNCTIONS}/{{name}}", check=self._function(manage=True), for_admins=True),
            Rule(method="GET", path="/api/2.0/alerts", show=listed("alerts", self._sees(ALERTS, "CAN_READ"))),
            self._on("GET", "/api/2.0/alerts/{id}", ALERTS, "CAN_READ"),
            self._on("PATCH", "/api/2.0/alerts/{id}", ALERTS, "CAN_EDIT"),
            self._on("DELETE", "/api/2.0/alerts/{id}", ALERTS, "CAN_MANAGE"),
        ]

    def _dashboards(self) -> list[Rule]:
        one = f"{_LAKEVIEW}/{{id}}"
        return [
            Rule(method="POST", path=_LAKEVIEW, check=_in_own_folder, reads_body=True),
            Rule(method="GET", path=_LAKEVIEW, show=listed("dashboards", self._sees_dashboard)),
            self._on("GET", one, DASHBOARDS, "CAN_READ"),
            self._on("GET", f"{one}/published", DASHBOARDS, "CAN_READ"),
            self._on("PATCH", one, DASHBOARDS, "CAN_EDIT"),
            self._on("POST", f"{one}/published", DASHBOARDS, "CAN_EDIT"),
            self._on("DELETE", f"{one}/published", DASHBOARDS, "CAN_EDIT"),
            self._on("POST", f"{one}/revert", DASHBOARDS, "CAN_EDIT"),
            self._on("DELETE", one, DASHBOARDS, "CAN_MANAGE"),
        ]

    def _features(self) -> list[Rule]:
        store, pipeline = f"{_STORE}/online-stores/{{name}}", "/api/2.0/pipelines/{pipeline_id}"
        return [
            Rule(
                method="POST",
                path=f"{_STORE}/tables/{{source}}/publish",
                check=self._may_publish,
                reads_body=True,
                for_admins=True,
            ),
            Rule(
                method="DELETE", path=f"{_STORE}/online-tables/{{name}}", check=self._manages("name"), for_admins=True
            ),
            *open_to_all(
                f"GET {_STORE}/online-stores",
                f"GET {store}",
                *(f"{method} /api/2.0/online-tables/{{name}}" for method in ("GET", "DELETE")),
                "POST /api/2.0/online-tables",
            ),
            # An assumption: online stores and their pipelines have access control lists that are not kept here.
            *admins_only(
                f"POST {_STORE}/online-stores",
                f"PATCH {store}",
                f"DELETE {store}",
                "GET /api/2.0/pipelines",
                f"GET {pipeline}",
                f"GET {pipeline}/updates",
                f"POST {pipeline}/updates",
                f"GET {pipeline}/updates/{{update_id}}",
                f"POST {pipeline}/stop",
                f"GET {pipeline}/events",
            ),
        ]

    def _monitors(self) -> list[Rule]:
        dashboard = "/api/2.1/quality-monitoring/tables/{table}/monitor/dashboard"
        return [
            # These check by themselves.
            *open_to_all(
                *any_method(f"{_MONITOR}{{rest:path}}"),
                *any_method("/api/data-quality/v1/monitors{rest:path}"),
            ),
            Rule(method="POST", path=dashboard, check=self._manages("table"), for_admins=True),
        ]

    def _vectors(self) -> list[Rule]:
        """An index is a securable of type table (page "Create vector search endpoints and indexes"): SELECT to ask it,
        MODIFY to write to it, ownership or MANAGE to sync and delete it (the last two are assumptions).

        An assumption: the access control lists of endpoints are not kept here.
        """
        index = f"{_VECTORS}/indexes/{{name}}"
        return [
            Rule(method="POST", path=f"{_VECTORS}/indexes", check=self._may_index, reads_body=True, for_admins=True),
            Rule(method="GET", path=f"{_VECTORS}/indexes", show=listed("vector_indexes", self._sees_index)),
            Rule(method="GET", path=index, check=self._asks_index("SELECT"), for_admins=True),
            *(
                Rule(method="POST", path=f"{index}/{action}", check=self._asks_index("SELECT"), for_admins=True)
                for action in ("query", "scan")
            ),
            Rule(method="POST", path=f"{index}/upsert-data", check=self._asks_index("MODIFY"), for_admins=True),
            Rule(method="DELETE", path=f"{index}/delete-data", check=self._asks_index("MODIFY"), for_admins=True),
            Rule(method="POST", path=f"{index}/sync", check=self._manages("name"), for_admins=True),
            Rule(method="DELETE", path=index, check=self._manages("name"), for_admins=True),
            *open_to_all(f"GET {_VECTORS}/endpoints", f"GET {_VECTORS}/endpoints/{{name}}"),
            *admins_only(
                f"POST {_VECTORS}/endpoints",
                f"DELETE {_VECTORS}/endpoints/{{name}}",
                f"PATCH {_VECTORS}/endpoints/{{name}}/tags",
            ),
        ]

    def _on(self, method: str, path: str, kind: str, level: str) -> Rule:
        def check(call: Call) -> None:
            _unless_missing(lambda: self._rights.require(call.caller, level, kind, call.path["id"]))

        return Rule(method=method, path=path, check=check)

    def _sees(self, kind: str, level: str) -> Callable[[Call, Json], bool]:
        return lambda call, entry: self._rights.has(call.caller, level, kind, str(entry["id"]))

    def _sees_dashboard(self, call: Call, entry: Json) -> bool:
        return self._rights.has(call.caller, "CAN_READ", DASHBOARDS, str(entry["dashboard_id"]))

    def _uses_warehouse(self, call: Call) -> None:
        warehouse = str(call.body.get("warehouse_id") or "")
        _unless_missing(lambda: self._rights.require(call.caller, "CAN_USE", WAREHOUSES, warehouse))

    def _manages(self, parameter: str) -> Callable[[Call], None]:
        return lambda call: _unless_missing(
            lambda: self._privileges.require_manage(call.caller, TABLE, call.path[parameter].lower())
        )

    def _asks_index(self, privilege: str) -> Callable[[Call], None]:
        return lambda call: _unless_missing(
            lambda: self._privileges.require(call.caller, privilege, TABLE, call.path["name"].lower())
        )

    def _sees_index(self, call: Call, entry: Json) -> bool:
        return self._privileges.sees(call.caller, TABLE, str(entry["name"]).lower())

    def _sees_function(self, call: Call, entry: Json) -> bool:
        return self._privileges.sees(call.caller, FUNCTION, str(entry["full_name"]))

    def _function(self, *, manage: bool) -> Callable[[Call], None]:
        require = self._privileges.require_manage if manage else self._privileges.require_read
        return lambda call: _unless_missing(lambda: require(call.caller, FUNCTION, call.path["name"].lower()))

    def _may_index(self, call: Call) -> None:
        spec = call.body.get("delta_sync_index_spec")
        source = str(spec.get("source_table") or "").lower() if isinstance(spec, dict) else ""
        if source:
            _unless_missing(lambda: self._privileges.require(call.caller, "SELECT", TABLE, source))
        index = str(call.body.get("name") or "").lower()
        _unless_missing(
            lambda: self._privileges.require_create(call.caller, "CREATE_TABLE", SCHEMA, schema_of(index, TABLE))
        )

    def _may_publish(self, call: Call) -> None:
        """SELECT on the source, and the right to make the online table, or to change the one that is there."""
        spec = call.body.get("publish_spec")
        online = str(spec.get("online_table_name") or "").lower() if isinstance(spec, dict) else ""
        source = call.path["source"].lower()
        _unless_missing(lambda: self._privileges.require(call.caller, "SELECT", TABLE, source))
        try:
            self._privileges.require_manage(call.caller, TABLE, online)
        except ApiError as error:
            if error.status not in (400, 404):
                raise
            _unless_missing(
                lambda: self._privileges.require_create(call.caller, "CREATE_TABLE", SCHEMA, schema_of(online, TABLE))
            )


def _in_own_folder(call: Call) -> None:
    """Where nothing is said, it is the caller's home."""
    if folder := call.body.get("parent_path"):
        require_folder(call, str(folder))


def _others() -> list[Rule]:
    """Destinations, which all may choose from, and Lakebase, whose access control lists are not kept here."""
    destination, postgres = "/api/2.0/notification-destinations", f"{_POSTGRES}/{{rest:path}}"
    return [
        *open_to_all(f"GET {destination}", f"GET {destination}/{{id}}"),
        *admins_only(
            f"POST {destination}",
            f"PATCH {destination}/{{id}}",
            f"DELETE {destination}/{{id}}",
            *any_method(postgres),
            *any_method("/api/2.0/database/{rest:path}"),
        ),
    ]


def _unless_missing(check: Callable[[], None]) -> None:
    """What is missing, or no name at all, is refused by the service, in its own words."""
    try:
        check()
    except ApiError as error:
        if error.status not in (400, 404):
            raise
