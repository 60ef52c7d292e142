"""Taxi fares from end to end: the jobs that make features and versions, then everything that serves and watches one.

The jobs have to be there before the first version is. So the stack has two stages, `jobs` and `serving` (stage.py);
apps/run_e2e takes it from the one to the other.
"""

from __future__ import annotations

import pulumi

from components.serving_stack import export_stack, online_features, serve, watch
from components.stack import connect, load_stack_config
from examples.taxi_e2e.checks import check_payloads
from examples.taxi_e2e.config import TaxiE2eConfig
from examples.taxi_e2e.jobs import make_workshop
from examples.taxi_e2e.stage import staged
from examples.taxi_e2e.watched import watch_features, with_features

config, plan = staged(load_stack_config(TaxiE2eConfig), connect())
if plan is None:
    workshop = make_workshop(config)
    # No contract of a serving stack: there is nothing to ask yet.
    pulumi.export("environment", config.environment)
    pulumi.export("modelName", config.model.name)
    pulumi.export("jobIds", workshop.workflow.job_ids)
else:
    check_payloads(config, plan)
    workshop = make_workshop(config)
    features = online_features(config, plan)
    served = serve("taxi-fare", plan, features=features, depends_on=[workshop.registration])
    watched = watch(plan, served)
    if config.feature_monitor is not None:
        _, alerts = watch_features(config, config.feature_monitor, features.tables)
        watched = with_features(watched, alerts)
    jobs = {role: job.job_id for role, job in workshop.workflow.jobs.items()}
    export_stack(plan, served, watched, features=features, job_ids=jobs)
pulumi.export("stage", config.stage)
pulumi.export("experimentId", workshop.registration.experiment_id)
