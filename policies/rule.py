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
OFF = EnforcementLevel.DISABLED

TRIAL_STACKS = frozenset({"local", "dev", "test", "staging"})
"""Where the milder levels hold. Any other name is production, so that no stack escapes by being called `prod-eu`."""

TRIAL_SUFFIX = "-in-trials"


def is_production(urn: str) -> bool:
    """Whether the resource belongs to a production stack (`urn:pulumi:<stack>::<project>::...`)."""
    return urn.partition("::")[0].rpartition(":")[2] not in TRIAL_STACKS


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

    def policies(self) -> list[Policy]:
        """The rule as the engine runs it: one policy for each level that it has somewhere.

        A pack must name its levels before it learns which stack it judges (pulumi-policy 1.21 passes on neither the
        stack's name nor its configuration), so a policy of each level is there and leaves the other's stacks alone.
        """
        if self.staging is self.prod:
            return [self._policy(self.name, self.prod, lambda _urn: True)]
        both = [
            (self.name, self.prod, is_production),
            (self.name + TRIAL_SUFFIX, self.staging, lambda urn: not is_production(urn)),
        ]
        return [self._policy(name, level, applies) for name, level, applies in both if level is not OFF]

    def _policy(self, name: str, level: EnforcementLevel, applies: Callable[[str], bool]) -> Policy:
        raise NotImplementedError

    def _metadata(self, name: str, level: EnforcementLevel) -> dict[str, Any]:
        options = {option: dict(schema) for option, schema in self.options.items()}
        return {
            "name": name,
            "description": self.description,
            "enforcement_level": level,
            "config_schema": PolicyConfigSchema(options) if options else None,
            "display_name": f"{self.id} {name}",
            "remediation_steps": self.remediation,
        }


@dataclass(frozen=True, kw_only=True)
class ResourceRule(Rule):
    """Judges one resource by its inputs."""

    types: Collection[str]
    check: Callable[[ResourceValidationArgs], Iterable[str]]

    def _policy(self, name: str, level: EnforcementLevel, applies: Callable[[str], bool]) -> ResourceValidationPolicy:
        def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
            if args.resource_type in self.types and applies(args.urn):
                for violation in self.check(args):
                    report(violation, None)

        return ResourceValidationPolicy(validate=validate, **self._metadata(name, level))


@dataclass(frozen=True, kw_only=True)
class StackRule(Rule):
    """Judges the resources of a stack together; each finding names the resource it is about."""

    check: Callable[[StackValidationArgs], Iterable[tuple[PolicyResource, str]]]

    def _policy(self, name: str, level: EnforcementLevel, applies: Callable[[str], bool]) -> StackValidationPolicy:
        def validate(args: StackValidationArgs, report: ReportViolation) -> None:
            for resource, violation in self.check(args):
                if applies(resource.urn):
                    report(violation, resource.urn)

        return StackValidationPolicy(validate=validate, **self._metadata(name, level))
