"""Who watches the chatbot, beyond what all serving stacks have: the days' summary, as a saved query and a dashboard,
and the language model's tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from components import databricks
from components.alert_queries import daily_summary
from components.alerts import ServingAlerts, ServingAlertsArgs, TrafficAlertArgs
from components.dashboard import DashboardPermission, ServingDashboard, ServingDashboardArgs
from components.names import ThreePartName
from components.serving_endpoint import ServingEndpoint
from examples.rag.behind import table_of
from examples.rag.config import RagConfig


def daily_query(config: RagConfig, endpoint: ServingEndpoint) -> databricks.Query | None:
    """The saved query over the inference table; None where there is no table."""
    if endpoint.payload_table is None:
        return None
    return databricks.Query(
        "rag-daily",
        display_name=f"{config.endpoint.name}: last 7 days",
        description="Requests, latency and errors by day, newest first, from the inference table.",
        query_text=daily_summary(ThreePartName.parse(endpoint.payload_table), days=7),
        warehouse_id=config.warehouse_id,
        parent_path=config.assets_dir,
        opts=pulumi.ResourceOptions(depends_on=[endpoint]),
    )


def traffic_dashboard(config: RagConfig, endpoint: ServingEndpoint) -> ServingDashboard | None:
    """The same question as a dashboard, for those who look after the endpoint; None where there is no table."""
    if endpoint.payload_table is None:
        return None
    return ServingDashboard(
        "rag-dashboard",
        ServingDashboardArgs(
            title=f"{config.endpoint.name} traffic",
            payload_table=endpoint.payload_table,
            warehouse_id=config.warehouse_id,
            parent_path=config.assets_dir,
            permissions=[
                DashboardPermission(
                    level=entry.level if entry.level == "CAN_MANAGE" else "CAN_READ",
                    group=entry.group,
                    user=entry.user,
                    service_principal=entry.service_principal,
                )
                for entry in config.endpoint.permissions
                # Who only asks the chatbot has no business with its figures.
                if entry.level != "CAN_QUERY"
            ],
        ),
        pulumi.ResourceOptions(depends_on=[endpoint]),
    )


def token_alerts(config: RagConfig, depends_on: Sequence[pulumi.Resource]) -> ServingAlerts | None:
    """The alert on tokens; None where nobody is to hear of them, or nothing counts them."""
    alerts, retrieval = config.alerts, config.retrieval
    own_table = table_of(retrieval.llm, config)
    # The chatbot's own answers name no tokens; the language model's do.
    table = own_table.table if own_table is not None else retrieval.llm.payload_table
    if alerts is None or retrieval.max_tokens is None or table is None:
        return None
    return ServingAlerts(
        "llm-alerts",
        ServingAlertsArgs(
            prefix=f"{config.endpoint.name}-llm",
            warehouse_id=config.warehouse_id,
            parent_path=alerts.parent_path or "/Workspace/Shared",
            traffic=TrafficAlertArgs(
                payload_table=table,
                max_tokens=retrieval.max_tokens,
                window_minutes=alerts.window_minutes,
                delivery_lag_minutes=alerts.delivery_lag_minutes,
            ),
            emails=alerts.emails,
            destinations=alerts.destinations,
            cron=alerts.cron,
            retrigger_seconds=alerts.retrigger_seconds,
        ),
        pulumi.ResourceOptions(depends_on=[*depends_on]),
    )
