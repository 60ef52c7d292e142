"""AI Gateway of an endpoint: inference table, usage tracking, rate limits, guardrails, fallbacks; what may be set.

Which kinds of endpoints take what: docs "AI Gateway", table of supported features.
"""

from __future__ import annotations

from collections.abc import Sequence

from workspace.errors import ApiError, invalid
from workspace.http import Json

BLOCKS = ("inference_table_config", "usage_tracking_config", "rate_limits", "guardrails", "fallback_config")
LIMIT_KEYS = ("endpoint", "user", "service_principal", "user_group")
# The service's bound for custom limits of users, service principals and groups together.
MAX_RATE_LIMITS = 20
PII_BEHAVIOURS = ("NONE", "BLOCK", "MASK")
GUARDED_TASKS = ("llm/v1/chat", "llm/v1/completions", "agent/v1/chat", "agent/v2/chat", "agent/v1/responses")


def read_gateway(body: Json, endpoint_name: str, previous: Json | None, entities: Sequence[Json]) -> Json:
    """The gateway as it is stored; an empty body clears it. ApiError 400 for what the service refuses.

    `entities` are the served entities that the endpoint has or is to have.
    """
    gateway = {block: body[block] for block in BLOCKS if body.get(block)}
    if gateway.get("fallback_config", {}).get("enabled") and not _external(entities):
        raise invalid("ai_gateway.fallback_config is supported for endpoints that serve external models only.")
    if "guardrails" in gateway:
        _check_guardrails(gateway["guardrails"], entities)
    limits = gateway.get("rate_limits", [])
    if len(limits) > MAX_RATE_LIMITS:
        raise invalid(
            f"ai_gateway.rate_limits has {len(limits)} limits; an endpoint can have at most {MAX_RATE_LIMITS}."
        )
    check_limits(limits)
    if "inference_table_config" in gateway:
        gateway["inference_table_config"] = _inference_table(gateway["inference_table_config"], endpoint_name, previous)
    return gateway


def check_limits(limits: Sequence[Json]) -> None:
    for limit in limits:
        _check_limit(limit)


def tracks_usage(gateway: Json | None) -> bool:
    return bool(((gateway or {}).get("usage_tracking_config") or {}).get("enabled"))


def falls_back(gateway: Json | None) -> bool:
    return bool(((gateway or {}).get("fallback_config") or {}).get("enabled"))


def payload_table(gateway: Json | None) -> str | None:
    """The full name of the payload table that requests are logged to; None where nothing is logged."""
    table = (gateway or {}).get("inference_table_config") or {}
    if not table.get("enabled"):
        return None
    return f"{table['catalog_name']}.{table['schema_name']}.{table['table_name_prefix']}_payload"


def _inference_table(given: Json, endpoint_name: str, previous: Json | None) -> Json:
    old = (previous or {}).get("inference_table_config") or {}
    table = {**{field: old[field] for field in ("catalog_name", "schema_name", "table_name_prefix") if field in old}}
    table.update({field: value for field, value in given.items() if value is not None})
    table.setdefault("enabled", False)
    if table["enabled"]:
        # A table that was never on has no name, or every client would find one that it did not give.
        table.setdefault("table_name_prefix", endpoint_name)
        for field in ("catalog_name", "schema_name"):
            if not table.get(field):
                raise invalid(f"Missing required field: ai_gateway.inference_table_config.{field}")
        if old.get("enabled") and payload_table({"inference_table_config": old}) != payload_table(
            {"inference_table_config": table}
        ):
            raise invalid(
                "The catalog, schema and prefix of an enabled inference table cannot be changed. Disable it first "
                '({"inference_table_config": {"enabled": false}}), then enable it with the new location.'
            )
    return table


def _check_limit(limit: Json) -> None:
    key = limit.get("key", "endpoint")
    if key not in LIMIT_KEYS:
        raise invalid(f"rate_limits key '{key}' is not valid: one of {', '.join(LIMIT_KEYS)}")
    if key in ("service_principal", "user_group") and not limit.get("principal"):
        raise invalid(f"rate_limits key '{key}' needs a principal")
    if limit.get("renewal_period") != "minute":
        raise invalid(f"rate_limits renewal_period '{limit.get('renewal_period')}' is not valid: minute")
    if limit.get("calls") is None and limit.get("tokens") is None:
        raise invalid("rate_limits needs calls or tokens")
    for field in ("calls", "tokens"):
        value = limit.get(field)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            raise invalid(f"rate_limits {field} {value!r} is not valid: an integer, 0 or more")


def _external(entities: Sequence[Json]) -> bool:
    return bool(entities) and all(entity.get("external_model") for entity in entities)


def _check_guardrails(guardrails: Json, entities: Sequence[Json]) -> None:
    if not entities or any(entity.get("task") not in GUARDED_TASKS for entity in entities):
        raise invalid(
            "ai_gateway.guardrails is supported for endpoints that serve chat and completion models only; "
            f"the tasks here are {[entity.get('task') for entity in entities]}."
        )
    for side in ("input", "output"):
        given = guardrails.get(side) or {}
        behaviour = (given.get("pii") or {}).get("behavior", "NONE")
        if behaviour not in PII_BEHAVIOURS:
            raise invalid(
                f"ai_gateway.guardrails.{side}.pii.behavior '{behaviour}' is not valid: {', '.join(PII_BEHAVIOURS)}"
            )
        for field in ("safety", "valid_topics"):
            if given.get(field):
                raise ApiError(
                    501,
                    "NOT_IMPLEMENTED",
                    f"the embedded workspace has no model to classify texts by: ai_gateway.guardrails.{side}.{field}",
                )
