"""Cases of the rules about cost."""

from __future__ import annotations

from policies import cost
from tests.policies.cases.building import Case, endpoint, entity, external, job, of_type
from tests.policies.judging import UNKNOWN

TAGS = [{"key": key, "value": "x"} for key in ("environment", "owner", "cost_center")]
CASES = (
    Case(
        rule=cost.required_tags_are_set,
        passes=[[endpoint(tags=TAGS)], [job(tags={"environment": "e", "owner": "o", "cost_center": "c"})]],
        refuses=[
            ([endpoint(tags=TAGS[:1])], "fares-prod lacks tags owner, cost_center"),
            ([job(tags={"environment": "e", "owner": "o"})], "nightly lacks tag cost_center"),
        ],
        unknown=[([endpoint(tags=UNKNOWN)], "tags"), ([endpoint(tags=[{"key": UNKNOWN}])], "tags.0.key")],
    ),
    Case(
        rule=cost.no_gpu_in_trials,
        passes=[[endpoint()], [endpoint(entity(workloadType="CPU"))]],
        refuses=[([endpoint(entity(workloadType="GPU_SMALL"))], "runs on GPU_SMALL in a trial")],
        unknown=[([endpoint(entity(workloadType=UNKNOWN))], "config.servedEntities.0.workloadType")],
        stack="staging",
    ),
    Case(
        rule=cost.trials_scale_to_zero,
        passes=[[endpoint(entity(scaleToZeroEnabled=True))]],
        refuses=[([endpoint()], "never scales to zero in a trial")],
        stack="staging",
    ),
    Case(
        rule=cost.endpoint_serves_few_entities,
        passes=[[endpoint(*[entity()] * 4)]],
        refuses=[([endpoint(*[entity()] * 5)], "serves 5 entities, and 4 are agreed on: remove 1")],
    ),
    Case(
        rule=cost.production_endpoint_has_a_budget_policy,
        passes=[[endpoint(budgetPolicyId="b")]],
        refuses=[([endpoint()], "has no budgetPolicyId")],
        unknown=[([endpoint(budgetPolicyId=UNKNOWN)], "budgetPolicyId")],
    ),
    Case(
        rule=cost.usage_is_tracked,
        passes=[[endpoint(aiGateway={"usageTrackingConfig": {"enabled": True}})]],
        refuses=[([endpoint()], "does not track usage")],
        unknown=[([endpoint(aiGateway=UNKNOWN)], "aiGateway")],
    ),
    Case(
        rule=cost.external_models_have_a_rate_limit,
        passes=[[endpoint()], [endpoint(external(), aiGateway={"rateLimits": [{"calls": 1}]})]],
        refuses=[([endpoint(external())], "nothing limits the calls")],
        unknown=[([endpoint(external(), aiGateway={"rateLimits": UNKNOWN})], "aiGateway.rateLimits")],
    ),
    Case(
        rule=cost.warehouse_stops_when_idle,
        passes=[[of_type(cost.WAREHOUSE, autoStopMins=10)], [of_type(cost.WAREHOUSE)]],
        refuses=[
            ([of_type(cost.WAREHOUSE, name="w", autoStopMins=0)], "warehouse w never stops"),
            ([of_type(cost.WAREHOUSE, name="w", autoStopMins=120)], "stops after 120 idle minutes"),
        ],
        unknown=[([of_type(cost.WAREHOUSE, autoStopMins=UNKNOWN)], "autoStopMins")],
    ),
)
