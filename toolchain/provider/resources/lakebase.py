"""Rows for Lakebase Autoscaling (``Postgres*``); their Pulumi id is the text ``missing ID``, as officially."""

from typing import Final

from toolchain.provider.fields import block, blocks, boolean, integer, key_values, mapping, number, text, texts
from toolchain.provider.schema import Call, Family, Field, Resource
from toolchain.provider.strategies.operations import LongRunning

_POSTGRES: Final = "/api/2.0/postgres"
_MISSING: Final = "missing ID"
_TIMES: Final = (text("create_time", output=True), text("update_time", output=True), text("uid", output=True))


def _row(
    kind: str, *, create: str, identifier: str, fields: tuple[Field, ...], mask: str = "spec", purges: bool = False
) -> Resource:
    """One type: its id goes into the query of the create call, everything else follows from its ``name``."""
    query = {identifier: f"{{+{identifier}}}"}
    if any(item.api == "replace_existing" for item in fields):
        query["replace_existing"] = "{+replace_existing}"
    return Resource(
        type=f"databricks:index/{kind[0].lower()}{kind[1:]}:{kind}",
        family=Family.FRAMEWORK,
        fields=fields,
        id=_MISSING,
        create=Call(method="POST", path=f"{_POSTGRES}/{create}", sends=("*",), query=query),
        read=Call(method="GET", path=f"{_POSTGRES}/{{+name}}"),
        update=Call(
            method="PATCH", path=f"{_POSTGRES}/{{+name}}", sends=("*",), carries=("name",), query={"update_mask": mask}
        ),
        delete=Call(
            method="DELETE", path=f"{_POSTGRES}/{{+name}}", query={"purge": "{+purge_on_delete}"} if purges else {}
        ),
        id_in_state=False,
        strategy=LongRunning(),
    )


_NAME: Final = text("name", output=True, stable=True)
_GROUP: Final = block(
    "group", boolean("enable_readable_secondaries"), integer("max", required=True), integer("min", required=True)
)
_LIMITS: Final = (
    number("autoscaling_limit_max_cu"),
    number("autoscaling_limit_min_cu"),
    boolean("no_suspension"),
    text("suspend_timeout_duration"),
)
_DEFAULTS: Final = block("default_endpoint_settings", *_LIMITS, mapping("pg_settings"))

PROJECT: Final = _row(
    "PostgresProject",
    create="projects",
    identifier="project_id",
    mask="initial_branch_spec,initial_endpoint_spec,spec",
    purges=True,
    fields=(
        text("project_id", required=True, replaces=True, keep=True),
        block("initial_branch_spec", boolean("is_protected"), keep=True),
        block("initial_endpoint_spec", *_LIMITS, _GROUP, keep=True),
        boolean("purge_on_delete", local=True),
        block(
            "spec",
            text("budget_policy_id"),
            key_values("custom_tags"),
            text("default_branch"),
            _DEFAULTS,
            text("display_name"),
            boolean("enable_pg_native_login"),
            text("history_retention_duration"),
            integer("pg_version", replaces=True),
            keep=True,
        ),
        block(
            "status",
            text("budget_policy_id"),
            text("default_branch"),
            _DEFAULTS,
            text("display_name"),
            boolean("enable_pg_native_login"),
            text("history_retention_duration"),
            text("owner"),
            integer("pg_version"),
            output=True,
        ),
        _NAME,
        text("delete_time", output=True),
        text("purge_time", output=True),
        *_TIMES,
    ),
)

BRANCH: Final = _row(
    "PostgresBranch",
    create="{+parent}/branches",
    identifier="branch_id",
    purges=True,
    fields=(
        text("branch_id", required=True, replaces=True, keep=True),
        text("parent", required=True, replaces=True, keep=True),
        boolean("purge_on_delete", local=True),
        boolean("replace_existing", local=True),
        block(
            "spec",
            text("expire_time"),
            boolean("is_protected"),
            boolean("no_expiry"),
            text("source_branch", replaces=True),
            text("source_branch_lsn", replaces=True),
            text("source_branch_time", replaces=True),
            text("source_snapshot", replaces=True),
            text("ttl"),
            keep=True,
        ),
        block(
            "status",
            text("current_state"),
            boolean("default"),
            text("expire_time"),
            boolean("is_protected"),
            text("pending_state"),
            text("source_branch"),
            output=True,
        ),
        _NAME,
        *_TIMES,
    ),
)

ENDPOINT: Final = _row(
    "PostgresEndpoint",
    create="{+parent}/endpoints",
    identifier="endpoint_id",
    fields=(
        text("endpoint_id", required=True, replaces=True, keep=True),
        text("parent", required=True, replaces=True, keep=True),
        boolean("replace_existing", local=True),
        block(
            "spec",
            *_LIMITS,
            boolean("disabled"),
            text("endpoint_type", required=True, replaces=True),
            _GROUP,
            block("settings", mapping("pg_settings")),
            keep=True,
        ),
        block(
            "status",
            *_LIMITS,
            text("current_state"),
            boolean("disabled"),
            text("endpoint_type"),
            block(
                "hosts",
                text("host"),
                text("read_only_host"),
                text("read_only_pooled_host"),
                text("read_write_pooled_host"),
            ),
            text("pending_state"),
            output=True,
        ),
        _NAME,
        *_TIMES,
    ),
)

SYNCED_TABLE: Final = _row(
    "PostgresSyncedTable",
    create="synced_tables",
    identifier="synced_table_id",
    fields=(
        text("synced_table_id", required=True, replaces=True, keep=True),
        block(
            "spec",
            boolean("accelerated_sync"),
            text("branch"),
            boolean("create_database_objects_if_missing"),
            text("existing_pipeline_id"),
            blocks(
                "extra_columns",
                text("column_name", required=True),
                text("column_type", required=True),
                text("compute"),
                text("maintenance"),
            ),
            block(
                "new_pipeline_spec",
                text("budget_policy_id"),
                text("pipeline_channel"),
                text("storage_catalog"),
                text("storage_schema"),
            ),
            text("postgres_database"),
            texts("primary_key_columns"),
            text("scheduling_policy"),
            text("source_table_full_name"),
            text("timeseries_key"),
            blocks(
                "type_overrides",
                text("column_name", required=True),
                text("pg_type", required=True),
                integer("size"),
            ),
            keep=True,
            replaces=True,
        ),
        block(
            "status",
            text("detailed_state"),
            text("last_sync_time"),
            text("message"),
            text("pipeline_id"),
            text("unity_catalog_provisioning_state"),
            output=True,
            stable=True,
        ),
        _NAME,
        text("create_time", output=True, stable=True),
        text("uid", output=True, stable=True),
    ),
)

ROWS: Final = (PROJECT, BRANCH, ENDPOINT, SYNCED_TABLE)
