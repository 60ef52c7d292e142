"""The parts of a report without a workspace: limits, moves of aliases, numbers as people read them, drawings."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

import pytest

from apps.report.charts import MOST_SERIES, Chart, Limit, Series, png, svg
from apps.report.limits import Alert, limit_of
from apps.report.page import tone
from apps.report.registry import moves_of
from apps.report.sections import Table, number, plot, series
from apps.report.source import short
from components.report_queries import Watched

DAYS = [datetime(2026, 11, day, tzinfo=UTC) for day in range(1, 6)]


def alert(**changes: Any) -> Alert:
    values: dict[str, Any] = {
        "name": "drift-answers",
        "says": "",
        "state": "OK",
        "evaluated_at": None,
        "sign": ">",
        "limit": 0.19,
        "column": "drift",
        "value": None,
        "watches": Watched(
            measure="js_distance", columns=("prediction",), drift_type="BASELINE", granularity="1 day", sliced=False
        ),
        "schedule": "",
        **changes,
    }
    return Alert(**values)


@pytest.mark.parametrize(
    ("sign", "limit", "value", "beyond"),
    [
        (">", 0.19, 0.19, False),
        (">", 0.19, 0.1900001, True),
        ("≥", 0.19, 0.19, True),
        ("<", -30.0, -30.0, False),
        ("<", -30.0, -30.01, True),
        ("≤", 0.5, 0.5, True),
        (">", None, 7.0, False),
        ("EQUAL", 1.0, 1.0, False),
    ],
)
def test_the_limit_itself_counts_only_where_the_alert_says_so(
    sign: str, limit: float | None, value: float, beyond: bool
) -> None:
    assert alert(sign=sign, limit=limit).is_beyond(value) is beyond


def test_a_limit_is_that_of_the_same_measure_column_kind_and_of_the_whole_table() -> None:
    alerts = [alert()]
    assert limit_of(alerts, "js_distance", column="prediction", drift_type="BASELINE") is alerts[0]
    assert limit_of(alerts, "js_distance", column="label", drift_type="BASELINE") is None
    assert limit_of(alerts, "js_distance", column="prediction", drift_type="CONSECUTIVE") is None
    assert limit_of(alerts, "tv_distance", column="prediction", drift_type="BASELINE") is None
    sliced = Watched(measure="f1", columns=(), drift_type="", granularity="1 day", sliced=True)
    assert limit_of([alert(watches=sliced)], "f1") is None


def test_moves_are_the_journal_in_the_tags_and_other_tags_are_none() -> None:
    moved = '{"at": "2026-11-27T05:00:00+00:00", "by": "ann", "from": "1", "to": "2", "model": "c.s.m"}'
    (move,) = moves_of({"promoted_champion": moved, "promoted_from": "x", "promoted_old": '{"to": "2"}', "git": moved})
    assert (move.alias, move.before, move.version, move.by) == ("champion", "1", 2, "ann")
    assert move.at == datetime(2026, 11, 27, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "written"),
    [(None, "-"), (0, "0"), (1234567, "1,234,567"), (0.5, "0.5"), (1e-7, "1.0e-07"), (12.3456, "12.346"), (-0.0, "0")],
)
def test_numbers_are_short_and_none_is_no_zero(value: float | None, written: str) -> None:
    assert number(value) == written


def test_lines_leave_out_what_has_no_value_and_the_highest_come_first() -> None:
    rows: list[dict[str, Any]] = [
        {"date": date(2026, 11, 1), "who": "a", "n": 1},
        {"date": date(2026, 11, 1), "who": "b", "n": 5},
        {"date": date(2026, 11, 2), "who": "a", "n": None},
        {"date": date(2026, 10, 31), "who": "b", "n": 2},
    ]
    assert series(rows, "date", "n", by="who", names={"a": "Ann"}) == [
        Series("b", [(datetime(2026, 10, 31, tzinfo=UTC), 2.0), (datetime(2026, 11, 1, tzinfo=UTC), 5.0)]),
        Series("Ann", [(datetime(2026, 11, 1, tzinfo=UTC), 1.0)]),
    ]


def test_a_plot_says_in_words_what_it_shows_and_what_it_leaves_to_the_table() -> None:
    lines = [Series(f"c{number}", [(DAYS[0], float(number)), (DAYS[1], 2.0)]) for number in range(MOST_SERIES + 2)]
    made = plot("x", "X", "lines", lines, Table([], []), unit="ms", limits=[Limit(3, "alert x: > 3")])
    assert [one.name for one in made.chart.series] == [f"c{number}" for number in range(MOST_SERIES)]
    assert "c1: 2 points from 1 to 2 ms, the last 2 on 2026-11-02" in made.chart.alt
    assert "2 more are in the table only" in made.chart.alt
    assert "limit of alert x: > 3" in made.chart.alt


@pytest.mark.parametrize("kind", ["lines", "bars", "steps", "dots"])
def test_every_kind_is_drawn_in_the_pages_colours_and_on_paper(kind: Any) -> None:
    chart = Chart(
        name=f"chart-{kind}",
        title="A < B & C",
        alt="words",
        kind=kind,
        series=[Series("one", [(day, 1.0 + day.day) for day in DAYS]), Series("two", [(DAYS[2], 3.0)])],
        limits=[Limit(2.5, "limit")],
    )
    for width in ("wide", "narrow"):
        drawn = svg(chart, width)
        assert drawn.startswith("<svg viewBox=")
        assert "A &lt; B &amp; C</title>" in drawn
        assert "var(--limit)" in drawn
        assert "var(--series-1)" in drawn
        assert not re.search(r"#[0-9a-fA-F]{6}|<style|<metadata|font-family", drawn)
        # Text stays text: a reader of the page finds and enlarges it.
        assert ">one</text>" in drawn
    assert svg(chart, "wide") == svg(chart, "wide")
    assert png(chart).startswith(b"\x89PNG")


def test_a_services_words_are_cut_at_the_first_sentence() -> None:
    assert (
        short("[X] The table `a`.`b` cannot be found. Verify the spelling.\nmore")
        == "[X] The table `a`.`b` cannot be found."
    )
    assert short("") == "no reason is given"
    assert len(short("x" * 1000)) == 301


def test_states_have_a_tone_and_unknown_words_none() -> None:
    assert [tone(word) for word in ("TRIGGERED", "OK", "no data", "held back", "whatever")] == [
        "bad",
        "good",
        "warn",
        "warn",
        "",
    ]


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    [(489.8, 0, "490"), (100.0, 0, "100"), (1.50, 2, "1.5"), (2.0, 3, "2"), (-0.0001, 4, "-0.0001"), (0.0, 0, "0")],
)
def test_a_number_loses_zeros_behind_the_point_and_no_others(value: float, digits: int, written: str) -> None:
    assert number(value, digits) == written
