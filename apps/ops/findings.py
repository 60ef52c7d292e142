"""What was looked at, what was found, and what to do about it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import httpx
import requests
from databricks.sdk.errors import NotFound
from databricks.sdk.errors.base import DatabricksError

Verdict = Literal["pass", "fail", "unknown"]
PASSED, FAILED, NOT_RUN, UNCERTAIN = 0, 1, 2, 3
"""Exit codes: all is well; something is wrong; nothing could be looked at; nothing is wrong, something not known."""

_MARKS: dict[Verdict, str] = {"pass": "ok", "fail": "FAIL", "unknown": "?"}


@dataclass(frozen=True)
class Finding:
    """One check."""

    check: str
    """What was looked at, for example `traffic`."""
    subject: str
    """Of what: an endpoint, a table, a tool."""
    verdict: Verdict
    found: str
    fix: str = ""
    """What to do; empty where nothing has to be done."""


Check = Callable[[], Iterable[Finding]]


class OpsError(Exception):
    """Nothing could be looked at: what is missing, and how to get it."""


def run(check: str, subject: str, look: Check) -> list[Finding]:
    """The findings of one look at the workspace.

    "Not there" is an answer and fails. A refusal, a time-out or any other error is none: it is `unknown`, with the
    workspace's own words.
    """
    findings: list[Finding] = []
    try:
        # One by one: what was found before an error stays found.
        for finding in look():
            findings.append(finding)
    except NotFound as error:
        fix = "look whether the name is right; what the stack makes, `pulumi up --refresh` makes anew"
        findings.append(Finding(check, subject, "fail", f"not there: {words(error)}", fix))
    except (DatabricksError, requests.RequestException, httpx.HTTPError, TimeoutError) as error:
        found = f"{type(error).__name__}: {words(error)}"
        fix = "check the rights of the caller and that the workspace answers, then look again"
        findings.append(Finding(check, subject, "unknown", found, fix))
    return findings


def exit_code(findings: Sequence[Finding]) -> int:
    """0, 1 or 3, by the worst verdict; without a finding nothing was looked at (2)."""
    verdicts = {finding.verdict for finding in findings}
    if not verdicts:
        return NOT_RUN
    return FAILED if "fail" in verdicts else UNCERTAIN if "unknown" in verdicts else PASSED


def as_json(command: str, stack: str, findings: Sequence[Finding]) -> str:
    """One document: `command`, `stack`, `exit_code`, and the findings in order."""
    document = {
        "command": command,
        "stack": stack,
        "exit_code": exit_code(findings),
        "findings": [asdict(finding) for finding in findings],
    }
    return json.dumps(document, indent=2)


def as_text(findings: Sequence[Finding], *, fixes: bool = True) -> str:
    """A line for each finding, aligned, with its fix below it, and a last line that counts."""
    return "\n".join(_lines(findings, fixes=fixes))


def _lines(findings: Sequence[Finding], *, fixes: bool) -> Iterator[str]:
    width = max((len(finding.check) for finding in findings), default=0)
    for finding in findings:
        yield f"{_MARKS[finding.verdict]:<5}{finding.check:<{width}}  {finding.subject}: {finding.found}"
        if fixes and finding.fix and finding.verdict != "pass":
            yield f"{'':<5}{'':<{width}}  -> {finding.fix}"
    counts = Counter(finding.verdict for finding in findings)
    yield f"{counts['pass']} passed, {counts['fail']} failed, {counts['unknown']} not known"


def words(error: Exception) -> str:
    """The first line, without the SDK's listing of its configuration."""
    return (str(error).partition(" Config: ")[0].splitlines() or [type(error).__name__])[0][:300]
