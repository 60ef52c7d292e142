"""What the report tells somebody first: what fires, what was decided and why, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.report.facts import Facts
from apps.report.limits import Alert
from apps.report.monitor_sections import beyond
from apps.report.now import Note, notes
from apps.report.registry import History
from apps.report.source import Reading, Row
from components.report_queries import Watched

NOW = datetime(2026, 12, 11, 12, tzinfo=UTC)
LAST_NIGHT = NOW - timedelta(hours=10)


def alert(name: str, state: str, *, value: float | None = 1.0, watches: Watched | None = None, **more: Any) -> Alert:
    fields: dict[str, Any] = {"sign": "<", "limit": -30.0, "column": "quality", "schedule": "", **more}
    return Alert(
        name=name, says="it says so", state=state, evaluated_at=NOW, value=value, watches=watches, query="", **fields
    )


def entry(event: str, outcome: str, *, at: datetime = LAST_NIGHT, retrain: bool = False, **more: Any) -> Row:
    fields = {"reasons": "", "explanation": "figures", "version": None, "compared_with": None, **more}
    return {"decided_at": at, "event": event, "outcome": outcome, "retrain": retrain, **fields}


def facts(
    decisions: Sequence[Row] = (),
    alerts: Sequence[Alert] = (),
    judged: Mapping[str, Sequence[Row]] | None = None,
    *,
    serving: str = "2",
) -> Facts:
    empty: Reading[list[Row]] = Reading([], "")
    return Facts(
        outputs={"servedEntities": [{"version": serving}], "aliases": {"champion": "2", "production": "1"}},
        host="",
        days=30,
        now=Reading(NOW, ""),
        traffic=empty,
        by_entity=empty,
        entity_names={},
        names_missing="",
        monitor=Reading(None, ""),
        drift={},
        not_features=frozenset(),
        quality=empty,
        measures=(),
        alerts=Reading(list(alerts), ""),
        judged={name: Reading(list(rows), "") for name, rows in (judged or {}).items()},
        decisions=Reading(list(decisions), ""),
        history=Reading(History(versions=[], moves=[]), ""),
        billed=empty,
    )


def only(found: Facts) -> Note:
    (note,) = notes(found)
    return note


def test_where_nothing_fires_and_nothing_was_decided_it_says_that_nothing_has_to_be_done() -> None:
    assert [note.tone for note in notes(facts([entry("decision", "no violation")], [alert("latency", "OK")]))] == [
        "good",
        "good",
    ]


def test_an_alert_that_fires_says_its_number_its_limit_its_slice_and_windows_and_comes_first() -> None:
    watched = Watched(measure="loss", columns=(), drift_type="", granularity="1 day", sliced=True)
    fires = alert("quality-loss", "TRIGGERED", value=-49.98, watches=watched)
    rows = [
        {"quality": value, "slice_key": key, "slice_value": of, "window_start": NOW - timedelta(days=ago)}
        for ago, key, of, value in (
            (2, "senior='Yes'", "true", -45.0),
            (2, "senior='Yes'", "true", -31.0),
            (1, "contract", "One year", -30.1),
            (1, "contract", "Two year", -30.0),
            (1, "contract", "Other", None),
        )
    ]
    found = facts([entry("decision", "no data")], [alert("latency", "UNKNOWN"), fires], {"quality-loss": rows})
    # Of two models in one window the worst; a limit itself is not beyond it.
    assert [(one.what, one.value) for one in beyond(found)] == [
        ("loss where senior='Yes'", -45.0),
        ("loss where contract is One year", -30.1),
    ]
    first, *others = notes(found)
    assert (first.tone, first.what) == ("bad", "Alert quality-loss fires: it says so")
    assert first.why.startswith("Now -49.98, and it fires below -30. Windows beyond it: 2026-12-09 (loss where senior")
    assert "newest decision" in first.do
    assert {note.tone for note in others} == {"warn"}
    assert "latency" in others[0].what


def test_a_better_version_comes_with_what_to_write_into_the_stack_file_until_it_serves() -> None:
    decided = [
        entry("training", "better", version="3", explanation="better than version 2"),
        entry("decision", "violation", at=LAST_NIGHT - timedelta(minutes=5), retrain=True),
    ]
    waits, why = sorted(notes(facts(decided)), key=lambda note: note.what, reverse=True)
    assert waits.what == "Version 3 is better and waits for its release; it serves nobody."
    assert 'model.aliases to {champion: "3", production: "3"}' in waits.do
    assert why.why == "Because: figures."
    assert [note.what for note in notes(facts(decided, serving="3"))] == [why.what]


@pytest.mark.parametrize("outcome", ["not better", "not compared"])
def test_a_version_that_is_not_better_is_not_to_be_released(outcome: str) -> None:
    decided = [entry("decision", "no violation"), entry("training", outcome, version="3")]
    warned = [note for note in notes(facts(decided)) if note.tone == "warn"]
    assert [note.what for note in warned] == [f"Version 3 of the last retraining is {outcome}: do not release it."]


def test_a_retraining_that_no_version_came_of_is_bad_and_names_the_task_to_repair() -> None:
    decided = [
        entry("decision", "violation", retrain=True),
        entry("training", "better", at=LAST_NIGHT - timedelta(days=9), version="2"),
    ]
    note = only(facts(decided))
    assert (note.tone, "Model_training" in note.do, "repair" in note.do) == ("bad", True, True)


@pytest.mark.parametrize(
    ("reasons", "words"),
    [("cooldown", "too fresh"), ("weekly cap, hysteresis", "no more retrainings"), ("hysteresis", "Model_training")],
)
def test_what_holds_a_retraining_back_comes_with_the_way_out(reasons: str, words: str) -> None:
    note = only(facts([entry("decision", "held back", reasons=reasons)]))
    assert note.tone == "warn"
    assert words in note.do


def test_what_could_not_be_read_is_said_and_what_the_stack_does_not_have_is_not() -> None:
    blind = replace(
        facts(), alerts=Reading([], "alert latency could not be read: 403"), monitor=Reading(None, "no monitor")
    )
    note = only(blind)
    assert (note.tone, note.why) == ("warn", "No data: alerts (alert latency could not be read: 403).")
    assert [note.tone for note in notes(facts())] == ["good"]


def test_no_data_is_no_all_clear() -> None:
    note = only(facts([entry("decision", "no data")]))
    assert (note.tone, "not the same as no drift" in note.what) == ("warn", True)


@pytest.mark.parametrize(("hours", "tone"), [(36, "good"), (37, "bad")])
def test_a_job_that_has_fallen_silent_is_seen(hours: int, tone: str) -> None:
    found = notes(facts([entry("decision", "no violation", at=NOW - timedelta(hours=hours))]))
    assert found[0].tone == tone
    assert ("decided nothing since" in found[0].what) is (tone == "bad")
