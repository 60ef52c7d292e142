"""The Titanic stack: one feature table in a MySQL store that the model reads itself, or in an online store that the
endpoint looks up; the job behind it, the endpoint that is asked by PassengerId alone, its proof, alias and monitor.
"""

from __future__ import annotations

import pulumi

from components.dynamic import JobRun, JobRunArgs
from components.external_store import ExternalOnlineStore
from components.external_store_settings import external_store_args
from components.serving_stack import export_stack, online_features, plan_serving, serve, watch
from components.stack import CONFIG_KEY, connect, load_stack_config
from examples.titanic.config import PassengerConfig, schema_of
from examples.titanic.versions import MYSQL, ONLINE_STORE, check_versions_read
from examples.titanic.workflow import PUBLISH_TO_RDS, ROLE, make_workflow

config = load_stack_config(schema_of(pulumi.Config().get_object(CONFIG_KEY) or {}))
client = connect()
if isinstance(config, PassengerConfig):
    args = external_store_args(config.mysql, serving_principal=config.serving_principal)
    plan = plan_serving(config, client, environment_vars=args.serving_environment)
    check_versions_read(plan, MYSQL)
    store = ExternalOnlineStore("feature-store", args)
    workflow = make_workflow(config, args, depends_on=[store])
    # The rows that the served versions were trained on are in the store before a model reads it.
    versions = ",".join(sorted({entity.version for entity in plan.entities}))
    published = JobRun(
        "published",
        JobRunArgs(
            job_id=workflow.job_ids[ROLE],
            tasks=[PUBLISH_TO_RDS],
            triggers={"versions": versions, **args.spec},
            poll_seconds=config.defaults.publish_poll_seconds,
        ),
        pulumi.ResourceOptions(depends_on=[store, workflow]),
    )
    served = serve("passengers", plan, depends_on=[store, published])
    export_stack(
        plan,
        served,
        watch(plan, served),
        job_ids={ROLE: workflow.job_ids[ROLE]},
        also={
            "online_store_name": f"{args.hostname}:{args.port}/{args.database}",
            "online_table_names": [f"{args.database}.{args.table}"],
            "online_table_states": {f"{args.database}.{args.table}": published.run_id.apply(lambda _: "PUBLISHED")},
            "secret_prefixes": {"read": store.read_secret_prefix, "write": store.write_secret_prefix},
        },
    )
else:
    plan = plan_serving(config, client)
    check_versions_read(plan, ONLINE_STORE)
    features = online_features(config, plan)
    workflow = make_workflow(config, None, depends_on=features.tables)
    served = serve("passengers", plan, features=features)
    export_stack(plan, served, watch(plan, served), features=features, job_ids={ROLE: workflow.job_ids[ROLE]})
