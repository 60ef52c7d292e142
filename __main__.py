"""The taxi stack: online features, the fare endpoint, the queries that prove it, the alias that follows, the
monitor.
"""

from __future__ import annotations

from components.serving_stack import export_stack, online_features, plan_serving, serve, watch
from components.stack import connect, load_stack_config

config = load_stack_config()
plan = plan_serving(config, connect())
features = online_features(config, plan)
served = serve("taxi-fare", plan, features=features)
export_stack(plan, served, watch(plan, served), features=features)
