"""Cases of the rules about features."""

from __future__ import annotations

from policies import features
from tests.policies.cases.building import Case, of_type, published, tag
from tests.policies.judging import UNKNOWN

CASES = (
    Case(
        rule=features.no_retired_online_table,
        passes=[[of_type(features.ONLINE_STORE, name="store")]],
        refuses=[([of_type(features.ONLINE_TABLE, name="c.s.t")], "c.s.t is an OnlineTable")],
    ),
    Case(
        rule=features.no_superseded_database_resources,
        passes=[[of_type("databricks:index/postgresProject:PostgresProject", projectId="p")]],
        refuses=[
            ([of_type(kind, name="d")], f"declare {successor} instead")
            for kind, successor in features.SUPERSEDED.items()
        ],
    ),
    Case(
        rule=features.online_store_capacity_is_valid,
        passes=[[of_type(features.ONLINE_STORE, capacity="CU_2", readReplicaCount=1)]],
        refuses=[
            ([of_type(features.ONLINE_STORE, capacity="CU_3")], "capacity is 'CU_3'"),
            ([of_type(features.ONLINE_STORE, capacity="CU_1", readReplicaCount=4)], "readReplicaCount is 4"),
        ],
        unknown=[([of_type(features.ONLINE_STORE, capacity=UNKNOWN)], "capacity")],
    ),
    Case(
        rule=features.production_store_has_a_replica,
        passes=[[of_type(features.ONLINE_STORE, readReplicaCount=1)]],
        refuses=[([of_type(features.ONLINE_STORE, name="store")], "online store store has no read replica")],
        unknown=[([of_type(features.ONLINE_STORE, readReplicaCount=UNKNOWN)], "readReplicaCount")],
    ),
    Case(
        rule=features.published_table_is_complete,
        passes=[[published()]],
        refuses=[
            ([published(publish_mode="HOURLY")], "publish_mode is 'HOURLY'"),
            ([published(online_table="C.S.F")], "is the source table itself"),
            ([published(primary_keys=[])], "without primary_keys"),
        ],
        unknown=[([published(primary_keys=UNKNOWN)], "primary_keys")],
    ),
    Case(
        rule=features.no_personal_data_online,
        passes=[[published(), tag("c.s.other")], [published(), tag("c.s.f", key="layer")]],
        refuses=[
            ([published(), tag("c.s.f")], "c.s.f is tagged as personal data"),
            ([published(), tag("c.s.f.email", "columns")], "c.s.f.email is tagged as personal data"),
        ],
        unknown=[([published(source_table=UNKNOWN), tag("c.s.f")], "source_table")],
    ),
)
