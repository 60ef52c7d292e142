"""The report as JUnit XML: what build servers show as a list of tests. A test is a rule, or a rule on one resource."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from policies.pack import CONCERNS, NAME
from policies.report.findings import Finding, Report
from policies.rule import OFF, TRIAL_STACKS

_CONCERN = {rule.id: concern for concern, rules in CONCERNS.items() for rule in rules}


def junit(report: Report) -> bytes:
    """One suite for the stack. Mandatory findings are failures, what is not known yet is skipped, advice is output.

    A rule that says nothing is a test that passed; one that is off in this stack is not listed.
    """
    suite = ET.Element("testsuite", {"name": f"{NAME}.{report.stack}"})
    for finding in report.findings:
        _judged(suite, finding)
    spoken = {finding.rule.id for finding in report.findings if finding.rule is not None}
    trial = report.stack in TRIAL_STACKS
    if report.finished and not report.errors:
        for concern, rules in CONCERNS.items():
            for rule in rules:
                if rule.id not in spoken and (rule.staging if trial else rule.prod) is not OFF:
                    _case(suite, concern, f"{rule.id} {rule.name}")
    else:
        case = _case(suite, "preview", "the preview gets through")
        text = "\n".join(report.errors) or "the engine's events end before its summary"
        ET.SubElement(case, "error", {"message": _printable(text.splitlines()[0])}).text = _printable(text)
    for kind in ("failure", "error", "skipped"):
        suite.set({"failure": "failures", "error": "errors"}.get(kind, kind), str(len(suite.findall(f"*/{kind}"))))
    suite.set("tests", str(len(suite)))
    suites = ET.Element("testsuites", {key: suite.get(key, "0") for key in ("tests", "failures", "errors", "skipped")})
    suites.append(suite)
    ET.indent(suites)
    content: bytes = ET.tostring(suites, encoding="utf-8", xml_declaration=True)
    return content


def _judged(suite: ET.Element, finding: Finding) -> None:
    rule = finding.rule
    concern = "other" if rule is None else _CONCERN[rule.id]
    name = finding.policy if rule is None else f"{rule.id} {rule.name}"
    case = _case(suite, concern, f"{name} [{finding.resource}]")
    text = f"{finding.text}\n\n{finding.urn}\nfix: {finding.fix}"
    if not finding.known:
        ET.SubElement(case, "skipped", {"message": _printable(finding.text)})
    elif finding.is_mandatory:
        message = _printable(finding.text)
        ET.SubElement(case, "failure", {"type": finding.severity or "policy", "message": message}).text = _printable(
            text
        )
    else:
        ET.SubElement(case, "system-out").text = _printable(f"advisory: {text}")


def _case(suite: ET.Element, concern: str, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", {"classname": f"policies.{concern}", "name": name, "time": "0"})


def _printable(text: str) -> str:
    """Without control characters, which XML 1.0 has no way to write."""
    return "".join(sign for sign in text if sign in "\t\n" or sign >= " ")
