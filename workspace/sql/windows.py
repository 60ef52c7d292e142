"""Windows of time: `window(ts, '10 minutes'[, slide[, start]])` in GROUP BY and SELECT.

A window is a struct of `start` and `end` named `window`, a row for each window that a moment falls into.
Source: https://docs.databricks.com/sql/language-manual/functions/window.html
"""

from __future__ import annotations

import re

from sqlglot import exp

from workspace.sql.errors import SqlError, unsupported
from workspace.sql.functions import call, timestamp

# What the text of a request has in the place of `window`, which sqlglot reads as the clause of that name.
NAME = "time_window__"
COLUMN = "window"
_MICROSECONDS = {
    "microsecond": 1,
    "millisecond": 1_000,
    "second": 1_000_000,
    "minute": 60_000_000,
    "hour": 3_600_000_000,
    "day": 86_400_000_000,
    "week": 7 * 86_400_000_000,
}
_PART = re.compile(r"\s*(\d+)\s+([a-z]+?)s?(?=\s|$)")


def is_window(node: object) -> bool:
    return isinstance(node, exp.Anonymous) and node.name.lower() == NAME


def move_windows(select: exp.Select) -> None:
    """Compute the windows of a SELECT once, in a lateral subquery, and name its column where the calls were."""
    calls = [node for node in select.find_all(exp.Anonymous) if is_window(node) and node.parent_select is select]
    if not calls:
        return
    if len({node.sql() for node in calls}) > 1:
        raise SqlError(
            "MULTI_TIME_WINDOW_EXPRESSIONS_NOT_SUPPORTED",
            "Multiple time window expressions would result in a cartesian product of rows, therefore they are "
            "currently not supported.",
        )
    windows = exp.Select(
        expressions=[exp.alias_(call("unnest", _windows(calls[0])), COLUMN, quoted=True)],
    )
    lateral = exp.Lateral(
        this=exp.Subquery(this=windows), alias=exp.TableAlias(this=exp.to_identifier("__time_windows"))
    )
    for node in calls:
        node.replace(exp.column(exp.to_identifier(COLUMN, quoted=True), table="__time_windows"))
    select.append("joins", exp.Join(this=lateral, kind="CROSS"))


def _windows(node: exp.Anonymous) -> exp.Expression:
    arguments = node.expressions
    if not 2 <= len(arguments) <= 4:
        raise SqlError(
            "WRONG_NUM_ARGS.WITHOUT_SUGGESTION",
            f"The `window` requires 2 to 4 parameters but the actual number is {len(arguments)}.",
            sql_state="42605",
        )
    lengths = [_microseconds(argument) for argument in arguments[1:]]
    duration = lengths[0]
    slide = lengths[1] if len(lengths) > 1 else duration
    start = lengths[2] if len(lengths) > 2 else 0
    if not 0 < slide <= duration:
        raise SqlError(
            "DATATYPE_MISMATCH.PARAMETER_CONSTRAINT_VIOLATION",
            f"window(): the slide duration ({slide} microseconds) must be above 0 and at most the window duration "
            f"({duration}).",
        )
    numbers = [exp.Literal.number(number) for number in (duration, slide, start % slide)]
    return call("spark_windows", timestamp(arguments[0]), *numbers)


def _microseconds(argument: exp.Expression) -> int:
    text = ""
    if isinstance(argument, exp.Literal) and argument.is_string:
        text = argument.name
    elif isinstance(argument, exp.Interval):
        text = f"{argument.this.name} {argument.args['unit'].name}"
    words = text.lower().strip().removeprefix("interval").strip()
    total, position = 0, 0
    while match := _PART.match(words, position):
        if match.group(2) not in _MICROSECONDS:
            break
        total += int(match.group(1)) * _MICROSECONDS[match.group(2)]
        position = match.end()
    if not words or position < len(words):
        raise unsupported(
            f"window() with {argument.sql('databricks')}",
            "give a constant text of weeks, days, hours, minutes, seconds",
        )
    return total
