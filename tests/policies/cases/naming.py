"""Cases of the rules about naming."""

from __future__ import annotations

from policies import naming
from policies.endpoints import MODEL_SERVING
from policies.security import GRANT
from tests.policies.cases.building import Case, alias, endpoint, entity, grants, monitor, published, rollout
from tests.policies.judging import UNKNOWN, Declared

CASES = (
    Case(
        rule=naming.unity_catalog_names_are_complete,
        passes=[[endpoint()], [monitor()], [published()], [alias()], [rollout()], [grants("apps", "SELECT")]],
        refuses=[
            ([endpoint(entity(entityName="s.m"))], "entityName is 's.m'"),
            ([rollout(model="m")], "entityName is 'm'"),
            ([monitor(tableName="fares")], "tableName is 'fares'"),
            ([published(online_table="c..t")], "online_table is 'c..t'"),
            ([alias(model="m")], "model is 'm'"),
            ([grants("apps", "SELECT", table="s.t")], "table is 's.t'"),
            ([Declared(GRANT, {"model": "m", "principal": "apps", "privileges": ["EXECUTE"]})], "model is 'm'"),
        ],
        unknown=[([monitor(tableName=UNKNOWN)], "tableName")],
    ),
    Case(
        rule=naming.endpoint_names_tell_stacks_apart,
        passes=[[endpoint()]],
        refuses=[([Declared(MODEL_SERVING, {"name": "fares"})], "another stack of the program would take it")],
        unknown=[([Declared(MODEL_SERVING, {"name": UNKNOWN})], "name")],
    ),
    Case(
        rule=naming.serving_names_are_valid,
        passes=[[endpoint()], [rollout()]],
        refuses=[
            ([Declared(MODEL_SERVING, {"name": "fares.prod"})], "name is 'fares.prod'"),
            ([endpoint(entity(name="m 1"))], "config.servedEntities[0].name is 'm 1'"),
        ],
        unknown=[([Declared(MODEL_SERVING, {"name": UNKNOWN})], "name")],
    ),
    Case(
        rule=naming.endpoint_names_are_unique,
        passes=[[endpoint(), Declared(MODEL_SERVING, {"name": "tips"}, name="second")]],
        refuses=[([endpoint(), endpoint(name="second")], "2 endpoints of the stack are named 'fares-prod'")],
        unknown=[([endpoint(), Declared(MODEL_SERVING, {"name": UNKNOWN}, name="second")], "name")],
    ),
)
