"""`/api/data-quality/v1/monitors`: the same monitors, by the table's id, in newer words.

Source: `databricks.sdk.service.dataquality` (names, enums, what is marked unimplemented). A monitor that one API made
is read by the other. Anomaly detection of schemas computes nothing here and is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from starlette.routing import BaseRoute

from workspace.documents import Document
from workspace.errors import ApiError, invalid, not_found, not_implemented
from workspace.http import Call, Json, api
from workspace.identity import current_caller
from workspace.monitors.refreshes import shown as shown_refresh
from workspace.sql.warehouses import WAREHOUSE_ID
from workspace.unity_catalog.securables import TABLE
from workspace.unity_catalog.service import UnityCatalog
from workspace.unity_catalog.table import Table

if TYPE_CHECKING:
    from workspace.monitors.service import Monitors

_MONITORS = "/api/data-quality/v1/monitors"
_MONITOR = f"{_MONITORS}/{{type}}/{{id}}"
_REFRESHES = f"{_MONITOR}/refreshes"
_REFRESH = f"{_REFRESHES}/{{refresh}}"
_PROFILING = "data_profiling_config"
_PAGE = 100

_GRANULARITIES = {
    f"AGGREGATION_GRANULARITY_{text.upper().replace(' ', '_')}": text
    for text in (
        *("5 minutes", "30 minutes", "1 hour", "1 day", "1 week", "2 weeks", "3 weeks", "4 weeks", "1 month", "1 year"),
    )
}
_OLD_GRANULARITIES = {text: name for name, text in _GRANULARITIES.items()}
# The same field under two names: here, and in the older API.
_TIME_SERIES = {"timestamp_column": "timestamp_col"}
_INFERENCE_LOG = {
    **_TIME_SERIES,
    "prediction_column": "prediction_col",
    "model_id_column": "model_id_col",
    "label_column": "label_col",
}
_SAME = ("assets_dir", "baseline_table_name", "skip_builtin_dashboard", "slicing_exprs", "snapshot", "warehouse_id")
_OUTPUT_ONLY = (
    "dashboard_id",
    "drift_metrics_table_name",
    "effective_warehouse_id",
    "latest_monitor_failure_message",
    "monitor_version",
    "monitored_table_name",
    "profile_metrics_table_name",
    "status",
)
_TRIGGERS = {"MANUAL": "MONITOR_REFRESH_TRIGGER_MANUAL", "SCHEDULE": "MONITOR_REFRESH_TRIGGER_SCHEDULE"}
_KNOWN = {*_SAME, *_OUTPUT_ONLY, "output_schema_id", "custom_metrics", "inference_log", "time_series", "schedule"} | {
    "notification_settings"
}


class DataQuality:
    """The API that `databricks.sdk.service.dataquality.DataQualityAPI` speaks to."""

    def __init__(self, monitors: Monitors, catalog: UnityCatalog) -> None:
        self._monitors = monitors
        self._catalog = catalog

    def routes(self) -> list[BaseRoute]:
        return [
            api("POST", _MONITORS, self._create),
            api("GET", _MONITORS, _unimplemented("The service has not implemented listing monitors either")),
            api("GET", _MONITOR, lambda call: self._shown(self._read(call))),
            api("PATCH", _MONITOR, self._update),
            api("DELETE", _MONITOR, self._delete),
            api("POST", _REFRESHES, self._refresh),
            api("GET", _REFRESHES, self._list),
            api("GET", _REFRESH, self._get),
            api("POST", f"{_REFRESH}/cancel", self._cancel),
            api("PATCH", _REFRESH, _unimplemented("The service has not implemented changing a refresh either")),
            api("DELETE", _REFRESH, _unimplemented("The service has not implemented deleting a refresh either")),
        ]

    def _create(self, call: Call) -> Json:
        kind, identity = call.require("object_type", "object_id")
        if call.body.get("anomaly_detection_config") is not None:
            raise not_implemented("POST", f"{_MONITORS} with anomaly_detection_config: it detects no anomalies")
        table = self._managed(kind, identity, reads=True)
        config = call.body.get(_PROFILING)
        if not isinstance(config, dict):
            raise invalid(f"{_PROFILING} is required for object_type 'table'; received {config!r}")
        self._monitors.create(table, self._old_words(config))
        return self._shown(table)

    def _update(self, call: Call) -> Json:
        table = self._managed(call.path["type"], call.path["id"], reads=True)
        mask = [field for field in call.query.get("update_mask", "").split(",") if field]
        if not mask:
            raise invalid("update_mask is required: the fields to change, such as 'data_profiling_config.schedule'")
        config = dict(self._shown(table)[_PROFILING])
        sent = call.body.get(_PROFILING) or {}
        if not isinstance(sent, dict):
            raise invalid(f"{_PROFILING} must be an object, received {sent!r}")
        for field in mask:
            if field == "anomaly_detection_config":
                if call.body.get(field) is not None:
                    raise not_implemented("PATCH", f"{_MONITORS} of anomaly_detection_config: it detects no anomalies")
            elif field in ("*", _PROFILING):
                config = dict(sent)
            elif field.startswith(f"{_PROFILING}."):
                _assign(config, sent, field.removeprefix(f"{_PROFILING}.").split("."))
            else:
                raise invalid(f"update_mask: '{field}' is no field of a monitor that can change")
        config.setdefault("output_schema_id", self._shown(table)[_PROFILING]["output_schema_id"])
        changed = {name: value for name, value in config.items() if name not in _OUTPUT_ONLY and value is not None}
        self._monitors.update(table, self._old_words(changed))
        return self._shown(table)

    def _delete(self, call: Call) -> Json:
        self._monitors.delete(self._managed(call.path["type"], call.path["id"]))
        return {}

    def _refresh(self, call: Call) -> Json:
        table = self._managed(call.path["type"], call.path["id"])
        return _refresh_shown(table, self._monitors.refresh(table))

    def _list(self, call: Call) -> Json:
        table = self._read(call)
        self._monitors.store.require(table)
        start, size = (call.query.get(name) or default for name, default in (("page_token", "0"), ("page_size", "0")))
        if not start.isdecimal() or not size.isdecimal():
            raise invalid(f"page_size and page_token must be numbers, received '{size}' and '{start}'")
        end = int(start) + (int(size) or _PAGE)
        every = self._monitors.refreshes.of(table.table_id)
        page: Json = {"refreshes": [_refresh_shown(table, one) for one in every[int(start) : end]]}
        return page | ({"next_page_token": str(end)} if end < len(every) else {})

    def _get(self, call: Call) -> Json:
        table = self._read(call)
        self._monitors.store.require(table)
        return _refresh_shown(table, self._monitors.refreshes.get(table.table_id, call.path["refresh"]))

    def _cancel(self, call: Call) -> Json:
        table = self._managed(call.path["type"], call.path["id"])
        self._monitors.store.require(table)
        self._monitors.refreshes.cancel(table.table_id, call.path["refresh"])
        return {"refresh": _refresh_shown(table, self._monitors.refreshes.get(table.table_id, call.path["refresh"]))}

    def _table(self, kind: str, identity: str) -> Table:
        """The table of a request; ApiError 404 for an id that no table has, 400 or 501 for another kind of object."""
        if kind == "schema":
            raise not_implemented("*", f"{_MONITORS}/schema/...: it detects no anomalies of schemas")
        if kind != "table":
            raise invalid(f"object_type must be 'schema' or 'table', received '{kind}'")
        tables, containers = self._catalog.tables, self._catalog.containers
        for catalog in containers.catalogs():
            for schema in containers.schemas(catalog["name"]):
                for name in tables.names(catalog["name"], schema["name"]):
                    if tables.identity(name) == identity:
                        return tables.get(name)
        raise not_found(f"Table with id '{identity}' does not exist.")

    def _managed(self, kind: str, identity: str, *, reads: bool = False) -> Table:
        table = self._table(kind, identity)
        self._catalog.privileges.require_manage(current_caller(), TABLE, table.full_name)
        if reads:
            self._catalog.privileges.require(current_caller(), "SELECT", TABLE, table.full_name)
        return table

    def _read(self, call: Call) -> Table:
        table = self._table(call.path["type"], call.path["id"])
        self._catalog.privileges.require(current_caller(), "SELECT", TABLE, table.full_name)
        return table

    def _old_words(self, config: Mapping[str, Any]) -> Json:
        """A configuration as the older API has it."""
        unknown = sorted(set(config) - _KNOWN)
        if unknown:
            raise invalid(f"{_PROFILING} has no field '{unknown[0]}'; it has {', '.join(sorted(_KNOWN))}")
        body: Json = {name: config[name] for name in _SAME if config.get(name) is not None}
        body.setdefault("assets_dir", f"/Users/{current_caller().user_name}/databricks_lakehouse_monitoring")
        body["output_schema_name"] = self._schema_name(str(config.get("output_schema_id") or ""))
        for name, fields in (("inference_log", _INFERENCE_LOG), ("time_series", _TIME_SERIES)):
            if config.get(name) is not None:
                body[name] = _windowed(name, config[name], fields)
        if config.get("custom_metrics"):
            metrics = config["custom_metrics"]
            if not isinstance(metrics, list) or not all(isinstance(metric, dict) for metric in metrics):
                raise invalid(f"{_PROFILING}.custom_metrics must be a list of objects, received {metrics!r}")
            body["custom_metrics"] = [
                {**metric, "type": str(metric.get("type")).removeprefix("DATA_PROFILING_")} for metric in metrics
            ]
        if config.get("schedule"):
            if not isinstance(config["schedule"], dict):
                raise invalid(f"{_PROFILING}.schedule must be an object, received {config['schedule']!r}")
            pause = str(config["schedule"].get("pause_status") or "").removeprefix("CRON_SCHEDULE_PAUSE_STATUS_")
            body["schedule"] = {**config["schedule"], "pause_status": pause}
        if config.get("notification_settings"):
            body["notifications"] = config["notification_settings"]
        return body

    def _shown(self, table: Table) -> Json:
        record = self._monitors.store.require(table)
        monitor = self._monitors.store.shown(record)
        catalog, _, schema = monitor["output_schema_name"].partition(".")
        config: Json = {
            **{name: monitor[name] for name in _SAME if name in monitor},
            "output_schema_id": self._catalog.containers.schema(catalog, schema)["schema_id"],
            "monitored_table_name": monitor["table_name"],
            "status": monitor["status"].replace("MONITOR_STATUS", "DATA_PROFILING_STATUS"),
            "effective_warehouse_id": record["warehouse_id"] or WAREHOUSE_ID,
        }
        for name in ("monitor_version", "profile_metrics_table_name", "drift_metrics_table_name", "dashboard_id"):
            if name in monitor:
                config[name] = monitor[name]
        if record["warehouse_id"]:
            config["warehouse_id"] = record["warehouse_id"]
        if "latest_monitor_failure_msg" in monitor:
            config["latest_monitor_failure_message"] = monitor["latest_monitor_failure_msg"]
        for name, fields in (("inference_log", _INFERENCE_LOG), ("time_series", _TIME_SERIES)):
            if name in monitor:
                config[name] = _windowed_back(monitor[name], fields)
        if "custom_metrics" in monitor:
            config["custom_metrics"] = [
                {**metric, "type": f"DATA_PROFILING_{metric['type']}"} for metric in monitor["custom_metrics"]
            ]
        if "schedule" in monitor:
            pause = f"CRON_SCHEDULE_PAUSE_STATUS_{monitor['schedule']['pause_status']}"
            config["schedule"] = {**monitor["schedule"], "pause_status": pause}
        if "notifications" in monitor:
            config["notification_settings"] = monitor["notifications"]
        return {"object_type": "table", "object_id": table.table_id, _PROFILING: config}

    def _schema_name(self, schema_id: str) -> str:
        containers = self._catalog.containers
        for catalog in containers.catalogs():
            for schema in containers.schemas(catalog["name"]):
                if schema["schema_id"] == schema_id:
                    return f"{catalog['name']}.{schema['name']}"
        raise not_found(f"Schema with id '{schema_id}' does not exist ({_PROFILING}.output_schema_id).")


def _windowed(name: str, part: Any, fields: Mapping[str, str]) -> Json:
    """`inference_log` or `time_series` in the older words."""
    if not isinstance(part, dict):
        raise invalid(f"{_PROFILING}.{name} must be an object, received {part!r}")
    body: Json = {old: part[new] for new, old in fields.items() if part.get(new) is not None}
    given = part.get("granularities") or []
    if not isinstance(given, list):
        raise invalid(f"{name}.granularities must be a list, received {given!r}")
    for granularity in given:
        if not isinstance(granularity, str) or granularity not in _GRANULARITIES:
            raise invalid(f"{name}.granularities: '{granularity}' is not one of {', '.join(_GRANULARITIES)}")
    body["granularities"] = [_GRANULARITIES[granularity] for granularity in given]
    if name == "inference_log":
        body["problem_type"] = str(part.get("problem_type")).removeprefix("INFERENCE_")
    return body


def _windowed_back(part: Mapping[str, Any], fields: Mapping[str, str]) -> Json:
    shown: Json = {new: part[old] for new, old in fields.items() if old in part}
    # A number of weeks that only the older API can ask for stays in its words.
    shown["granularities"] = [_OLD_GRANULARITIES.get(text, text) for text in part["granularities"]]
    if "problem_type" in part:
        shown["problem_type"] = f"INFERENCE_{part['problem_type']}"
    return shown


def _assign(config: Json, sent: Mapping[str, Any], path: list[str]) -> None:
    """Take one field of a mask from what was sent; what was not sent is gone."""
    name, *rest = path
    if name not in _KNOWN or name in _OUTPUT_ONLY:
        raise invalid(f"update_mask: '{_PROFILING}.{'.'.join(path)}' is no field that can change")
    if rest:
        inner = config.get(name) or {}
        if not isinstance(inner, dict):
            raise invalid(f"update_mask: '{_PROFILING}.{name}' has no fields of its own")
        given = sent.get(name) or {}
        if not isinstance(given, dict) or len(rest) > 1:
            raise invalid(f"update_mask: '{_PROFILING}.{'.'.join(path)}' is not in {given!r}")
        value = given.get(rest[0])
        inner = {**inner, rest[0]: value} if value is not None else {k: v for k, v in inner.items() if k != rest[0]}
        config[name] = inner
    elif sent.get(name) is None:
        config.pop(name, None)
    else:
        config[name] = sent[name]


def _refresh_shown(table: Table, refresh: Document) -> Json:
    shown = shown_refresh(refresh)
    return {
        **shown,
        "state": f"MONITOR_REFRESH_STATE_{shown['state']}",
        "trigger": _TRIGGERS[shown["trigger"]],
        "object_type": "table",
        "object_id": table.table_id,
    }


def _unimplemented(why: str) -> Callable[[Call], Json]:
    def handler(call: Call) -> Json:
        raise ApiError(501, "NOT_IMPLEMENTED", f"{why} ({call.method} {_MONITORS}).")

    return handler
