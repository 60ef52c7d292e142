"""Runs one rule on made-up resources, through the same objects that the engine's library hands to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pulumi_policy import (
    PolicyCustomTimeouts,
    PolicyResource,
    PolicyResourceOptions,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.policy import _NotApplicableError  # what not_applicable() raises has no public name
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError, unknown_checking_proxy

from policies.rule import Rule

UNKNOWN = UNKNOWN_STRING_VALUE
"""What the engine sends for a value that is not known before the update."""


@dataclass(frozen=True)
class Declared:
    """A resource of a made-up stack; `sources` says, by property, which other resource it is made of, `after` what it
    depends on besides."""

    type: str
    properties: Mapping[str, Any]
    name: str = "resource"
    sources: Mapping[str, str] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    stack: str = "prod"
    protect: bool = False
    delete_before_replace: bool | None = None
    timeouts: tuple[float, float] = (0, 0)
    """Seconds that creation and update may take; 0 where it is not said."""

    @property
    def urn(self) -> str:
        return f"urn:pulumi:{self.stack}::project::{self.type}::{self.name}"

    @property
    def options(self) -> PolicyResourceOptions:
        timeouts = PolicyCustomTimeouts(*self.timeouts, 0)
        return PolicyResourceOptions(self.protect, [], self.delete_before_replace, [], timeouts, [], None)


@dataclass(frozen=True)
class Judgement:
    """What a rule said: its violations, the unknown value that kept it from judging everything, the waiver it met."""

    violations: list[str]
    unknown: str | None = None
    waived: str | None = None


def judge(rule: Rule, declared: Iterable[Declared], config: Mapping[str, Any] | None = None) -> Judgement:
    found: list[str] = []
    resources = list(declared)
    try:
        for policy in rule.policies():
            if isinstance(policy, ResourceValidationPolicy):
                for resource in resources:
                    _judge_resource(policy, resource, found, config)
            elif isinstance(policy, StackValidationPolicy):
                _judge_stack(policy, resources, found, config)
    except UnknownValueError as error:
        return Judgement(found, ".".join(error.props))
    except _NotApplicableError as waived:
        return Judgement(found, waived=waived.reason)
    return Judgement(found)


def _judge_resource(
    policy: ResourceValidationPolicy, declared: Declared, found: list[str], config: Mapping[str, Any] | None
) -> None:
    args = ResourceValidationArgs(
        declared.type,
        unknown_checking_proxy(dict(declared.properties)),
        declared.urn,
        declared.name,
        declared.options,
        None,
        config,
    )

    def report(message: str, urn: str | None) -> None:
        found.append(message)

    policy.validate(args, report)


def _judge_stack(
    policy: StackValidationPolicy, declared: list[Declared], found: list[str], config: Mapping[str, Any] | None
) -> None:
    resources = {
        one.name: PolicyResource(
            one.type, unknown_checking_proxy(dict(one.properties)), one.urn, one.name, one.options, None, None, [], {}
        )
        for one in declared
    }
    for one in declared:
        for name, source in one.sources.items():
            resources[one.name].property_dependencies[name] = [resources[source]]
        resources[one.name].dependencies.extend(resources[name] for name in one.after)
    args = StackValidationArgs(list(resources.values()), config)

    def report(message: str, urn: str | None) -> None:
        found.append(f"{urn}: {message}")

    policy.validate(args, report)
