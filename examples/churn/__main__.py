"""The churn stack: online features with a time key, two versions behind one endpoint, the queries that prove both, the
aliases that follow, the monitor, the alerts, and the jobs: one answers drift, one compares the two versions, one scores
in bulk.
"""

from __future__ import annotations

from components.batch_scoring import ROLE as BATCH
from components.serving_stack import export_stack, online_features, plan_serving, serve, watch
from components.stack import connect, load_stack_config
from examples.churn.ab_test import ROLE as AB_TEST
from examples.churn.ab_test import make_ab_test
from examples.churn.batch import make_batch
from examples.churn.config import ChurnConfig
from examples.churn.drift import ROLE, make_workflow
from examples.churn.watched import request_features

config = load_stack_config(ChurnConfig)
plan = plan_serving(config, connect())
features = online_features(config, plan)
served = serve("churn", plan, features=features)
watched = watch(plan, served, features=request_features(config))

job_ids = {}
if watched.monitor is not None and config.drift is not None:
    job_ids[ROLE] = make_workflow(config, config.drift, watched.monitor).job_ids[ROLE]
if watched.monitor is not None and config.ab_test is not None:
    job_ids[AB_TEST] = make_ab_test(config, config.ab_test, watched.monitor).job_ids[AB_TEST]
if config.batch is not None:
    job_ids[BATCH] = make_batch(config, config.batch).job_ids[BATCH]
export_stack(plan, served, watched, features=features, job_ids=job_ids)
