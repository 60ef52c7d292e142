"""Findings of one preview, read from the engine's events.

Events are one JSON object a line, as `pulumi preview --event-log FILE` writes them (`PULUMI_DEBUG_COMMANDS=true` shows
that option), and as `pulumi preview --json` prints them with `PULUMI_ENABLE_STREAMING_JSON_PREVIEW=true`. Their form is
`apitype.EngineEvent` of the engine's sdk/go/common/apitype/events.go.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from policies.pack import NAME, RULES
from policies.rule import Rule

MANDATORY, REMEDIATE = "mandatory", "remediate"
_NOT_KNOWN = "can't run policy"
"""What the engine's words begin with where a value is not known before the update."""
_RULES = {policy.name: rule for rule in RULES for policy in rule.policies()}


class ReportError(Exception):
    """The events cannot be reported on; the message says what is wrong and what to run."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that a policy said of one resource.

    Attributes:
        policy: the name that the engine knows it by, and policy configuration is keyed by.
        rule: the rule of this pack behind it; None for one of another pack.
        level: `mandatory` or `advisory`, as configured.
        severity: `low` to `critical`; empty where the pack gives none.
        urn: the resource's; empty for a finding about the whole stack.
        text: what is wrong, with the value found and the change.
        known: whether it was judged; False where a value is not known before the update.
    """

    policy: str
    rule: Rule | None = field(compare=False)
    level: str
    severity: str
    urn: str
    text: str
    known: bool = True

    @property
    def is_mandatory(self) -> bool:
        """Whether it ends the update. A level `remediate` is left over only where nothing could be put right."""
        return self.known and self.level in (MANDATORY, REMEDIATE)

    @property
    def resource(self) -> str:
        """The resource's logical name."""
        return self.urn.rpartition("::")[2] or "(stack)"

    @property
    def type(self) -> str:
        """The resource's type token; empty for the stack."""
        return self.urn.split("::")[2].rpartition("$")[2] if self.urn.count("::") >= 3 else ""

    @property
    def fix(self) -> str:
        return "" if self.rule is None else self.rule.remediation

    def as_json(self) -> dict[str, Any]:
        rule = self.rule
        return {
            "policy": self.policy,
            "id": None if rule is None else rule.id,
            "rule": self.policy if rule is None else rule.name,
            "level": self.level,
            "severity": self.severity,
            "known": self.known,
            "resource": self.resource,
            "type": self.type,
            "urn": self.urn,
            "finding": self.text,
            "fix": self.fix,
            "source": None if rule is None else rule.source,
        }


@dataclass(frozen=True, kw_only=True)
class Report:
    """All findings of one preview of one stack.

    Attributes:
        remediated: policy and URN of what policies changed by themselves.
        resources: how many resources the engine went through.
        finished: whether the preview came to its end; without it, a stack without findings proves nothing.
        errors: what the engine said where it did not.
    """

    stack: str
    findings: tuple[Finding, ...]
    remediated: tuple[tuple[str, str], ...] = ()
    resources: int = 0
    finished: bool = True
    errors: tuple[str, ...] = ()

    @property
    def mandatory(self) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings if one.is_mandatory)

    @property
    def exit_code(self) -> int:
        """0 where the stack may go on, 1 with mandatory findings, 2 where the preview failed for another reason."""
        return 1 if self.mandatory else 0 if self.finished and not self.errors else 2

    def as_json(self) -> dict[str, Any]:
        return {
            "pack": NAME,
            "stack": self.stack,
            "summary": {
                "resources": self.resources,
                "mandatory": len(self.mandatory),
                "advisory": sum(one.known and not one.is_mandatory for one in self.findings),
                "not_known_yet": sum(not one.known for one in self.findings),
                "remediated": len(self.remediated),
                "finished": self.finished,
            },
            "findings": [one.as_json() for one in self.findings],
            "remediated": [{"policy": policy, "urn": urn} for policy, urn in self.remediated],
            "errors": list(self.errors),
        }


def read_events(lines: Iterable[str]) -> list[dict[str, Any]]:
    """The events of a log.

    Raises:
        ReportError: a line is no JSON object.
    """
    events = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            event = json.loads(line)
        except json.JSONDecodeError as error:
            raise ReportError(
                f"line {number} of the events is no JSON ({error.msg}): {line.strip()[:80]!r}. Give a file that "
                "`PULUMI_DEBUG_COMMANDS=true pulumi preview --event-log FILE` has written."
            ) from error
        if not isinstance(event, dict):
            raise ReportError(f"line {number} of the events is {type(event).__name__}, not an object: give one a line.")
        events.append(event)
    return events


def report_of(stack: str, events: Iterable[Mapping[str, Any]]) -> Report:
    """The report of a preview's events; findings in order of weight, then resource.

    Raises:
        ReportError: the preview came to its end without the pack, so that no finding means nothing.
    """
    findings, remediated, urns, errors = [], [], set(), []
    finished, packs = False, ""
    for event in events:
        if (said := event.get("policyEvent")) is not None:
            findings.append(_finding(said))
        elif (changed := event.get("policyRemediationEvent")) is not None:
            remediated.append((str(changed["policyName"]), str(changed.get("resourceUrn", ""))))
        elif (step := event.get("resourcePreEvent")) is not None:
            urns.add(step["metadata"]["urn"])
        elif (diagnostic := event.get("diagnosticEvent")) is not None and diagnostic.get("severity") == "error":
            errors.append(str(diagnostic["message"]).strip())
        elif (summary := event.get("summaryEvent")) is not None:
            finished, packs = True, " ".join(summary.get("PolicyPacks") or {})
    if finished and NAME not in packs:
        raise ReportError(
            f"the preview of {stack} ran without the pack {NAME} (packs: {packs or 'none'}): "
            "add --policy-pack policies to it."
        )
    weight = ("critical", "high", "medium", "low", "")
    findings.sort(key=lambda one: (not one.is_mandatory, not one.known, weight.index(one.severity), one.urn))
    # The engine ends a preview with mandatory findings in an error of its own, which says nothing more.
    own = [text for text in errors if text != "preview failed"]
    return Report(
        stack=stack,
        findings=tuple(dict.fromkeys(findings)),
        remediated=tuple(remediated),
        resources=len(urns),
        finished=finished,
        errors=tuple(own),
    )


def _finding(event: Mapping[str, Any]) -> Finding:
    message = str(event["message"]).strip()
    known = not message.startswith(_NOT_KNOWN)
    # The engine's library puts the policy's description on a line of its own before each finding.
    _, _, rest = message.partition("\n")
    return Finding(
        policy=str(event["policyName"]),
        rule=_RULES.get(str(event["policyName"])) if event.get("policyPackName") == NAME else None,
        level=str(event["enforcementLevel"]),
        severity=str(event.get("severity") or ""),
        urn=str(event.get("resourceUrn") or ""),
        text=rest if known and rest else message,
        known=known,
    )
