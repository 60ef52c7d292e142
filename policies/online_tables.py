"""Resources for online features that Databricks has retired."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs

from policies.reading import UNKNOWN, Reader
from policies.rule import MANDATORY, ResourceRule

ONLINE_TABLE = "databricks:index/onlineTable:OnlineTable"


def _check(args: ResourceValidationArgs) -> Iterator[str]:
    reader = Reader()
    name = reader.get(args.props, "name")
    waivers = args.get_config().get("waivers") or {}
    if name is UNKNOWN and waivers:
        reader.raise_unknown()
    reason = waivers.get(name) if isinstance(name, str) else None
    if reason:
        args.not_applicable(f"waived for {name}: {reason}")
    shown = name if isinstance(name, str) else args.name
    yield (
        f"{shown} is an OnlineTable, which Databricks has not created since January 2026. "
        "Publish the source table to an OnlineStore instead (component FeatureOnlineTable). "
        "For a table that exists already, give the reason in the policy configuration: "
        f'{{"{no_retired_online_table.name}": {{"waivers": {{"{shown}": "why it stays"}}}}}}.'
    )


no_retired_online_table = ResourceRule(
    id="POL-04",
    name="no-retired-online-table",
    description="Refuse an OnlineTable, which Databricks no longer creates, unless it has a waiver with a reason.",
    remediation="Replace the OnlineTable by an OnlineStore and a published table (component FeatureOnlineTable).",
    staging=MANDATORY,
    prod=MANDATORY,
    options={
        "waivers": {
            "type": "object",
            "description": "Why an online table may stay, by the table's full name.",
            "additionalProperties": {"type": "string", "minLength": 1},
            "default": {},
        }
    },
    types=frozenset({ONLINE_TABLE}),
    check=_check,
)
