"""Cases of the rules about security."""

from __future__ import annotations

from policies import security
from tests.policies.cases.building import (
    Case,
    endpoint,
    entity,
    external,
    grant,
    grants,
    job,
    of_type,
    permissions,
    rollout,
    tag,
)
from tests.policies.judging import UNKNOWN, Declared

DAPI = "dapi" + "0" * 32
CASES = (
    Case(
        rule=security.endpoint_has_permissions,
        passes=[[endpoint(), permissions(UNKNOWN, {"groupName": "apps", "permissionLevel": "CAN_QUERY"})]],
        refuses=[
            ([endpoint()], "fares-prod has no Permissions"),
            ([endpoint(), permissions(UNKNOWN, made_of=None)], "fares-prod has no Permissions"),
            (
                [endpoint(), permissions("id", {"groupName": "users", "permissionLevel": "CAN_MANAGE"})],
                "group 'users' is everybody",
            ),
        ],
    ),
    Case(
        rule=security.no_secret_literals,
        passes=[
            [endpoint(entity(environmentVars={"API_TOKEN": "{{secrets/scope/key}}", "REGION": "eu"}))],
            [endpoint(external(openaiConfig={"openaiApiKey": "{{secrets/scope/key}}"}))],
            [
                job(
                    parameters=[{"name": "read_secret_prefix", "default": "reader/store"}, {"name": "token_from"}],
                    jobClusters=[{"newCluster": {"sparkEnvVars": {"DB_PASSWORD": "{{secrets/scope/key}}"}}}],
                    tasks=[{"taskKey": "a", "notebookTask": {"baseParameters": {"token": "{{job.parameters.t}}"}}}],
                )
            ],
        ],
        refuses=[
            ([endpoint(entity(environmentVars={"API_TOKEN": "hunter2"}))], "API_TOKEN of config.servedEntities[0]"),
            ([rollout(environment_vars={"db_password": "hunter2"})], "db_password of rollout"),
            ([endpoint(external(openaiConfig={"openaiApiKeyPlaintext": "x"}))], "set openaiApiKey to"),
            (
                [job(tasks=[{"taskKey": "a", "notebookTask": {"baseParameters": {"t": DAPI}}}])],
                "baseParameters.t holds",
            ),
            ([job(tasks=[{"taskKey": "a", "sparkPythonTask": {"parameters": ["-t", DAPI]}}])], "parameters[1] holds"),
            ([job(parameters=[{"name": "db_password", "default": "hunter2"}])], "parameters: db_password is a literal"),
            (
                [job(tasks=[{"taskKey": "a", "notebookTask": {"baseParameters": {"api_key": "hunter2"}}}])],
                "tasks[0].notebookTask.baseParameters: api_key is a literal",
            ),
            (
                [job(jobClusters=[{"newCluster": {"sparkEnvVars": {"DB_PASSWORD": "hunter2"}}}])],
                "jobClusters[0].newCluster.sparkEnvVars: DB_PASSWORD is a literal",
            ),
        ],
        unknown=[
            (
                [endpoint(entity(environmentVars={"API_TOKEN": UNKNOWN}))],
                "config.servedEntities.0.environmentVars.API_TOKEN",
            )
        ],
    ),
    Case(
        rule=security.personal_data_is_restricted,
        passes=[
            [tag(), grants("analysts", "SELECT")],
            [tag(), of_type(security.ABAC_POLICY, onSecurableFullname="c.s")],
            [tag(key="layer")],
        ],
        refuses=[
            ([tag()], "c.s.people is tagged as personal data, has no mask (PolicyInfo) and has no grants"),
            ([tag("c.s.people.email", "columns"), grant("account users", "SELECT")], "is granted to everybody"),
        ],
        unknown=[([tag(key=UNKNOWN)], "tagKey")],
    ),
    Case(
        rule=security.no_all_privileges,
        passes=[[grants("a", "SELECT")]],
        refuses=[
            ([grants("a", "ALL_PRIVILEGES")], "a is granted ALL_PRIVILEGES"),
            ([grant("b", "all privileges")], "b is granted ALL_PRIVILEGES"),
        ],
        unknown=[([grant("a", UNKNOWN)], "privileges.0")],
    ),
    Case(
        rule=security.no_writes_for_everybody,
        passes=[[grants("account users", "SELECT")], [grants("writers", "MODIFY")]],
        refuses=[([grants("account users", "SELECT", "MODIFY")], "account users is everybody, and is granted MODIFY")],
        unknown=[([grant(UNKNOWN, "MODIFY")], "principal")],
    ),
    Case(
        rule=security.grants_are_of_one_style,
        passes=[[grants("a", "SELECT"), grant("b", "SELECT", table="c.s.other")]],
        refuses=[([grants("a", "SELECT"), grant("b", "SELECT", table="C.s.people")], "and a Grant: Grants takes away")],
        unknown=[([grants("a", "SELECT"), grant("b", "SELECT", table=UNKNOWN)], "table")],
    ),
    Case(
        rule=security.secrets_are_deleted_before_replaced,
        passes=[[Declared(security.SECRET, {"key": "k"}, delete_before_replace=True)]],
        refuses=[
            ([of_type(security.SECRET, key="k")], "delete_before_replace=True"),
            ([of_type(security.SECRET_ACL)], "thing"),
        ],
    ),
    Case(
        rule=security.secret_acl_is_narrow,
        passes=[[of_type(security.SECRET_ACL, principal="readers", permission="READ")]],
        refuses=[
            ([of_type(security.SECRET_ACL, principal="users", permission="READ")], "users is everybody, and may read")
        ],
        unknown=[([of_type(security.SECRET_ACL, principal=UNKNOWN)], "principal")],
    ),
    Case(
        rule=security.nobody_manages_alone,
        passes=[[permissions("id", {"groupName": "owners", "permissionLevel": "CAN_MANAGE"}, made_of=None)]],
        refuses=[
            (
                [permissions("id", {"userName": "me@x.org", "permissionLevel": "CAN_MANAGE"}, made_of=None)],
                "CAN_MANAGE is given to person me@x.org",
            )
        ],
        unknown=[([permissions("id", {"userName": UNKNOWN}, made_of=None)], "accessControls.0.userName")],
    ),
    Case(
        rule=security.permissions_name_the_endpoint_by_id,
        passes=[[endpoint(), permissions("0af1")]],
        refuses=[([endpoint(), permissions("fares-prod", made_of=None)], "servingEndpointId is the name 'fares-prod'")],
    ),
)
