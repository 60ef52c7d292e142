"""Rows for AI/BI dashboards.

Read in the provider's sources (`dashboards/resource_dashboard.go`), not recorded. `filePath`, a path on the plugin's
machine, is not supported: content travels as text.
"""

from typing import Final

from toolchain.provider.fields import boolean, text
from toolchain.provider.schema import Call, Family, Resource
from toolchain.provider.strategies.dashboards import Dashboard

_API: Final = "/api/2.0/lakeview/dashboards"
_OURS: Final = ("embed_credentials", "dataset_catalog", "dataset_schema", "md5", "file_path")
_DEFAULTS: Final = {"dataset_catalog": "{+dataset_catalog}", "dataset_schema": "{+dataset_schema}"}

DASHBOARD: Final = Resource(
    type="databricks:index/dashboard:Dashboard",
    family=Family.SDK,
    fields=(
        text("display_name", required=True),
        text("parent_path", required=True, strategic=True, replaces=True),
        text("warehouse_id", required=True),
        text("serialized_dashboard", strategic=True),
        text("file_path", keep=True),
        boolean("embed_credentials", local=True, default=True),
        text("dataset_catalog", keep=True),
        text("dataset_schema", keep=True),
        text("create_time", output=True),
        text("dashboard_id", output=True),
        text("etag", output=True),
        text("lifecycle_state", output=True),
        text("path", output=True),
        text("update_time", output=True),
        text("md5", output=True, local=True),
        boolean("dashboard_change_detected", output=True, local=True),
    ),
    id="{+answer_dashboard_id}",
    create=Call(method="POST", path=_API, sends=("*",), omits=_OURS, query=_DEFAULTS),
    read=Call(method="GET", path=f"{_API}/{{id}}"),
    update=Call(
        method="PATCH",
        path=f"{_API}/{{id}}",
        sends=("*",),
        omits=_OURS,
        carries=("create_time", "dashboard_id", "etag", "lifecycle_state", "path", "update_time"),
        query=_DEFAULTS,
    ),
    delete=Call(method="DELETE", path=f"{_API}/{{id}}"),
    strategy=Dashboard(),
)

ROWS: Final = (DASHBOARD,)
