"""Rows for Unity Catalog objects, tables made by SQL, and saved queries."""

from typing import Final

from toolchain.provider.fields import block, blocks, boolean, integer, mapping, number, text, texts
from toolchain.provider.schema import Call, Family, Resource
from toolchain.provider.strategies.catalogs import Catalog
from toolchain.provider.strategies.owned import Owned
from toolchain.provider.strategies.queries import Query
from toolchain.provider.strategies.sql_table import SqlTable

_UC: Final = "/api/2.1/unity-catalog"
_QUERIES: Final = "/api/2.0/sql/queries"

SCHEMA: Final = Resource(
    type="databricks:index/schema:Schema",
    family=Family.SDK,
    fields=(
        text("name", replaces=True, any_case=True),
        text("catalog_name", required=True, replaces=True, any_case=True),
        text("comment", clears=True),
        text("enable_predictive_optimization", computed=True),
        boolean("force_destroy", local=True),
        text("metastore_id", computed=True),
        text("owner", computed=True),
        mapping("properties"),
        text("storage_root", replaces=True),
        text("schema_id", output=True),
    ),
    id="{+catalog_name}.{+name}",
    import_id=(".", "catalog_name name"),
    create=Call(
        method="POST", path=f"{_UC}/schemas", sends=("catalog_name", "name", "comment", "properties", "storage_root")
    ),
    read=Call(method="GET", path=f"{_UC}/schemas/{{id}}"),
    update=Call(
        method="PATCH", path=f"{_UC}/schemas/{{id}}", sends=("comment", "enable_predictive_optimization", "properties")
    ),
    delete=Call(method="DELETE", path=f"{_UC}/schemas/{{id}}", query={"force": "{+force_destroy}"}),
    strategy=Owned(checks_metastore=True),
)

CATALOG: Final = Resource(
    type="databricks:index/catalog:Catalog",
    family=Family.SDK,
    fields=(
        text("name", replaces=True, any_case=True),
        boolean("browse_only", computed=True),
        text("comment", clears=True),
        text("connection_name", replaces=True),
        integer("custom_max_retention_hours", computed=True),
        block(
            "effective_predictive_optimization_flag",
            text("inherited_from_name"),
            text("inherited_from_type"),
            text("value", required=True),
            computed=True,
        ),
        text("enable_predictive_optimization", computed=True),
        boolean("force_destroy", local=True),
        text("isolation_mode", computed=True),
        text("metastore_id", computed=True),
        mapping("options"),
        text("owner", computed=True),
        mapping("properties"),
        text("provider_name", replaces=True),
        block("provisioning_info", text("state"), computed=True),
        text("share_name", replaces=True),
        text("storage_root", replaces=True),
        text("catalog_type", output=True),
        integer("created_at", output=True),
        text("created_by", output=True),
        text("full_name", output=True),
        text("securable_type", output=True),
        text("storage_location", output=True),
        integer("updated_at", output=True),
        text("updated_by", output=True),
    ),
    id="{+name}",
    import_id=("", "name"),
    create=Call(
        method="POST",
        path=f"{_UC}/catalogs",
        sends=(
            "name",
            "comment",
            "connection_name",
            "options",
            "properties",
            "provider_name",
            "share_name",
            "storage_root",
        ),
    ),
    read=Call(method="GET", path=f"{_UC}/catalogs/{{id}}"),
    update=Call(
        method="PATCH",
        path=f"{_UC}/catalogs/{{id}}",
        sends=("comment", "enable_predictive_optimization", "isolation_mode", "options", "properties"),
    ),
    delete=Call(method="DELETE", path=f"{_UC}/catalogs/{{id}}", query={"force": "{+force_destroy}"}),
    strategy=Catalog(checks_metastore=True),
)

VOLUME: Final = Resource(
    type="databricks:index/volume:Volume",
    family=Family.SDK,
    fields=(
        text("name"),
        text("catalog_name", required=True, replaces=True, any_case=True),
        text("schema_name", required=True, replaces=True, any_case=True),
        text("volume_type", required=True, replaces=True, any_case=True),
        text("comment", clears=True),
        text("owner", computed=True),
        text("storage_location", replaces=True, computed=True),
        text("volume_path", formula="/Volumes/{+catalog_name}/{+schema_name}/{+name}", output=True),
    ),
    id="{+catalog_name}.{+schema_name}.{+name}",
    import_id=(".", "catalog_name schema_name name"),
    create=Call(
        method="POST",
        path=f"{_UC}/volumes",
        sends=("catalog_name", "schema_name", "name", "volume_type", "comment", "storage_location"),
    ),
    read=Call(method="GET", path=f"{_UC}/volumes/{{id}}"),
    update=Call(method="PATCH", path=f"{_UC}/volumes/{{id}}", sends=("comment",)),
    delete=Call(method="DELETE", path=f"{_UC}/volumes/{{id}}"),
    strategy=Owned(renames=True),
)

SQL_TABLE: Final = Resource(
    type="databricks:index/sqlTable:SqlTable",
    family=Family.SDK,
    fields=(
        text("name", replaces=True, any_case=True),
        text("catalog_name", required=True, replaces=True, any_case=True),
        text("schema_name", required=True, replaces=True, any_case=True),
        text("table_type", required=True, replaces=True, any_case=True),
        text("cluster_id", local=True),
        texts("cluster_keys", keep=True),
        blocks(
            "columns",
            text("name", required=True),
            text("comment"),
            text("identity", local=True),
            boolean("nullable", default=True),
            text("type", computed=True),
            text("type_json", local=True),
            computed=True,
            match="name",
        ),
        text("comment"),
        text("data_source_format", replaces=True, computed=True, any_case=True),
        mapping("options", replaces=True, local=True),
        text("owner", computed=True),
        texts("partitions", replaces=True, local=True),
        mapping("properties"),
        text("storage_credential_name", replaces=True),
        text("storage_location", replaces=True, computed=True),
        text("view_definition"),
        text("warehouse_id", local=True),
        mapping("effective_properties", output=True),
        text("table_id", output=True),
    ),
    id="{+catalog_name}.{+schema_name}.{+name}",
    import_id=(".", "catalog_name schema_name name"),
    create=Call(method="POST", path="/api/2.0/sql/statements"),
    read=Call(method="GET", path=f"{_UC}/tables/{{id}}"),
    update=None,
    delete=Call(method="POST", path="/api/2.0/sql/statements"),
    strategy=SqlTable(),
)

_MULTIPLE: Final = block("multi_values_options", text("prefix"), text("separator"), text("suffix"))
_PARAMETERS: Final = blocks(
    "parameters",
    text("name", required=True),
    text("title"),
    block("text_value", text("value", required=True)),
    block("numeric_value", number("value", required=True)),
    block("date_value", text("date_value"), text("dynamic_date_value"), text("precision")),
    block(
        "date_range_value",
        block("date_range_value", text("start", required=True), text("end", required=True)),
        text("dynamic_date_range_value"),
        text("precision"),
        integer("start_day_of_week"),
    ),
    block("enum_value", text("enum_options"), _MULTIPLE, texts("values")),
    block("query_backed_value", text("query_id", required=True), _MULTIPLE, texts("values")),
)

QUERY: Final = Resource(
    type="databricks:index/query:Query",
    family=Family.SDK,
    fields=(
        text("display_name", required=True),
        text("query_text", required=True),
        text("warehouse_id", required=True),
        boolean("apply_auto_limit"),
        text("catalog"),
        text("description"),
        _PARAMETERS,
        text("parent_path", replaces=True, computed=True),
        text("run_as_mode", computed=True),
        text("schema"),
        texts("tags"),
        text("owner_user_name", computed=True),
        text("create_time", output=True),
        text("last_modifier_user_name", output=True),
        text("lifecycle_state", output=True),
        text("update_time", output=True),
    ),
    id="{+answer_id}",
    create=Call(
        method="POST", path=_QUERIES, sends=("*",), wrap="query", constants={"auto_resolve_display_name": False}
    ),
    read=Call(method="GET", path=f"{_QUERIES}/{{id}}"),
    update=Call(
        method="PATCH",
        path=f"{_QUERIES}/{{id}}",
        sends=("*",),
        omits=("parent_path",),
        wrap="query",
        constants={"auto_resolve_display_name": False},
    ),
    delete=Call(method="DELETE", path=f"{_QUERIES}/{{id}}"),
    strategy=Query(),
)

ROWS: Final = (SCHEMA, CATALOG, VOLUME, SQL_TABLE, QUERY)
