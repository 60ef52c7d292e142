"""Cases of the rules about serving."""

from __future__ import annotations

from policies import serving, traffic
from policies.endpoints import MODEL_SERVING
from tests.policies.cases.building import Case, endpoint, entity, external, of_type, rollout
from tests.policies.judging import UNKNOWN, Declared

CASES = (
    Case(
        rule=serving.served_entity_version_is_a_number,
        passes=[[endpoint()], [rollout()]],
        refuses=[
            ([endpoint(entity(entityVersion="latest"))], "version of c.s.m is 'latest'"),
            ([rollout(version="champion")], "version of c.s.m is 'champion'"),
        ],
        unknown=[([endpoint(entity(entityVersion=UNKNOWN))], "config.servedEntities.0.entityVersion")],
    ),
    Case(
        rule=serving.no_retired_serving_blocks,
        passes=[[endpoint()]],
        refuses=[
            ([endpoint(config={"autoCaptureConfig": {"catalogName": "c"}})], "autoCaptureConfig"),
            ([endpoint(config={"servedModels": [{"modelName": "m"}]})], "servedModels is deprecated"),
            ([endpoint(rateLimits=[{"calls": 1}])], "aiGateway.rateLimits"),
        ],
        unknown=[([endpoint(config=UNKNOWN)], "config")],
    ),
    Case(
        rule=serving.no_scale_to_zero_in_production,
        passes=[[endpoint()]],
        refuses=[
            ([endpoint(entity(scaleToZeroEnabled=True))], "scales to zero"),
            ([rollout(scale_to_zero_enabled=True)], "scales to zero"),
        ],
        unknown=[([endpoint(entity(scaleToZeroEnabled=UNKNOWN))], "config.servedEntities.0.scaleToZeroEnabled")],
    ),
    Case(
        rule=serving.served_entity_compute_is_consistent,
        passes=[
            [endpoint()],
            [endpoint(entity(workloadSize=None, minProvisionedConcurrency=4, maxProvisionedConcurrency=16.0))],
            [endpoint(entity(entityName="system.ai.llama", workloadSize=None, maxProvisionedThroughput=9500))],
        ],
        refuses=[
            ([endpoint(entity(workloadSize="Huge"))], "workloadSize is 'Huge'; set it to one of Small, Medium, Large"),
            ([rollout(workload_size="Tiny")], "workloadSize is 'Tiny'"),
            ([endpoint(entity(maxProvisionedConcurrency=8))], "workloadSize and provisioned concurrency"),
            ([endpoint(entity(maxProvisionedThroughput=200))], "provisioned throughput"),
            ([endpoint(entity(workloadSize=None, maxProvisionedConcurrency=6))], "is 6; set it to a multiple of 4"),
            (
                [endpoint(entity(workloadSize=None, minProvisionedConcurrency=8, maxProvisionedConcurrency=4))],
                "is more than the maximum 4",
            ),
        ],
        unknown=[([endpoint(entity(workloadSize=UNKNOWN))], "config.servedEntities.0.workloadSize")],
    ),
    Case(
        rule=serving.endpoint_has_a_smoke_query,
        passes=[[endpoint(), of_type(serving.SMOKE_QUERY, endpoint_name="fares-prod")], [endpoint(), rollout()]],
        refuses=[([endpoint()], "no SmokeQuery asks endpoint 'fares-prod'")],
    ),
    Case(
        rule=serving.scale_to_zero_is_explicit,
        passes=[[endpoint()], [endpoint(external())]],
        refuses=[([endpoint(entity(scaleToZeroEnabled=None))], "leaves scaleToZeroEnabled out")],
    ),
    Case(
        rule=serving.served_entities_are_named,
        passes=[[endpoint()]],
        refuses=[([endpoint(entity(name=None))], "has no name")],
        unknown=[([endpoint(entity(name=UNKNOWN))], "config.servedEntities.0.name")],
    ),
    Case(
        rule=serving.no_settings_that_are_never_updated,
        passes=[[endpoint()], [endpoint(description="")]],
        refuses=[([endpoint(description="fares", emailNotifications={})], "description, emailNotifications")],
        unknown=[([endpoint(description=UNKNOWN)], "description")],
    ),
    Case(
        rule=serving.entities_of_an_endpoint_are_of_one_kind,
        passes=[[endpoint()], [endpoint(external(), external())]],
        refuses=[
            ([endpoint(external(), entity())], "serve them from two endpoints"),
            ([endpoint(external(), external(task="llm/v1/embeddings"))], "llm/v1/chat, llm/v1/embeddings"),
        ],
    ),
    Case(
        rule=serving.gateway_features_fit_the_models,
        passes=[
            [endpoint(aiGateway={"usageTrackingConfig": {"enabled": True}})],
            [
                endpoint(
                    external(),
                    aiGateway={"fallbackConfig": {"enabled": True}, "guardrails": {"input": {"safety": True}}},
                )
            ],
        ],
        refuses=[
            ([endpoint(aiGateway={"guardrails": {"input": {"safety": True}}})], "guardrails is for language models"),
            ([endpoint(aiGateway={"fallbackConfig": {"enabled": True}})], "external models only"),
        ],
    ),
    Case(
        rule=serving.no_scale_to_zero_under_a_latency_promise,
        passes=[
            [endpoint(tags=[{"key": "latency_slo_ms", "value": "50"}])],
            [endpoint(entity(scaleToZeroEnabled=True), tags=[{"key": "owner", "value": "me"}])],
        ],
        refuses=[
            (
                [endpoint(entity(scaleToZeroEnabled=True), tags=[{"key": "latency_slo_ms", "value": "50"}])],
                "latency_slo_ms promises 50",
            ),
            (
                [
                    endpoint(config=None, tags=[{"key": "latency_slo_ms", "value": "50"}]),
                    rollout(scale_to_zero_enabled=True),
                ],
                "rollout (m-1) scales to zero",
            ),
        ],
    ),
    Case(
        rule=serving.production_endpoint_is_protected,
        passes=[[Declared(MODEL_SERVING, {"name": "fares"}, protect=True)]],
        refuses=[([endpoint()], "protect=True")],
    ),
    Case(
        rule=traffic.traffic_routes_add_up,
        passes=[[endpoint()], [rollout()]],
        refuses=[([endpoint(entity(), entity(name="m-2"))], "served entity 'm-2' has no route")],
        unknown=[([endpoint(entity(name=UNKNOWN))], "config.servedEntities.0.name")],
    ),
    Case(
        rule=traffic.traffic_is_explicit,
        passes=[[endpoint()], [endpoint(config=None)]],
        refuses=[([endpoint(config={"servedEntities": [entity()]})], "gets all traffic because nothing else is said")],
        unknown=[([endpoint(config={"servedEntities": [entity()], "trafficConfig": UNKNOWN})], "config.trafficConfig")],
    ),
)
