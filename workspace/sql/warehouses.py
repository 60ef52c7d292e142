"""The one SQL warehouse: `local`, always RUNNING."""

from __future__ import annotations

from starlette.routing import BaseRoute

from workspace.errors import not_found
from workspace.http import Answer, Call, Json, api

WAREHOUSE_ID = "local"
BASE = "/api/2.0/sql/warehouses"


def routes() -> list[BaseRoute]:
    return [
        api("GET", BASE, lambda call: {"warehouses": [_warehouse(call)]}),
        api("GET", f"{BASE}/{{id}}", lambda call: _warehouse(check(call.path["id"], call))),
        api("POST", f"{BASE}/{{id}}/start", lambda call: _started(check(call.path["id"], call))),
        api("GET", "/api/2.0/preview/sql/data_sources", _data_sources),
    ]


def check(warehouse_id: str, call: Call) -> Call:
    """The call, where it names the warehouse; ApiError 404 otherwise."""
    require(warehouse_id)
    return call


def require(warehouse_id: str) -> None:
    """Raises ApiError 404 for any id but the warehouse's."""
    if warehouse_id != WAREHOUSE_ID:
        raise not_found(f"SQL warehouse {warehouse_id} does not exist; the embedded workspace has '{WAREHOUSE_ID}'.")


def _started(_: Call) -> Json:
    return {}


def _warehouse(call: Call) -> Json:
    host = call.headers.get("host", "127.0.0.1")
    return {
        "id": WAREHOUSE_ID,
        "name": WAREHOUSE_ID,
        "state": "RUNNING",
        "health": {"status": "HEALTHY"},
        "cluster_size": "2X-Small",
        "min_num_clusters": 1,
        "max_num_clusters": 1,
        "num_clusters": 1,
        "num_active_sessions": 0,
        "auto_stop_mins": 0,
        "enable_photon": False,
        "enable_serverless_compute": False,
        "warehouse_type": "PRO",
        "spot_instance_policy": "COST_OPTIMIZED",
        "channel": {"name": "CHANNEL_NAME_CURRENT"},
        "creator_name": call.caller.user_name,
        "odbc_params": {
            "hostname": host.partition(":")[0],
            "path": f"/sql/1.0/warehouses/{WAREHOUSE_ID}",
            "protocol": "http",
            "port": int(host.partition(":")[2] or 80),
        },
    }


def _data_sources(_: Call) -> Answer:
    # A list at the top, as the service answers; the provider fails to read a warehouse that is not in it.
    return Answer(
        [{"id": WAREHOUSE_ID, "name": WAREHOUSE_ID, "warehouse_id": WAREHOUSE_ID, "type": "databricks_internal"}]
    )
