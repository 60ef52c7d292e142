"""AI Gateway of an endpoint: inference table, usage tracking, rate limits; what may be set, and how limits count.

Guardrails and fallbacks are for LLM endpoints and external models, which are not served here.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque

from workspace.errors import ApiError, invalid
from workspace.http import Json

BLOCKS = ("inference_table_config", "usage_tracking_config", "rate_limits", "guardrails", "fallback_config")
LIMIT_KEYS = ("endpoint", "user", "service_principal", "user_group")
PERIOD_SECONDS = 60.0


def read_gateway(body: Json, endpoint_name: str, previous: Json | None) -> Json:
    """The gateway as it is stored; an empty body clears it. ApiError 400 for what the service refuses."""
    gateway = {block: body[block] for block in BLOCKS if body.get(block)}
    for block in ("guardrails", "fallback_config"):
        if block in gateway:
            raise invalid(f"ai_gateway.{block} is not supported for endpoints that serve custom models.")
    for limit in gateway.get("rate_limits", []):
        _check_limit(limit)
    if "inference_table_config" in gateway:
        gateway["inference_table_config"] = _inference_table(gateway["inference_table_config"], endpoint_name, previous)
    return gateway


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
    table.setdefault("table_name_prefix", endpoint_name)
    table.setdefault("enabled", False)
    if table["enabled"]:
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
    calls = limit.get("calls")
    if calls is None and limit.get("tokens") is None:
        raise invalid("rate_limits needs calls or tokens")
    if calls is not None and (isinstance(calls, bool) or not isinstance(calls, int) or calls < 0):
        raise invalid(f"rate_limits calls {calls!r} is not valid: an integer, 0 or more")


class RateLimiter:
    """Counts the calls of the last minute; limits in tokens do not apply to custom models."""

    def __init__(self) -> None:
        self._calls: defaultdict[tuple[str, str], deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    def admit(self, endpoint_id: str, limits: list[Json], user: str) -> None:
        """Count one call; ApiError 429 where that is one too many."""
        now = time.monotonic()
        with self._lock:
            counted: dict[tuple[str, str], deque[float]] = {}
            for limit in limits:
                key = limit.get("key", "endpoint")
                if limit.get("calls") is None or key in ("service_principal", "user_group"):
                    continue
                counter = (endpoint_id, user if key == "user" else "")
                calls = self._calls[counter]
                while calls and now - calls[0] >= PERIOD_SECONDS:
                    calls.popleft()
                if len(calls) >= limit["calls"]:
                    wait = int(PERIOD_SECONDS - (now - calls[0])) + 1 if calls else int(PERIOD_SECONDS)
                    raise ApiError(
                        429,
                        "REQUEST_LIMIT_EXCEEDED",
                        f"Exceeded the rate limit of {limit['calls']} calls per minute ({key}).",
                        retry_after=wait,
                    )
                counted[counter] = calls
            for calls in counted.values():
                calls.append(now)
