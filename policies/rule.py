"""What a rule is made of, and how it becomes a policy of the engine.

A rule's check yields a text for each thing that is wrong: where it is, the value found, the change that puts it right.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyConfigSchema,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

ADVISORY = EnforcementLevel.ADVISORY
MANDATORY = EnforcementLevel.MANDATORY


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What every rule says about itself.

    Attributes:
        id: its number in the pack's documentation, which never changes.
        name: kebab-case; what the engine prints and what policy configuration is keyed by.
        description: begins with a verb.
        remediation: the change that satisfies the rule.
        staging: the level outside production.
        prod: the level in production.
        options: the JSON schema of each configuration value, with its default.
    """

    id: str
    name: str
    description: str
    remediation: str
    staging: EnforcementLevel
    prod: EnforcementLevel
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def level(self, *, production: bool) -> EnforcementLevel:
        return self.prod if production else self.staging

    def policy(self, level: EnforcementLevel) -> Policy:
        """The rule as the engine runs it."""
        raise NotImplementedError

    def config_schema(self) -> PolicyConfigSchema | None:
        return (
            PolicyConfigSchema({name: dict(schema) for name, schema in self.options.items()}) if self.options else None
        )


@dataclass(frozen=True, kw_only=True)
class ResourceRule(Rule):
    """Judges one resource by its inputs."""

    types: Collection[str]
    check: Callable[[ResourceValidationArgs], Iterable[str]]

    def policy(self, level: EnforcementLevel) -> ResourceValidationPolicy:
        def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
            if args.resource_type in self.types:
                for violation in self.check(args):
                    report(violation, None)

        return ResourceValidationPolicy(
            name=self.name,
            description=self.description,
            validate=validate,
            enforcement_level=level,
            config_schema=self.config_schema(),
            display_name=f"{self.id} {self.name}",
            remediation_steps=self.remediation,
        )


@dataclass(frozen=True, kw_only=True)
class StackRule(Rule):
    """Judges the resources of a stack together; each finding names the resource it is about."""

    check: Callable[[StackValidationArgs], Iterable[tuple[PolicyResource, str]]]

    def policy(self, level: EnforcementLevel) -> StackValidationPolicy:
        def validate(args: StackValidationArgs, report: ReportViolation) -> None:
            for resource, violation in self.check(args):
                report(violation, resource.urn)

        return StackValidationPolicy(
            name=self.name,
            description=self.description,
            validate=validate,
            enforcement_level=level,
            config_schema=self.config_schema(),
            display_name=f"{self.id} {self.name}",
            remediation_steps=self.remediation,
        )
