"""The report as a table for people, and as Markdown for a comment on a pull request."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from policies.report.findings import Finding, Report

_WIDTHS = (30, 9, 22, 48, 40)
_HEADS = ("rule", "level", "resource", "finding", "fix")


def table(report: Report) -> str:
    """Rule, level, resource, finding, fix; long texts wrapped, one line of sums last."""
    rows = [_HEADS, tuple("-" * width for width in _WIDTHS)] if report.findings else []
    lines = [line for row in rows for line in _lines(row)]
    for finding in report.findings:
        lines += _lines(_cells(finding))
    return "\n".join([*lines, *_ends(report)]) + "\n"


def markdown(report: Report) -> str:
    """The same for a comment, with links to the sources of the rules."""
    lines = [f"### Policies, stack `{report.stack}`", "", *_ends(report)]
    if report.findings:
        lines += ["", "| rule | level | resource | finding | fix |", "| --- | --- | --- | --- | --- |"]
    for finding in report.findings:
        cells = [_one_line(cell) for cell in _cells(finding)]
        if finding.rule is not None:
            cells[0] = f"[{cells[0]}]({finding.rule.source})"
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cells(finding: Finding) -> tuple[str, ...]:
    name = finding.policy if finding.rule is None else f"{finding.rule.id} {finding.policy}"
    level = finding.level if finding.known else "not known"
    return name, level, finding.resource, finding.text, finding.fix


def _lines(row: Sequence[str]) -> list[str]:
    columns = [textwrap.wrap(cell, width) or [""] for cell, width in zip(row, _WIDTHS, strict=True)]
    height = max(map(len, columns))
    padded = [[*column, *[""] * (height - len(column))] for column in columns]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, _WIDTHS, strict=True)).rstrip()
        for line in zip(*padded, strict=True)
    ]


def _ends(report: Report) -> list[str]:
    counts = report.as_json()["summary"]
    lines = [
        f"stack {report.stack}: {counts['resources']} resources, {counts['mandatory']} mandatory and "
        f"{counts['advisory']} advisory findings, {counts['not_known_yet']} not known before the update"
    ]
    lines += [f"changed by {policy}: {urn.rpartition('::')[2]}" for policy, urn in report.remediated]
    if not report.finished or report.errors:
        lines.append("the preview did not get through, so this is not the whole picture:")
        lines += [f"  {line}" for error in report.errors for line in error.splitlines()]
    return lines


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
