"""Quartz cron expressions: seconds first, `?`, `L`, `W`, `#`, names, an optional year; and the times they name.

Source: Quartz, "Cron Trigger Tutorial" and the documentation of `CronExpression`. Python's cron libraries read Unix
expressions, whose days of the week start elsewhere and whose day fields mean something else together, so this is read
here. Daylight saving follows the Java calendar under Quartz: a time that the clocks skip falls due as much later as
they were put forward, one that comes twice falls due the second time.
"""

from __future__ import annotations

import calendar
import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

LAST_YEAR = 2099

_DAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), start=1)}
_MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, start=1)}


class QuartzError(ValueError):
    """The expression is none; the message names the field and what is wrong with it."""


@dataclass(frozen=True)
class _Field:
    name: str
    least: int
    most: int
    names: dict[str, int]

    def number(self, text: str) -> int:
        value = self.names.get(text.upper()) or (int(text) if text.isascii() and text.isdecimal() else None)
        if value is None or not self.least <= value <= self.most:
            raise QuartzError(f"{self.name}: '{text}' is not from {self.least} to {self.most}")
        return value

    def values(self, text: str) -> frozenset[int]:
        """What a list of numbers, names, ranges and steps stands for; ranges go round the end (`FRI-MON`)."""
        return frozenset(value for part in text.split(",") for value in self._part(part))

    def _part(self, part: str) -> Iterator[int]:
        span, slash, step_text = part.partition("/")
        first, dash, last = span.partition("-")
        if span in ("*", "") and (span or slash):
            start, stop = self.least, self.most
        else:
            start = self.number(first)
            stop = self.number(last) if dash else (self.most if slash else start)
        step = 1
        if slash:
            if not step_text.isdecimal() or not 0 < int(step_text) <= self.most:
                raise QuartzError(f"{self.name}: '{part}' has the step '{step_text}', not 1 to {self.most}")
            step = int(step_text)
        if stop < start:
            if self.name == "year":
                raise QuartzError(f"year: the range '{part}' ends before it starts")
            stop += self.most - self.least + 1
        for value in range(start, stop + 1, step):
            yield value if value <= self.most else value - (self.most - self.least + 1)


_SECOND = _Field("second", 0, 59, {})
_MINUTE = _Field("minute", 0, 59, {})
_HOUR = _Field("hour", 0, 23, {})
_DAY_OF_MONTH = _Field("day of month", 1, 31, {})
_MONTH = _Field("month", 1, 12, _MONTHS)
_DAY_OF_WEEK = _Field("day of week", 1, 7, _DAYS)
_YEAR = _Field("year", 1970, LAST_YEAR, {})

_LAST_DAY = re.compile(r"L(?:-(\d{1,2}))?(W?)")
_NEAREST_WEEKDAY = re.compile(r"(\d{1,2})W")
_LAST_OF_WEEKDAY = re.compile(r"([A-Z]{3}|\d)L")
_NTH_OF_WEEKDAY = re.compile(r"([A-Z]{3}|\d)#(\d)")


class Quartz:
    """A parsed expression."""

    def __init__(self, expression: str) -> None:
        """Raises QuartzError for an expression that Quartz would not take."""
        fields = expression.split()
        if len(fields) not in (6, 7):
            raise QuartzError(
                f"'{expression}' must have 6 or 7 fields, seconds first (such as '0 0 12 * * ?'); it has {len(fields)}"
            )
        seconds, minutes, hours, self._day_of_month, months, self._day_of_week = (one.upper() for one in fields[:6])
        self._times = [
            sorted(field.values(text)) for field, text in ((_HOUR, hours), (_MINUTE, minutes), (_SECOND, seconds))
        ]
        self._months = _MONTH.values(months)
        self._years = _YEAR.values(fields[6]) if len(fields) == 7 else frozenset(range(1970, LAST_YEAR + 1))
        if (self._day_of_month == "?") == (self._day_of_week == "?"):
            raise QuartzError(
                f"'{expression}' must have '?' for exactly one of day of month (4th field) and day of week (6th field)"
            )
        # Reads the day fields once, so that a wrong one is refused here and not when it falls due.
        self._days_of(2024, 2)

    def next_after(self, after: datetime, zone: ZoneInfo) -> datetime | None:
        """The first time later than `after` (aware) that the expression names in `zone`, in UTC, or None."""
        local = after.astimezone(zone).replace(tzinfo=None, fold=0, microsecond=0) + timedelta(seconds=1)
        for day in self._days_from(local.date()):
            found = self._first_time(local.time() if day == local.date() else time())
            if found is not None:
                return _in_zone(datetime.combine(day, found), zone)
        return None

    def _days_from(self, first: date) -> Iterator[date]:
        for year in range(first.year, LAST_YEAR + 1):
            if year not in self._years:
                continue
            for month in range(1, 13):
                if month in self._months and (year, month) >= (first.year, first.month):
                    days = (date(year, month, number) for number in sorted(self._days_of(year, month)))
                    yield from (day for day in days if day >= first)

    def _first_time(self, start: time) -> time | None:
        """The first time of a day at or after `start`."""
        hours, minutes, seconds = self._times
        for hour in hours[bisect_left(hours, start.hour) :]:
            later_hour = hour > start.hour
            for minute in minutes if later_hour else minutes[bisect_left(minutes, start.minute) :]:
                later = later_hour or minute > start.minute
                rest = seconds if later else seconds[bisect_left(seconds, start.second) :]
                if rest:
                    return time(hour, minute, rest[0])
        return None

    def _days_of(self, year: int, month: int) -> set[int]:
        length = calendar.monthrange(year, month)[1]
        if self._day_of_week == "?":
            return self._by_day_of_month(year, month, length)
        return self._by_day_of_week(year, month, length)

    def _by_day_of_month(self, year: int, month: int, length: int) -> set[int]:
        text = self._day_of_month
        if match := _LAST_DAY.fullmatch(text):
            back = int(match[1] or 0)
            if back > 30:
                raise QuartzError(f"day of month: '{text}' goes back more than 30 days")
            day = length - back
            if day < 1:
                return set()
            return {_nearest_weekday(year, month, day, length)} if match[2] else {day}
        if match := _NEAREST_WEEKDAY.fullmatch(text):
            day = _DAY_OF_MONTH.number(match[1])
            return {_nearest_weekday(year, month, day, length)} if day <= length else set()
        return {day for day in _DAY_OF_MONTH.values(text) if day <= length}

    def _by_day_of_week(self, year: int, month: int, length: int) -> set[int]:
        text = "SAT" if self._day_of_week == "L" else self._day_of_week
        days = range(1, length + 1)
        if match := _LAST_OF_WEEKDAY.fullmatch(text):
            wanted = _DAY_OF_WEEK.number(match[1])
            return {max(day for day in days if _weekday(year, month, day) == wanted)}
        if match := _NTH_OF_WEEKDAY.fullmatch(text):
            wanted, nth = _DAY_OF_WEEK.number(match[1]), int(match[2])
            if not 1 <= nth <= 5:
                raise QuartzError(f"day of week: '{text}' names occurrence {nth} in a month, not 1 to 5")
            return set([day for day in days if _weekday(year, month, day) == wanted][nth - 1 : nth])
        wanted_days = _DAY_OF_WEEK.values(text)
        return {day for day in days if _weekday(year, month, day) in wanted_days}


def _weekday(year: int, month: int, day: int) -> int:
    """Sunday is 1."""
    return (date(year, month, day).weekday() + 1) % 7 + 1


def _nearest_weekday(year: int, month: int, day: int, length: int) -> int:
    """The Monday to Friday nearest to a day, in the same month."""
    weekday = date(year, month, day).weekday()
    if weekday == calendar.SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == calendar.SUNDAY:
        return day + 1 if day < length else day - 2
    return day


def _in_zone(local: datetime, zone: ZoneInfo) -> datetime:
    first = local.replace(tzinfo=zone).astimezone(UTC)
    skipped = first.astimezone(zone).replace(tzinfo=None, fold=0) != local
    return first if skipped else local.replace(tzinfo=zone, fold=1).astimezone(UTC)
