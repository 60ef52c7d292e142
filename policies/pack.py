"""The pack: its rules, and the level of each in a stack."""

from __future__ import annotations

import pulumi
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

TRIAL_ENVIRONMENTS = frozenset({"local", "dev", "test", "staging"})
"""Where the milder levels apply. Any other name is production, so that no stack escapes by being called `prod-eu`."""


def is_production(environment: str) -> bool:
    return environment not in TRIAL_ENVIRONMENTS


def environment_of_stack() -> str:
    """`environment` of the stack file's `<project>:serving`, else the stack's name: the same order as the program's."""
    declared = (pulumi.Config(pulumi.get_project()).get_object("serving") or {}).get("environment")
    return str(declared or pulumi.get_stack())


def serve() -> None:
    """Run the pack for the engine that started this process; returns when the engine is done."""
    production = is_production(environment_of_stack())
    PolicyPack(NAME, [rule.policy(rule.level(production=production)) for rule in RULES])
