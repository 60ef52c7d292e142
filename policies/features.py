"""Online features: stores, published tables, and the resources that Databricks has retired."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from policies import sources
from policies.endpoints import as_text
from policies.reading import UNKNOWN
from policies.rule import ADVISORY, HIGH, MANDATORY, MEDIUM, OFF, ResourceRule, StackRule
from policies.subject import Stack, Subject

ONLINE_TABLE = "databricks:index/onlineTable:OnlineTable"
ONLINE_STORE = "databricks:index/onlineStore:OnlineStore"
PUBLISHED_TABLE = "pulumi-python:dynamic/serving:PublishedTable"
TAG_ASSIGNMENT = "databricks:index/entityTagAssignment:EntityTagAssignment"
#: The option of every rule about personal data.
PERSONAL_DATA_TAGS: Mapping[str, Mapping[str, Any]] = {
    "tags": {
        "type": "array",
        "items": {"type": "string"},
        "description": "Tag keys that mark personal data.",
        "default": ["pii"],
    }
}
SUPERSEDED = {
    "databricks:index/databaseInstance:DatabaseInstance": "a PostgresProject",
    "databricks:index/databaseDatabaseCatalog:DatabaseDatabaseCatalog": "a PostgresCatalog",
    "databricks:index/databaseSyncedDatabaseTable:DatabaseSyncedDatabaseTable": "a PostgresSyncedTable",
}
CAPACITIES = ("CU_1", "CU_2", "CU_4", "CU_8")
MOST_REPLICAS = 3
MODES = ("SNAPSHOT", "TRIGGERED", "CONTINUOUS")


def _online_table(subject: Subject) -> Iterator[str]:
    shown = subject.shown
    yield (
        f"{shown} is an OnlineTable, which Databricks has not created since January 2026. "
        "Publish the source table to an OnlineStore instead (component FeatureOnlineTable). "
        "For a table that exists already, waive the rule in the policy configuration: "
        f'{{"{no_retired_online_table.name}": {{"waivers": {{"{shown}": '
        '{"reason": "why it stays", "owner": "who", "until": "YYYY-MM-DD"}}}}.'
    )


no_retired_online_table = ResourceRule(
    id="POL-04",
    name="no-retired-online-table",
    description="Refuse an OnlineTable, which Databricks no longer creates, unless it has a waiver with a reason.",
    remediation="Replace the OnlineTable by an OnlineStore and a published table (component FeatureOnlineTable).",
    staging=MANDATORY,
    prod=MANDATORY,
    severity=HIGH,
    source=sources.MIGRATE_ONLINE_TABLES,
    types=frozenset({ONLINE_TABLE}),
    check=_online_table,
)


def _superseded(subject: Subject) -> Iterator[str]:
    yield (
        f"{subject.shown} is of a family that cannot be updated and now makes Lakebase Autoscaling projects: "
        f"declare {SUPERSEDED[subject.type]} instead, or an OnlineStore for feature lookup."
    )


no_superseded_database_resources = ResourceRule(
    id="POL-31",
    name="no-superseded-database-resources",
    description="Refuse the Database resources of Lakebase, which Postgres resources have superseded.",
    remediation="Declare PostgresProject, PostgresCatalog and PostgresSyncedTable, or an OnlineStore.",
    staging=ADVISORY,
    prod=MANDATORY,
    severity=MEDIUM,
    source=sources.AUTOSCALING_DATABASES,
    types=frozenset(SUPERSEDED),
    check=_superseded,
)


def _capacity(subject: Subject) -> Iterator[str]:
    capacity, replicas = subject.get("capacity"), subject.get("readReplicaCount")
    if capacity not in (UNKNOWN, *CAPACITIES):
        yield f"capacity is '{capacity}'; set it to one of {', '.join(CAPACITIES)}."
    if isinstance(replicas, int | float) and not 0 <= replicas <= MOST_REPLICAS:
        yield f"readReplicaCount is {as_text(replicas)}; set it to a number from 0 to {MOST_REPLICAS}."


online_store_capacity_is_valid = ResourceRule(
    id="POL-32",
    name="online-store-capacity-is-valid",
    description="Refuse a capacity or a number of read replicas that an online store cannot have.",
    remediation="Set capacity to CU_1, CU_2, CU_4 or CU_8, and readReplicaCount to 0 to 3.",
    staging=MANDATORY,
    prod=MANDATORY,
    severity=MEDIUM,
    source=sources.ONLINE_STORES,
    types=frozenset({ONLINE_STORE}),
    check=_capacity,
)


def _replica(subject: Subject) -> Iterator[str]:
    if subject.get("readReplicaCount") in (None, 0):
        yield (
            f"online store {subject.shown} has no read replica, so lookups stop while it fails over: "
            "set readReplicaCount to 1 or more."
        )


production_store_has_a_replica = ResourceRule(
    id="POL-33",
    name="production-store-has-a-replica",
    description="Require a read replica of online stores in production, so that lookups outlive the failure "
    "of one node.",
    remediation="Set readReplicaCount to 1 or more.",
    staging=OFF,
    prod=ADVISORY,
    severity=MEDIUM,
    source=sources.ONLINE_STORES,
    types=frozenset({ONLINE_STORE}),
    check=_replica,
)


def _published(subject: Subject) -> Iterator[str]:
    mode = subject.get("publish_mode")
    if mode not in (UNKNOWN, *MODES):
        yield f"publish_mode is '{mode}'; set it to one of {', '.join(MODES)}."
    source, online = subject.text("source_table"), subject.text("online_table")
    if source and online and source.casefold() == online.casefold():
        yield (
            f"online_table '{online}' is the source table itself: give it a name of its own, such as '{source}_online'."
        )
    keys = subject.get("primary_keys")
    if keys is not UNKNOWN and not keys:
        yield f"{source or subject.name} is published without primary_keys: name the columns it is looked up by."


published_table_is_complete = ResourceRule(
    id="POL-34",
    name="published-table-is-complete",
    description="Refuse a published table without keys, with an unknown mode, or onto its own source.",
    remediation="Set primary_keys, publish_mode (SNAPSHOT, TRIGGERED, CONTINUOUS) and an online_table of its own.",
    staging=MANDATORY,
    prod=MANDATORY,
    severity=HIGH,
    source=sources.ONLINE_STORES,
    types=frozenset({PUBLISHED_TABLE}),
    check=_published,
)


def _pii_online(stack: Stack) -> Iterator[tuple[Subject, str]]:
    tags = {tag.casefold() for tag in stack.option("tags")}
    tagged = {
        name.casefold().rpartition(".")[0] if kind.casefold() == "columns" else name.casefold(): name
        for one in stack.of(TAG_ASSIGNMENT)
        if (one.text("tagKey") or "").casefold() in tags
        and (name := one.text("entityName"))
        and (kind := one.text("entityType"))
    }
    for published in stack.of(PUBLISHED_TABLE):
        source = published.text("source_table")
        if source and source.casefold() in tagged:
            yield (
                published,
                f"{tagged[source.casefold()]} is tagged as personal data, and {source} is published online, "
                "where masks "
                "and row filters do not reach: publish a view or table without it, or remove the tag.",
            )


no_personal_data_online = StackRule(
    id="POL-35",
    name="no-personal-data-online",
    description="Refuse to publish a table online of which a column is tagged as personal data.",
    remediation="Publish a table without the tagged columns.",
    staging=ADVISORY,
    prod=MANDATORY,
    severity=HIGH,
    source=sources.COLUMN_MASKS,
    options=PERSONAL_DATA_TAGS,
    check=_pii_online,
)

RULES = (
    no_retired_online_table,
    no_superseded_database_resources,
    online_store_capacity_is_valid,
    production_store_has_a_replica,
    published_table_is_complete,
    no_personal_data_online,
)
