"""The AI Gateway block of an endpoint: inference table, usage tracking, rate limits, guardrails, fallback.

Which feature goes with which entities is documented ("AI Gateway on model serving endpoints", supported features):
custom models have inference tables, usage tracking and rate limits; guardrails go with language models, fallback with
external ones. The block is always written, because the official plugin panics when it goes away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from . import databricks
from .arguments import Arguments
from .names import ThreePartName

PiiBehavior = Literal["NONE", "BLOCK", "MASK"]
LimitKey = Literal["endpoint", "user", "service_principal", "user_group"]
_NAMED = ("service_principal", "user_group")


class AiGatewayError(ValueError):
    """The gateway's settings break a rule: which, the value received, the fix."""


@dataclass(frozen=True, kw_only=True)
class InferenceTableArgs(Arguments):
    """Where requests and responses are written. It cannot be moved while it is on (components/inference_table.py)."""

    catalog: str
    """Catalog of the table."""
    schema: str
    """Schema of the table."""
    prefix: str
    """What its name begins with."""

    @property
    def table(self) -> str:
        """`<catalog>.<schema>.<prefix>_payload`, the name AI Gateway gives it."""
        return str(ThreePartName.parse(f"{self.catalog}.{self.schema}.{self.prefix}_payload"))


@dataclass(frozen=True, kw_only=True)
class RateLimitArgs(Arguments):
    """At most so many calls or tokens a minute; more is answered with 429."""

    calls: int | None = None
    """Requests a minute."""
    tokens: int | None = None
    """Tokens a minute; for language models."""
    key: LimitKey = "endpoint"
    """Counted for the whole endpoint, for each user, or for one service principal or group."""
    principal: str | None = None
    """Which service principal (application id) or group; with those two keys only."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.calls is None and self.tokens is None:
            raise AiGatewayError(f"the rate limit for {self.key} limits nothing; give calls, tokens or both")
        for what, number in (("calls", self.calls), ("tokens", self.tokens)):
            if number is not None and number < 1:
                raise AiGatewayError(f"the rate limit for {self.key} has {what} {number}; use 1 or more")
        if (self.key in _NAMED) != (self.principal is not None):
            fix = "name the principal" if self.key in _NAMED else "remove the principal"
            raise AiGatewayError(f"the rate limit for {self.key} has principal {self.principal!r}; {fix}")


@dataclass(frozen=True, kw_only=True)
class GuardrailArgs(Arguments):
    """What is done to texts on their way in or out; for language models."""

    pii: PiiBehavior = "NONE"
    """Personal data is let through, makes the request fail, or is masked."""
    safety: bool = False
    """Whether unsafe texts are blocked."""


@dataclass(frozen=True, kw_only=True)
class AiGatewayArgs(Arguments):
    """What the gateway does besides the inference table."""

    usage_tracking: bool = False
    """Whether `system.serving.endpoint_usage` gets a row for each request."""
    rate_limits: Sequence[RateLimitArgs] = ()
    """At most one for each key and principal."""
    input_guardrails: GuardrailArgs | None = None
    """For what callers send."""
    output_guardrails: GuardrailArgs | None = None
    """For what models answer."""
    fallback: bool = False
    """Whether another external model is asked where one answers 429 or 5xx."""

    def __post_init__(self) -> None:
        super().__post_init__()
        seen: set[tuple[str, str | None]] = set()
        for limit in self.rate_limits:
            if (limit.key, limit.principal) in seen:
                named = f" {limit.principal}" if limit.principal else ""
                raise AiGatewayError(f"two rate limits for {limit.key}{named}; put calls and tokens into one")
            seen.add((limit.key, limit.principal))

    def check_for(self, kinds: set[str]) -> None:
        """Raises AiGatewayError for a feature that entities of these kinds do not have."""
        hosted = "registered model" in kinds
        if hosted and (self.input_guardrails or self.output_guardrails):
            raise AiGatewayError("guardrails go with language models; a registered model has none: remove them")
        if self.fallback and kinds != {"external model"}:
            raise AiGatewayError(
                "fallback goes between external models; for registered models, keep the previous version as an entity "
                "at 0 % and move the traffic back: remove fallback"
            )
        if hosted and any(limit.tokens for limit in self.rate_limits):
            raise AiGatewayError("token limits go with language models; limit the calls of a registered model")

    def inputs(self, table: InferenceTableArgs | None) -> databricks.ModelServingAiGatewayArgs:
        """The block as the resource takes it; with a disabled table where there is none."""
        return databricks.ModelServingAiGatewayArgs(
            inference_table_config=_table(table),
            usage_tracking_config=databricks.ModelServingAiGatewayUsageTrackingConfigArgs(enabled=True)
            if self.usage_tracking
            else None,
            rate_limits=[
                databricks.ModelServingAiGatewayRateLimitArgs(
                    renewal_period="minute",
                    calls=limit.calls,
                    tokens=limit.tokens,
                    key=limit.key,
                    principal=limit.principal,
                )
                for limit in self.rate_limits
            ]
            or None,
            guardrails=databricks.ModelServingAiGatewayGuardrailsArgs(
                input=_input_guardrails(self.input_guardrails), output=_output_guardrails(self.output_guardrails)
            )
            if self.input_guardrails or self.output_guardrails
            else None,
            fallback_config=databricks.ModelServingAiGatewayFallbackConfigArgs(enabled=True) if self.fallback else None,
        )


def _table(table: InferenceTableArgs | None) -> databricks.ModelServingAiGatewayInferenceTableConfigArgs:
    if table is None:
        return databricks.ModelServingAiGatewayInferenceTableConfigArgs(enabled=False)
    return databricks.ModelServingAiGatewayInferenceTableConfigArgs(
        enabled=True, catalog_name=table.catalog, schema_name=table.schema, table_name_prefix=table.prefix
    )


def _input_guardrails(args: GuardrailArgs | None) -> databricks.ModelServingAiGatewayGuardrailsInputArgs | None:
    if args is None:
        return None
    return databricks.ModelServingAiGatewayGuardrailsInputArgs(
        pii=databricks.ModelServingAiGatewayGuardrailsInputPiiArgs(behavior=args.pii), safety=args.safety
    )


def _output_guardrails(args: GuardrailArgs | None) -> databricks.ModelServingAiGatewayGuardrailsOutputArgs | None:
    if args is None:
        return None
    return databricks.ModelServingAiGatewayGuardrailsOutputArgs(
        pii=databricks.ModelServingAiGatewayGuardrailsOutputPiiArgs(behavior=args.pii), safety=args.safety
    )
