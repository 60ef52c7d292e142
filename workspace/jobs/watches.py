"""What table update and file arrival triggers look at, and when it makes them start their job.

Source: `TableUpdateTriggerConfiguration` and `FileArrivalTriggerConfiguration` of the SDK.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from workspace.errors import ApiError
from workspace.jobs.starters import ALL_UPDATED, ANY_UPDATED, TABLE_UPDATE

Seen = dict[str, Any]


class Watch:
    """One trigger: compares what is there with what it saw last."""

    def __init__(
        self, read: Callable[[], Seen], trigger: str, location: str | None, body: Mapping[str, Any], seen: Seen | None
    ) -> None:
        self._read = read
        self._all = body.get("condition", ANY_UPDATED) == ALL_UPDATED
        self._least = body.get("min_time_between_triggers_seconds", 0)
        self._quiet = body.get("wait_after_last_change_seconds", 0)
        self._fired_at: float | None = None
        self._changed_at: float | None = None
        self._last: Seen | None = None
        self.trigger = trigger
        """As `Run.trigger` names it."""
        self.location = location
        self.seen: Seen = read() if seen is None else seen
        """What is not news; to be kept over a restart."""

    def look(self, now: float) -> bool:
        """Whether the job is to be started now; `seen` is then what there is."""
        current = self._read()
        if current != self._last:
            self._last, self._changed_at = current, now
        changed = [name for name, value in current.items() if self.seen.get(name) != value]
        if not changed or (self._all and len(changed) < len(current)):
            return False
        if self._quiet and self._changed_at is not None and now < self._changed_at + self._quiet:
            return False
        if self._least and self._fired_at is not None and now < self._fired_at + self._least:
            return False
        self.seen, self._fired_at = current, now
        return True


class Watches:
    """Makes watches of tables and of folders."""

    def __init__(self, version_of: Callable[[str], int | None], volume_path: Callable[[str], Path] | None) -> None:
        """`version_of` is the newest version of a table, None where there is none."""
        self._version_of = version_of
        self._volume_path = volume_path

    def watch(self, kind: str, body: Mapping[str, Any], seen: Seen | None) -> Watch:
        """A watch that starts from `seen`, or from what is there now."""
        if kind == TABLE_UPDATE:
            names = list(body["table_names"])
            return Watch(lambda: {name: self._version_of(name) for name in names}, "TABLE", None, body, seen)
        url = body["url"]
        return Watch(lambda: self._files(url), "FILE_ARRIVAL", url, body, seen)

    def _files(self, url: str) -> Seen:
        if self._volume_path is None:
            return {}
        try:
            root = self._volume_path(url.rstrip("/"))
        except ApiError:
            return {}
        found: Seen = {}
        for folder, _, names in os.walk(root):
            for name in names:
                place = Path(folder, name)
                # It may be gone by now.
                with contextlib.suppress(FileNotFoundError):
                    found[str(place.relative_to(root))] = place.stat().st_mtime_ns
        return found
