"""The chatbot's stack: what it asks, the secret that it asks with, the endpoint, its proof, its alias, who watches."""

from __future__ import annotations

from dataclasses import replace

import pulumi

from components.serving_stack import export_stack, plan_serving, serve, watch
from components.stack import connect, load_stack_config
from examples.rag.behind import entity_of, make_endpoint
from examples.rag.checks import check_behind
from examples.rag.config import RagConfig
from examples.rag.credentials import chatbot_environment, make_credentials
from examples.rag.retrieval import make_index
from examples.rag.watched import daily_query, token_alerts, traffic_dashboard

config = load_stack_config(RagConfig)
client = connect()
check_behind(config, client)
retrieval = config.retrieval
behind_it = {"embedding": retrieval.embedding, "llm": retrieval.llm}
asked = {name: entity for name, one in behind_it.items() if (entity := entity_of(one, config, client)) is not None}
plan = plan_serving(
    config,
    client,
    environment_vars=chatbot_environment(config),
    also_served=list(asked.values()),
    vector_search=[] if retrieval.managed_index is None else ["STANDARD"],
)

behind = [make_endpoint(behind_it[name], entity, config) for name, entity in asked.items()]
index = make_index(config)
served = serve(
    "rag-chatbot",
    plan,
    depends_on=[*make_credentials(config, client), *behind, *([] if index is None else [index])],
    # An answer depends on all of them.
    triggers={name: entity.entity_name for name, entity in asked.items()},
)
watched = watch(plan, served)
query = daily_query(config, served.endpoint)
dashboard = traffic_dashboard(config, served.endpoint)
llm_alerts = token_alerts(config, [served.endpoint, *behind])

export_stack(plan, served, replace(watched, more_alerts=[] if llm_alerts is None else [llm_alerts]))
pulumi.export("monitoringQueryId", None if query is None else query.id)
pulumi.export("monitoringDashboardId", None if dashboard is None else dashboard.dashboard_id)
pulumi.export("searchIndex", retrieval.index)
pulumi.export("asks", {"embeddingModel": retrieval.embedding.endpoint, "llmEndpoint": retrieval.llm.endpoint})
