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
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)

from policies.subject import Settings, Stack, Subject
from policies.waivers import OPTION, SCHEMA, Waiver, waiver_of

ADVISORY = EnforcementLevel.ADVISORY
MANDATORY = EnforcementLevel.MANDATORY
OFF = EnforcementLevel.DISABLED

LOW, MEDIUM, HIGH, CRITICAL = Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL

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
        severity: how much harm it does to break the rule, whatever the level.
        source: where the belief comes from: address of a page, or of the issue that shows the harm.
        options: the JSON schema of each configuration value, with its default.
    """

    id: str
    name: str
    description: str
    remediation: str
    staging: EnforcementLevel
    prod: EnforcementLevel
    severity: Severity = Severity.MEDIUM
    source: str
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def schema(self) -> Mapping[str, Mapping[str, Any]]:
        """All options: the rule's own, and the waivers that every rule has."""
        return {**self.options, OPTION: SCHEMA}

    def policies(self) -> list[Policy]:
        """The rule as the engine runs it: one policy for each level that it has somewhere.

        A pack must name its levels before it learns which stack it judges (pulumi-policy 1.21 passes on neither the
        stack's name nor its configuration), so a policy of each level is there and leaves the other's stacks alone.
        """
        if self.staging is self.prod:
            return [self._policy(self.name, self.prod, lambda _urn: True)]
        policies = []
        if self.prod is not OFF:
            policies.append(self._policy(self.name, self.prod, is_production))
        if self.staging is not OFF:
            policies.append(self._policy(self.trial_name, self.staging, lambda urn: not is_production(urn)))
        return policies

    @property
    def trial_name(self) -> str:
        """What the engine calls the rule outside production."""
        return self.name if self.prod in (self.staging, OFF) else self.name + TRIAL_SUFFIX

    def judges(self, policy: str, *, production: bool) -> bool:
        """Whether its policy of that name judges stacks of production, or else trials."""
        name, level = (self.name, self.prod) if production else (self.trial_name, self.staging)
        return policy == name and level is not OFF

    def _policy(self, name: str, level: EnforcementLevel, applies: Callable[[str], bool]) -> Policy:
        raise NotImplementedError

    def _metadata(self, name: str, level: EnforcementLevel) -> dict[str, Any]:
        options = {option: dict(schema) for option, schema in self.schema.items()}
        return {
            "name": name,
            "description": self.description,
            "enforcement_level": level,
            "config_schema": PolicyConfigSchema(options),
            "severity": self.severity,
            "display_name": f"{self.id} {name}",
            "remediation_steps": self.remediation,
        }


@dataclass(frozen=True, kw_only=True)
class ResourceRule(Rule):
    """Judges one resource by its inputs and options.

    Attributes:
        types: the type tokens that it judges.
        remedy: changes the properties of a resource so that it keeps the rule, where that is safe; whether it changed
            any. It runs only where the rule's level is configured as `remediate`.
        remedied: what the remedy does, for the documentation.
    """

    types: Collection[str]
    check: Callable[[Subject], Iterable[str]]
    remedy: Callable[[Subject], bool] | None = None
    remedied: str = ""

    def _policy(self, name: str, level: EnforcementLevel, applies: Callable[[str], bool]) -> ResourceValidationPolicy:
        def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
            if args.resource_type not in self.types or not applies(args.urn):
                return
            subject = Subject(args, Settings(self.schema, args.get_config()))
            waived = None
            for violation in self.check(subject):
                waived = report_unless_waived(subject, violation, report)
            if waived is not None:
                args.not_applicable(str(waived))
            subject.reader.raise_unknown()

        def remediate(args: ResourceValidationArgs) -> Any:
            if self.remedy is None or args.resource_type not in self.types or not applies(args.urn):
                return None
            subject = Subject(args, Settings(self.schema, args.get_config()))
            waiver = waiver_of(subject)
            waived = waiver is not None and waiver.over is None
            # The properties themselves, never a copy, which would lose what is secret.
            return args.props if not waived and self.remedy(subject) else None

        return ResourceValidationPolicy(
            validate=validate, remediate=remediate if self.remedy else None, **self._metadata(name, level)
        )


@dataclass(frozen=True, kw_only=True)
class StackRule(Rule):
    """Judges the resources of a stack together; each finding names the resource it is about."""

    check: Callable[[Stack], Iterable[tuple[Subject, str]]]

    def _policy(self, name: str, level: EnforcementLevel, applies: Callable[[str], bool]) -> StackValidationPolicy:
        def validate(args: StackValidationArgs, report: ReportViolation) -> None:
            if not any(applies(resource.urn) for resource in args.resources):
                return
            stack = Stack(args, Settings(self.schema, args.get_config()))
            for subject, violation in self.check(stack):
                report_unless_waived(subject, violation, report)
            stack.raise_unknown()

        return StackValidationPolicy(validate=validate, **self._metadata(name, level))


def report_unless_waived(subject: Subject, violation: str, report: ReportViolation) -> Waiver | None:
    """Report a violation, with what became of its waiver; the waiver instead where one holds."""
    waiver = waiver_of(subject)
    if waiver is None:
        report(violation, subject.urn)
    elif waiver.over is not None:
        report(f"{violation} {waiver.over}", subject.urn)
    else:
        return waiver
    return None
