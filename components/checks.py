"""Rules of single values that several components share: schedules, windows, folders, times, addresses. Pure.

Sources: Jobs API (Quartz expressions); quality monitors API (`granularities`); Pulumi's option `customTimeouts` (a Go
duration). What breaks them is refused by the service or the engine, in the middle of an update.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_QUARTZ_FIELDS = (6, 7)
_GRANULARITY = re.compile(r"5 minutes|30 minutes|1 hour|1 day|[1-4] weeks?|1 month|1 year")
_DURATION = re.compile(r"([0-9]+(\.[0-9]+)?(ms|s|m|h))+")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


class SettingError(ValueError):
    """A value cannot be: where it stands, the value received, the fix."""


def check_cron(what: str, value: str) -> str:
    """A Quartz expression. Raises SettingError.

    Args:
        what: what is scheduled, for the message.
    """
    if len(value.split()) not in _QUARTZ_FIELDS:
        raise SettingError(
            f"{what} {value!r} is no Quartz expression, which has six or seven fields, seconds first; ".lstrip()
            + 'write for example "0 0 * * * ?"'
        )
    return value


def check_granularities(what: str, windows: Iterable[str]) -> None:
    """Windows of a monitor, in the words of `QualityMonitor`. Raises SettingError."""
    if wrong := [window for window in windows if not _GRANULARITY.fullmatch(window)]:
        raise SettingError(
            f"{what} {', '.join(map(repr, wrong))} is no window of a monitor; ".lstrip()
            + "use 5 minutes, 30 minutes, 1 hour, 1 day, 1 week to 4 weeks, 1 month or 1 year"
        )


def check_folder(what: str, path: str) -> str:
    """A folder of the workspace. Raises SettingError."""
    if not path.startswith("/"):
        raise SettingError(f"{what} {path!r} begins at no root; write /Workspace/... or /Shared/...")
    return path


def check_timeout(what: str, value: str) -> str:
    """How long something may take, as Pulumi takes it. Raises SettingError."""
    if not _DURATION.fullmatch(value):
        raise SettingError(f"{what} {value!r} is no duration; write a number and its unit, for example 45m or 1h30m")
    return value


def check_emails(what: str, addresses: Iterable[str]) -> None:
    """Addresses that notifications go to. Raises SettingError."""
    if wrong := [address for address in addresses if not _EMAIL.fullmatch(address)]:
        raise SettingError(f"{what} {', '.join(map(repr, wrong))} is no e-mail address; write name@example.com")
