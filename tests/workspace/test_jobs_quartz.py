"""Quartz expressions name the times that Quartz' own documentation says they do."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from workspace.errors import ApiError
from workspace.quartz import Quartz, QuartzError
from workspace.schedules import check_schedule, next_fire

THURSDAY = datetime(2026, 1, 1, 9, 30, tzinfo=UTC)


def times(expression: str, count: int = 3, zone: str = "UTC", after: datetime = THURSDAY) -> list[str]:
    """The next times, as local time."""
    found = []
    for _ in range(count):
        fires = Quartz(expression).next_after(after, ZoneInfo(zone))
        if fires is None:
            break
        after = fires
        found.append(fires.astimezone(ZoneInfo(zone)).strftime("%y-%m-%d %H:%M:%S %z"))
    return [one.removesuffix(" +0000") for one in found]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 0 12 * * ?", ["26-01-01 12:00:00", "26-01-02 12:00:00", "26-01-03 12:00:00"]),
        ("0 30 9 * * ?", ["26-01-02 09:30:00", "26-01-03 09:30:00", "26-01-04 09:30:00"]),
        ("0 15 10 ? * *", ["26-01-01 10:15:00", "26-01-02 10:15:00", "26-01-03 10:15:00"]),
        ("0 15 10 * * ? 2027", ["27-01-01 10:15:00", "27-01-02 10:15:00", "27-01-03 10:15:00"]),
        ("0 15 10 * * ? 2025", []),
        ("0 0/5 14,18 * * ?", ["26-01-01 14:00:00", "26-01-01 14:05:00", "26-01-01 14:10:00"]),
        ("*/20 30 9 * * ?", ["26-01-01 09:30:20", "26-01-01 09:30:40", "26-01-02 09:30:00"]),
        ("0 10,44 14 ? 3 WED", ["26-03-04 14:10:00", "26-03-04 14:44:00", "26-03-11 14:10:00"]),
        ("0 15 10 ? * MON-FRI", ["26-01-01 10:15:00", "26-01-02 10:15:00", "26-01-05 10:15:00"]),
        ("0 15 10 ? * fri-mon", ["26-01-02 10:15:00", "26-01-03 10:15:00", "26-01-04 10:15:00"]),
        ("0 15 10 ? * 1", ["26-01-04 10:15:00", "26-01-11 10:15:00", "26-01-18 10:15:00"]),
        ("0 15 10 ? * L", ["26-01-03 10:15:00", "26-01-10 10:15:00", "26-01-17 10:15:00"]),
        ("0 15 10 L * ?", ["26-01-31 10:15:00", "26-02-28 10:15:00", "26-03-31 10:15:00"]),
        ("0 15 10 L-2 * ?", ["26-01-29 10:15:00", "26-02-26 10:15:00", "26-03-29 10:15:00"]),
        ("0 15 10 LW * ?", ["26-01-30 10:15:00", "26-02-27 10:15:00", "26-03-31 10:15:00"]),
        ("0 15 10 ? * 6L", ["26-01-30 10:15:00", "26-02-27 10:15:00", "26-03-27 10:15:00"]),
        ("0 15 10 ? * 6#3", ["26-01-16 10:15:00", "26-02-20 10:15:00", "26-03-20 10:15:00"]),
        ("0 15 10 ? * MON#5", ["26-03-30 10:15:00", "26-06-29 10:15:00", "26-08-31 10:15:00"]),
        ("0 0 12 1/5 * ?", ["26-01-01 12:00:00", "26-01-06 12:00:00", "26-01-11 12:00:00"]),
        ("0 11 11 11 11 ?", ["26-11-11 11:11:00", "27-11-11 11:11:00", "28-11-11 11:11:00"]),
        ("0 0 0 1W * ?", ["26-02-02 00:00:00", "26-03-02 00:00:00", "26-04-01 00:00:00"]),
        ("0 0 0 15W NOV ?", ["26-11-16 00:00:00", "27-11-15 00:00:00", "28-11-15 00:00:00"]),
        ("0 0 0 31 * ?", ["26-01-31 00:00:00", "26-03-31 00:00:00", "26-05-31 00:00:00"]),
        ("0 0 0 29 2 ?", ["28-02-29 00:00:00", "32-02-29 00:00:00", "36-02-29 00:00:00"]),
        ("0 0 22-2/2 * * ?", ["26-01-01 22:00:00", "26-01-02 00:00:00", "26-01-02 02:00:00"]),
        ("0 0 0 30 2 ?", []),
    ],
)
def test_an_expression_names_the_times_that_quartz_documents(expression: str, expected: list[str]) -> None:
    assert times(expression) == expected


def test_a_time_that_the_clocks_skip_falls_due_later_that_day_and_once() -> None:
    before = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert times("0 30 2 * * ?", 3, "Europe/Berlin", before) == [
        "26-03-29 03:30:00 +0200",
        "26-03-30 02:30:00 +0200",
        "26-03-31 02:30:00 +0200",
    ]


def test_a_time_that_comes_twice_falls_due_the_second_time_only() -> None:
    before = datetime(2026, 10, 24, 12, tzinfo=UTC)
    assert times("0 30 2 * * ?", 2, "Europe/Berlin", before) == ["26-10-25 02:30:00 +0100", "26-10-26 02:30:00 +0100"]


def test_an_hourly_schedule_misses_an_hour_when_the_clocks_are_put_back() -> None:
    before = datetime(2026, 10, 24, 23, 30, tzinfo=UTC)
    assert times("0 0 * * * ?", 2, "Europe/Berlin", before) == ["26-10-25 02:00:00 +0100", "26-10-25 03:00:00 +0100"]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("daily", "6 or 7 fields"),
        ("0 0 12 * *", "it has 5"),
        ("0 0 12 * * *", "exactly one of day of month"),
        ("0 0 12 ? * ?", "exactly one of day of month"),
        ("60 0 12 * * ?", "second: '60' is not from 0 to 59"),
        ("0 0 24 * * ?", "hour: '24'"),
        ("0 0/0 12 * * ?", "the step '0'"),
        ("0 0 12 ? * 8", "day of week: '8'"),
        ("0 0 12 ? * MON#6", "occurrence 6"),
        ("0 0 12 L,3 * ?", "day of month: 'L'"),
        ("0 0 12 * FOO ?", "month: 'FOO'"),
        ("0 0 12 * * ? 2030-2027", "ends before it starts"),
        ("0 0 , * * ?", "hour: ''"),
    ],
)
def test_what_quartz_would_not_take_is_refused_with_the_field(expression: str, message: str) -> None:
    with pytest.raises(QuartzError, match=message):
        Quartz(expression)
    with pytest.raises(ApiError, match="quartz_cron_expression"):
        check_schedule({"quartz_cron_expression": expression, "timezone_id": "UTC"})


def test_a_schedule_falls_due_in_its_time_zone_unless_it_is_paused() -> None:
    schedule = check_schedule({"quartz_cron_expression": "0 0 12 * * ?", "timezone_id": "America/New_York"})
    assert next_fire(schedule, THURSDAY) == datetime(2026, 1, 1, 17, tzinfo=UTC)
    assert next_fire({**schedule, "pause_status": "PAUSED"}, THURSDAY) is None
