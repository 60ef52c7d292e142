"""What is spent, and by whom: tags, budgets, compute that nobody asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policies import sources
from policies.endpoints import DECLARES_ENTITIES, ENDPOINTS, MODEL_SERVING, as_text, declared
from policies.jobs import JOB
from policies.reading import UNKNOWN
from policies.remedies import add_tags_of_a_list, add_tags_of_a_map
from policies.rule import ADVISORY, LOW, MANDATORY, MEDIUM, OFF, ResourceRule
from policies.subject import Subject

WAREHOUSE = "databricks:index/sqlEndpoint:SqlEndpoint"
TAGGED_BY_LIST = frozenset(ENDPOINTS)
TAGGED_BY_MAP = frozenset({JOB})


def _tags(subject: Subject) -> Iterator[str]:
    given = subject.get("tags")
    if given is UNKNOWN:
        return
    if subject.type in TAGGED_BY_LIST:
        blocks = subject.blocks("tags")
        keys = {key for _, one in blocks.known if isinstance(key := subject.reader.get(one, "key"), str)}
        if not blocks.complete or any(subject.reader.get(one, "key") is UNKNOWN for _, one in blocks.known):
            return
    else:
        keys = set(given) if isinstance(given, Mapping) else set()
    missing = [tag for tag in subject.option("tags") if tag not in keys]
    if missing:
        yield (
            f"{subject.shown} lacks {'tags' if len(missing) > 1 else 'tag'} {', '.join(missing)}: add them, "
            "so that its cost has an owner."
        )


def _add_tags(subject: Subject) -> bool:
    return (add_tags_of_a_list if subject.type in TAGGED_BY_LIST else add_tags_of_a_map)(subject)


required_tags_are_set = ResourceRule(
    id="POL-13",
    name="required-tags-are-set",
    description="Require the tags by which cost is shared out, on endpoints and jobs.",
    remediation="Add the tags environment, owner and cost_center.",
    staging=ADVISORY,
    prod=MANDATORY,
    severity=LOW,
    source=sources.TAGS,
    options={
        "tags": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Tag keys that have to be there.",
            "default": ["environment", "owner", "cost_center"],
        },
        "values": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "Values of those tags, by which level remediate adds the missing ones.",
            "default": {},
        },
    },
    types=TAGGED_BY_LIST | TAGGED_BY_MAP,
    check=_tags,
    remedy=_add_tags,
    remedied="adds the missing tags that the option `values` has a value for; tags that are there stay.",
)


def _gpu(subject: Subject) -> Iterator[str]:
    for entity in declared(subject).entities:
        if isinstance(entity.kind, str) and "GPU" in entity.kind:
            yield (
                f"{entity.label} runs on {entity.kind} in a trial: set workloadType to CPU, or waive the "
                "rule for a while."
            )


no_gpu_in_trials = ResourceRule(
    id="POL-39",
    name="no-gpu-in-trials",
    description="Refuse GPU compute outside production, where it mostly waits.",
    remediation="Set workloadType to CPU.",
    staging=ADVISORY,
    prod=OFF,
    severity=LOW,
    source=sources.CREATE_ENDPOINTS,
    types=DECLARES_ENTITIES,
    check=_gpu,
)


def _idle(subject: Subject) -> Iterator[str]:
    for entity in declared(subject).entities:
        if entity.scale_to_zero is False:
            yield (
                f"{entity.label} never scales to zero in a trial, and costs day and night: set "
                "scaleToZeroEnabled to true."
            )


trials_scale_to_zero = ResourceRule(
    id="POL-40",
    name="trials-scale-to-zero",
    description="Require scale to zero outside production, where nobody asks at night.",
    remediation="Set scaleToZeroEnabled to true.",
    staging=ADVISORY,
    prod=OFF,
    severity=LOW,
    source=sources.CREATE_ENDPOINTS,
    types=DECLARES_ENTITIES,
    check=_idle,
)


def _entities(subject: Subject) -> Iterator[str]:
    most, count = int(subject.option("most")), len(declared(subject).entities)
    if count > most:
        yield (
            f"{subject.shown} serves {count} entities, and {most} are agreed on: remove {count - most}, "
            "each costs by itself."
        )


endpoint_serves_few_entities = ResourceRule(
    id="POL-41",
    name="endpoint-serves-few-entities",
    description="Refuse more served entities than agreed on: each has compute of its own.",
    remediation="Remove entities that get no traffic, or raise the option most.",
    staging=ADVISORY,
    prod=ADVISORY,
    severity=LOW,
    source=sources.SERVING_LIMITS,
    options={
        "most": {
            "type": "integer",
            "minimum": 1,
            "maximum": 10,
            "description": "The most served entities of an endpoint.",
            "default": 4,
        }
    },
    types=frozenset(ENDPOINTS),
    check=_entities,
)


def _budget(subject: Subject) -> Iterator[str]:
    if subject.get("budgetPolicyId") in (None, ""):
        yield (
            f"{subject.shown} has no budgetPolicyId, so its serverless cost has no policy's tags: set it when "
            "the endpoint "
            "is made, it cannot be set later."
        )


production_endpoint_has_a_budget_policy = ResourceRule(
    id="POL-42",
    name="production-endpoint-has-a-budget-policy",
    description="Require a budget policy for endpoints of production.",
    remediation="Set budgetPolicyId.",
    staging=OFF,
    prod=ADVISORY,
    severity=LOW,
    source=sources.BUDGET_POLICIES,
    types=frozenset({MODEL_SERVING}),
    check=_budget,
)


def _usage(subject: Subject) -> Iterator[str]:
    if subject.get("aiGateway", "usageTrackingConfig", "enabled") in (None, False):
        yield f"{subject.shown} does not track usage: set aiGateway.usageTrackingConfig.enabled to true."


usage_is_tracked = ResourceRule(
    id="POL-43",
    name="usage-is-tracked",
    description="Require usage tracking of endpoints, so that system tables show who asks how much.",
    remediation="Set aiGateway.usageTrackingConfig.enabled to true.",
    staging=OFF,
    prod=ADVISORY,
    severity=LOW,
    source=sources.AI_GATEWAY,
    types=frozenset({MODEL_SERVING}),
    check=_usage,
)


def _limits(subject: Subject) -> Iterator[str]:
    external = [entity for entity in declared(subject).entities if isinstance(entity.external, Mapping)]
    limits = subject.blocks("aiGateway", "rateLimits")
    if external and limits.complete and not limits.known:
        yield (
            f"{external[0].label} is billed by its provider for each token, and nothing limits the calls: "
            "declare aiGateway.rateLimits."
        )


external_models_have_a_rate_limit = ResourceRule(
    id="POL-44",
    name="external-models-have-a-rate-limit",
    description="Require a rate limit on endpoints of external models, whose every token is billed.",
    remediation="Declare aiGateway.rateLimits, for the endpoint or for each user.",
    staging=ADVISORY,
    prod=MANDATORY,
    severity=MEDIUM,
    source=sources.AI_GATEWAY,
    types=frozenset({MODEL_SERVING}),
    check=_limits,
)


def _auto_stop(subject: Subject) -> Iterator[str]:
    minutes, most = subject.get("autoStopMins"), int(subject.option("minutes"))
    if isinstance(minutes, int | float) and (minutes == 0 or minutes > most):
        never = "never stops" if minutes == 0 else f"stops after {as_text(minutes)} idle minutes"
        yield f"warehouse {subject.shown} {never}: set autoStopMins to {most} or less."


warehouse_stops_when_idle = ResourceRule(
    id="POL-45",
    name="warehouse-stops-when-idle",
    description="Require SQL warehouses to stop when nobody asks them.",
    remediation="Set autoStopMins to a small number that is not 0.",
    staging=MANDATORY,
    prod=ADVISORY,
    severity=MEDIUM,
    source=sources.WAREHOUSES,
    options={
        "minutes": {"type": "integer", "minimum": 1, "description": "The longest idle time.", "default": 60},
    },
    types=frozenset({WAREHOUSE}),
    check=_auto_stop,
)


RULES = (
    required_tags_are_set,
    no_gpu_in_trials,
    trials_scale_to_zero,
    endpoint_serves_few_entities,
    production_endpoint_has_a_budget_policy,
    usage_is_tracked,
    external_models_have_a_rate_limit,
    warehouse_stops_when_idle,
)
