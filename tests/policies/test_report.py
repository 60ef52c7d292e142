"""The report: what the engine's events say, in each of its forms, and the exit code that a build server goes by."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from policies.pack import NAME, RULES
from policies.report.__main__ import main
from policies.report.findings import Report, ReportError, read_events, report_of
from policies.report.junit import junit
from policies.report.sarif import sarif
from policies.report.table import markdown, table
from policies.rule import OFF

SUMMARY = {"summaryEvent": {"result": "succeeded", "PolicyPacks": {f"{NAME}|local|/pack": "0.1.0"}}}
URN = "urn:pulumi:staging::fares::pkg:index:Parent$databricks:index/modelServing:ModelServing::{}"

# What GitHub and Azure DevOps need of SARIF 2.1.0: the required properties of the standard's objects that are used.
SARIF = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results", "invocations"],
                "properties": {
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name", "rules"],
                                "properties": {
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "type": "object",
                                            "required": ["id", "shortDescription"],
                                            "properties": {
                                                "shortDescription": {"$ref": "#/$defs/message"},
                                                "helpUri": {"type": "string", "pattern": "^https://"},
                                            },
                                        },
                                    }
                                },
                            }
                        },
                    },
                    "invocations": {"items": {"required": ["executionSuccessful"]}},
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["ruleId", "ruleIndex", "message", "locations", "level", "kind"],
                            "properties": {
                                "message": {"$ref": "#/$defs/message"},
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "kind": {"enum": ["fail", "open"]},
                                "locations": {"type": "array", "minItems": 1, "maxItems": 1},
                            },
                        },
                    },
                },
            },
        },
    },
    "$defs": {"message": {"type": "object", "required": ["text"], "properties": {"text": {"minLength": 1}}}},
}


def event(policy: str, resource: str, text: str, level: str = "mandatory", severity: str = "high") -> dict[str, Any]:
    return {
        "policyEvent": {
            "resourceUrn": URN.format(resource),
            "message": f"Refuse something.\n{text}\n",
            "policyName": policy,
            "policyPackName": NAME,
            "enforcementLevel": level,
            "severity": severity,
        }
    }


def seen(resource: str) -> dict[str, Any]:
    return {"resourcePreEvent": {"metadata": {"op": "create", "urn": URN.format(resource)}}}


REFUSED = event("traffic-routes-add-up", "fares", "the routes add up to 90 (a | b <90>)")
ADVISED = event("required-tags-are-set-in-trials", "fares", "fares lacks tag owner", "advisory", "low")
NOT_KNOWN = event("serving-names-are-valid", "tips", "", "advisory")
NOT_KNOWN["policyEvent"]["message"] = "can't run policy 'serving-names-are-valid' during preview: it can't be known\n"
FOREIGN = event("no-public-buckets", "bucket", "bucket is public", "advisory", "")
FOREIGN["policyEvent"]["policyPackName"] = "another-pack"
ALL = [seen("fares"), seen("tips"), seen("fares"), ADVISED, REFUSED, NOT_KNOWN, FOREIGN, SUMMARY]


def parsed(report: Report) -> ET.Element:
    return ET.fromstring(junit(report))  # noqa: S314 - written by ourselves


@pytest.fixture
def report() -> Report:
    return report_of("staging", ALL)


def test_findings_stand_in_order_of_weight_with_their_rule(report: Report) -> None:
    assert [(one.policy, one.rule and one.rule.id) for one in report.findings] == [
        ("traffic-routes-add-up", "POL-02"),
        ("required-tags-are-set-in-trials", "POL-13"),
        ("no-public-buckets", None),
        ("serving-names-are-valid", "POL-53"),
    ]
    first = report.findings[0]
    assert (first.resource, first.type) == ("fares", "databricks:index/modelServing:ModelServing")
    assert first.text == "the routes add up to 90 (a | b <90>)"
    assert "Declare one route for each served entity" in first.fix
    assert report.resources == 2


@pytest.mark.parametrize(
    ("events", "code"),
    [
        ([SUMMARY], 0),
        ([ADVISED, NOT_KNOWN, SUMMARY], 0),
        ([REFUSED, SUMMARY], 1),
        ([event("traffic-routes-add-up", "fares", "left over", "remediate"), SUMMARY], 1),
        ([{"diagnosticEvent": {"severity": "error", "message": "no such model\n"}}, SUMMARY], 2),
        ([{"diagnosticEvent": {"severity": "error", "message": "preview failed\n"}}, REFUSED, SUMMARY], 1),
        ([{"diagnosticEvent": {"severity": "warning", "message": "old\n"}}, SUMMARY], 0),
        ([ADVISED], 2),
        ([], 2),
    ],
)
def test_the_exit_code_tells_findings_from_a_preview_that_failed(events: list[dict[str, Any]], code: int) -> None:
    assert report_of("staging", events).exit_code == code


def test_what_a_rule_could_not_judge_is_no_mandatory_finding() -> None:
    unknown = {"policyEvent": {**NOT_KNOWN["policyEvent"], "enforcementLevel": "mandatory"}}
    report = report_of("prod", [unknown, SUMMARY])
    assert (report.mandatory, report.findings[0].known) == ((), False)


def test_a_preview_without_the_pack_proves_nothing() -> None:
    with pytest.raises(ReportError, match="ran without the pack databricks-serving"):
        report_of("staging", [{"summaryEvent": {"PolicyPacks": {"another|local|/pack": "1"}}}])


@pytest.mark.parametrize("line", ["not json", "[1]"])
def test_a_line_that_is_no_event_is_named(line: str) -> None:
    with pytest.raises(ReportError, match="line 3 of the events"):
        read_events(["{}", "", line])


def test_the_table_has_rule_level_resource_finding_and_fix_and_the_sums(report: Report) -> None:
    shown = table(report)
    assert all(head in shown.splitlines()[0] for head in ("rule", "level", "resource", "finding", "fix"))
    assert "POL-02 traffic-routes-add-up" in shown
    assert shown.splitlines()[-1] == (
        "stack staging: 2 resources, 1 mandatory and 2 advisory findings, 1 not known before the update"
    )
    assert max(map(len, shown.splitlines())) < 170


def test_a_comment_keeps_its_columns_whatever_a_finding_says(report: Report) -> None:
    rows = [line for line in markdown(report).splitlines() if line.startswith("| [")]
    assert len(rows) == 3
    assert {line.replace("\\|", "").count("|") for line in rows} == {6}


def test_an_unfinished_preview_is_said_in_every_form() -> None:
    report = report_of("prod", [{"diagnosticEvent": {"severity": "error", "message": "alias champion is not set\n"}}])
    assert "did not get through" in table(report)
    assert "alias champion is not set" in table(report)
    assert sarif(report)["runs"][0]["invocations"][0]["executionSuccessful"] is False
    suite = parsed(report)[0]
    assert (suite.get("errors"), suite.get("tests")) == ("1", "1")


def test_junit_counts_what_it_lists_and_a_silent_rule_has_passed(report: Report) -> None:
    root = parsed(report)
    (suite,) = root
    cases = suite.findall("testcase")
    counted = {"tests": len(cases), "failures": len(suite.findall("*/failure")), "skipped": 1, "errors": 0}
    assert {name: int(suite.get(name, "")) for name in counted} == counted
    assert counted["failures"] == 1
    assert [case.get("name") for case in cases if case.find("failure") is not None] == [
        "POL-02 traffic-routes-add-up [fares]"
    ]
    judged = {rule.id for rule in RULES if rule.staging is not OFF}
    assert {str(case.get("name")).split()[0] for case in cases} == {*judged, "no-public-buckets"}
    assert all(case.get("classname") for case in cases)


def test_junit_can_be_read_whatever_a_finding_says() -> None:
    odd = report_of("staging", [event("traffic-routes-add-up", "fares", "a\x00b\x1b[31m & <c>"), SUMMARY])
    (failure,) = parsed(odd).iter("failure")
    assert failure.get("message") == "ab[31m & <c>"


def test_sarif_has_what_the_standard_requires(report: Report) -> None:
    log = sarif(report)
    jsonschema.Draft202012Validator(SARIF).validate(log)
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rules[one["ruleIndex"]]["id"] for one in run["results"]] == [one["ruleId"] for one in run["results"]]
    assert [(one["kind"], one["level"]) for one in run["results"]] == [
        ("fail", "error"),
        ("fail", "note"),
        ("fail", "warning"),
        ("open", "none"),
    ]
    place = run["results"][0]["locations"][0]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == "Pulumi.staging.yaml"
    assert place["logicalLocations"][0]["fullyQualifiedName"] == URN.format("fares")


def test_sarif_fingerprints_tell_findings_apart_and_stay(report: Report) -> None:
    def prints(log: Mapping[str, Any]) -> list[str]:
        return [one["partialFingerprints"]["finding/v1"] for one in log["runs"][0]["results"]]

    assert len(set(prints(sarif(report)))) == 4
    assert prints(sarif(report)) == prints(sarif(report_of("staging", ALL)))


def test_the_command_writes_four_files_and_ends_as_the_report_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = tmp_path / "events"
    events.write_text("\n".join(json.dumps(one) for one in ALL))
    assert main([str(events), "--stack", "staging", "--to", str(tmp_path / "out")]) == 1
    assert "POL-02" in capsys.readouterr().out
    files = {file.name: file for file in (tmp_path / "out").iterdir()}
    assert set(files) == {f"staging.{ending}" for ending in ("json", "junit.xml", "sarif", "md")}
    written = json.loads(files["staging.json"].read_text())
    assert written["summary"]["mandatory"] == 1
    assert written["findings"][0]["source"].startswith("https://")
    assert json.loads(files["staging.sarif"].read_text())["version"] == "2.1.0"


def test_the_command_says_where_events_are_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none"), "--stack", "staging", "--to", str(tmp_path)]) == 2
    assert "cannot be read" in capsys.readouterr().err
    (tmp_path / "text").write_text("Previewing update\n")
    assert main([str(tmp_path / "text"), "--stack", "staging", "--to", str(tmp_path)]) == 2
    assert "is no JSON" in capsys.readouterr().err
