"""Alerts, decisions of drift detection, versions and aliases: what was done about it."""

from __future__ import annotations

from datetime import datetime

from apps.report.charts import Series
from apps.report.facts import Facts
from apps.report.sections import NONE, Plot, Section, Table, at, instant, number, plot


def alerts(facts: Facts) -> Section:
    """State, limit and present value of every alert of the stack."""
    found = facts.alerts.value
    if not found:
        return Section(name="alerts", title="Alerts", missing=[facts.alerts.missing])
    table = Table(
        ["Alert", "State", "#Now", "#Limit", "Last evaluated (UTC)", "What it says", "Asks at (cron)"],
        [
            [
                one.name,
                one.state,
                number(one.value),
                f"{one.sign} {number(one.limit)}",
                instant(one.evaluated_at),
                one.says,
                one.schedule,
            ]
            for one in sorted(found, key=lambda one: (one.state != "TRIGGERED", one.name))
        ],
    )
    silent = [one.name for one in found if one.value is None]
    missing = [facts.alerts.missing] if facts.alerts.missing else []
    if silent:
        missing.append(f"{', '.join(silent)}: the query gives no row now, so there is too little to judge by")
    return Section(
        name="alerts",
        title="Alerts",
        says='"Now" is what the alert\'s own query gives at the moment of this report; the state is of its last '
        "evaluation.",
        tables=[("Alerts of the stack", table)],
        missing=missing,
    )


def decisions(facts: Facts) -> Section:
    """The journal of drift detection and retraining."""
    rows = facts.decisions.value
    name, title = "decisions", "Retraining decisions"
    if not rows:
        return Section(name=name, title=title, missing=[facts.decisions.missing])
    table = Table(
        ["When (UTC)", "Event", "Outcome", "Trains", "#Violations", "#Windows", "Why"],
        [
            [
                instant(row["decided_at"]),
                str(row["event"]),
                str(row["outcome"]),
                "yes" if row["retrain"] else "no",
                number(row["violations_found"]),
                number(row["windows"]),
                _why(row["explanation"], row["reasons"], row["version"], row["compared_with"]),
            ]
            for row in rows
        ],
    )
    decided = sorted(
        ((at(row["decided_at"]), row) for row in rows if row["event"] == "decision"), key=lambda one: one[0]
    )
    found_each = Table(
        ["When (UTC)", "Outcome", "#Violations", "Trains"],
        [
            [instant(when), str(row["outcome"]), number(row["violations_found"]), "yes" if row["retrain"] else "no"]
            for when, row in reversed(decided)
        ],
    )
    points = [(when, float(row["violations_found"] or 0), bool(row["retrain"])) for when, row in decided]
    lines = [
        Series(name, found)
        for name, found in (
            ("all decisions", [(when, count) for when, count, _ in points]),
            ("those that train", [(when, count) for when, count, trains in points if trains]),
        )
        if found
    ]
    trained = sum(bool(row["retrain"]) for row in rows)
    plots: list[Plot] = []
    if lines:
        plots.append(
            plot(
                "decisions",
                "Windows beyond a limit, as each decision found them",
                "dots",
                lines,
                found_each,
                unit="windows",
                whole_numbers=True,
                instants=True,
            )
        )
    return Section(
        name=name,
        title=title,
        says=f"{len(decided)} decisions, {trained} of which set a retraining going. A retraining gives a challenger; "
        "it is the next release that promotes it.",
        plots=plots,
        tables=[("Decisions and retrainings, the newest first", table)],
    )


def versions(facts: Facts) -> Section:
    """Versions of the model, what points to them, and where aliases have been."""
    history = facts.history.value
    name, title = "versions", "Versions and aliases"
    if not history.versions:
        return Section(name=name, title=title, missing=[facts.history.missing])
    shares = {
        str(one["version"]): f"{one['trafficPercentage']} %" for one in facts.outputs.get("servedEntities", []) or []
    }
    table = Table(
        ["#Version", "Made (UTC)", "State", "Aliases now", "#Traffic", "Commit"],
        [
            [
                str(one.number),
                instant(one.created_at),
                one.status,
                ", ".join(one.aliases) or NONE,
                shares.get(str(one.number), NONE),
                one.tags.get("git_sha", NONE)[:12],
            ]
            for one in reversed(history.versions)
        ],
    )
    moves = Table(
        ["When (UTC)", "Alias", "#From", "#To", "By"],
        [[instant(one.at), one.alias, one.before or NONE, str(one.version), one.by] for one in reversed(history.moves)],
    )
    tables = [("Versions, the newest first", table)]
    missing = [facts.history.missing] if facts.history.missing else []
    if not history.moves:
        missing.append("no alias was moved by the stack yet: the journal of its moves is in the tags of versions")
        return Section(name=name, title=title, tables=tables, missing=missing)
    return Section(
        name=name,
        title=title,
        says="An alias's line goes on until its next move; a version's tag keeps its last move only.",
        plots=[
            plot(
                "aliases",
                "Where aliases have been",
                "steps",
                _lines(facts),
                moves,
                unit="version",
                whole_numbers=True,
                instants=True,
            )
        ],
        tables=tables,
        missing=missing,
    )


def _lines(facts: Facts) -> list[Series]:
    """One line an alias, to the present: its moves, and its version now where that is another."""
    history = facts.history.value
    now = facts.now.value
    pointing = {alias: one.number for one in history.versions for alias in one.aliases}
    points: dict[str, list[tuple[datetime, float]]] = {}
    for move in history.moves:
        points.setdefault(move.alias, []).append((move.at, float(move.version)))
    for alias, found in points.items():
        last = float(pointing.get(alias, found[-1][1]))
        if now is not None and now > found[-1][0]:
            found.append((now, last))
    return [Series(alias, found) for alias, found in sorted(points.items())]


def _why(explanation: object, reasons: object, version: object, compared_with: object) -> str:
    parts = [str(explanation or "")]
    if reasons:
        parts.append(f"held back by {reasons}")
    if version:
        parts.append(f"version {version}" + (f", held against {compared_with}" if compared_with else ""))
    return "; ".join(part for part in parts if part)
