"""The report as SARIF 2.1.0 (OASIS), which code scanning of GitHub and Azure DevOps read."""

from __future__ import annotations

import hashlib
from typing import Any

from policies.pack import NAME
from policies.report.findings import Finding, Report

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_SCORES = {"low": "3.0", "medium": "5.5", "high": "8.0", "critical": "9.5"}
"""`security-severity` of each severity, within the bands that GitHub's code scanning shows under the same names."""


def sarif(report: Report) -> dict[str, Any]:
    """One run. A resource has no line in a file, so a finding stands at the top of the stack's file, and its URN is
    the logical location."""
    policies = list(dict.fromkeys(finding.policy for finding in report.findings))
    first = {finding.policy: finding for finding in reversed(report.findings)}
    notices = [{"level": "error", "message": {"text": text}} for text in report.errors]
    driver = {"name": NAME, "rules": [_rule(first[policy]) for policy in policies]}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "automationDetails": {"id": f"{NAME}/{report.stack}/"},
                "invocations": [
                    {
                        "executionSuccessful": report.finished and not report.errors,
                        "toolExecutionNotifications": notices,
                    }
                ],
                "results": [_result(one, policies.index(one.policy), report.stack) for one in report.findings],
            }
        ],
    }


def _rule(finding: Finding) -> dict[str, Any]:
    rule = finding.rule
    if rule is None:
        return {"id": finding.policy, "shortDescription": {"text": finding.policy}}
    return {
        "id": finding.policy,
        "name": rule.id,
        "shortDescription": {"text": rule.description},
        "fullDescription": {"text": f"{rule.description} {rule.remediation}"},
        "help": {"text": rule.remediation, "markdown": f"{rule.remediation} ([source]({rule.source}))"},
        "helpUri": rule.source,
        "defaultConfiguration": {"level": _level(finding) if finding.known else "warning"},
        "properties": {"security-severity": _SCORES[rule.severity.value], "tags": ["policy", rule.severity.value]},
    }


def _result(finding: Finding, index: int, stack: str) -> dict[str, Any]:
    # `open`: what was there was not enough to judge (SARIF 3.27.9); its level then has to be `none`.
    judged = {"kind": "fail", "level": _level(finding)} if finding.known else {"kind": "open", "level": "none"}
    identity = "|".join((finding.policy, finding.urn, finding.text))
    return {
        "ruleId": finding.policy,
        "ruleIndex": index,
        **judged,
        "message": {"text": f"{finding.resource}: {finding.text}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": f"Pulumi.{stack}.yaml"},
                    "region": {"startLine": 1},
                },
                "logicalLocations": [
                    {"name": finding.resource, "fullyQualifiedName": finding.urn or stack, "kind": "resource"}
                ],
            }
        ],
        "partialFingerprints": {"finding/v1": hashlib.sha256(identity.encode()).hexdigest()},
    }


def _level(finding: Finding) -> str:
    return "error" if finding.is_mandatory else "note" if finding.severity == "low" else "warning"
