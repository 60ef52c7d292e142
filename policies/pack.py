"""The pack: its rules."""

from __future__ import annotations

from pulumi_policy import PolicyPack

from policies.online_tables import no_retired_online_table
from policies.rule import Rule
from policies.served_entities import served_entity_version_is_a_number
from policies.smoke import endpoint_has_a_smoke_query
from policies.traffic import traffic_routes_add_up

NAME = "databricks-serving"

RULES: tuple[Rule, ...] = (
    served_entity_version_is_a_number,
    traffic_routes_add_up,
    no_retired_online_table,
    endpoint_has_a_smoke_query,
)


def serve() -> None:
    """Run the pack for the engine that started this process; returns when the engine is done."""
    PolicyPack(NAME, [policy for rule in RULES for policy in rule.policies()])
