"""Starts jobs that start by themselves: schedules, periods, table updates, arriving files, continuous ones.

What falls due does so by the workspace's clock. A fire that was missed, because time was moved past it or the workspace
did not run, is made up for once and at once, however many there were: a late job "will run immediately upon service
availability" (Databricks, "Run jobs on a schedule"), as Quartz' own rule for cron triggers has it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from workspace.clock import Alarm, Clock
from workspace.documents import Document, Documents
from workspace.jobs.starters import FILE_ARRIVAL, PERIODIC, TABLE_UPDATE, UNIT_SECONDS
from workspace.jobs.watches import Watch, Watches
from workspace.quartz import QuartzError
from workspace.schedules import PAUSED, next_fire

logger = logging.getLogger("workspace")

LEAST_SECONDS_BETWEEN = 10.0
"""Between two runs of a schedule, whatever the expression says (Databricks, "Run jobs on a schedule")."""
POLL_SECONDS = 1.0
"""Between two looks at tables and folders, in real time."""
CONTINUOUS_BACKOFF = (0.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
"""Seconds before a continuous job runs again, by how many of its runs failed in a row."""
_KIND = "job_starter"

Start = Callable[[int, str, str | None], None]
"""Starts the job with that id; the trigger is `PERIODIC`, `TABLE`, ...; last, where a file arrived."""


class Triggers:
    """The starters of all jobs."""

    def __init__(self, documents: Documents, clock: Clock, watches: Watches, start: Start) -> None:
        self._documents = documents
        self._clock = clock
        self._watches = watches
        self._start_job = start
        self._lock = threading.RLock()
        self._alarms: dict[int, Alarm] = {}
        self._watching: dict[int, Watch] = {}
        self._continuous: dict[int, int] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, jobs: list[Document]) -> None:
        """Take up all jobs; what fell due while the workspace did not run falls due now."""
        for job in jobs:
            try:
                self.follow(job["job_id"], job["settings"])
            except QuartzError as error:
                # Stored by a server that read schedules less closely.
                logger.warning("the schedule of job %s starts nothing: %s", job["job_id"], error)

    def stop(self) -> None:
        self._stopping.set()
        with self._lock:
            for alarm in self._alarms.values():
                alarm.cancel()
        if self._thread is not None:
            self._thread.join()

    def follow(self, job_id: int, settings: Mapping[str, Any]) -> None:
        """Have the job start as its settings say from now on, and no longer as earlier ones said."""
        starter = {name: settings[name] for name in ("schedule", "trigger", "continuous") if settings.get(name)}
        with self._lock:
            self._let_go(job_id)
            block: Mapping[str, Any] = next(iter(starter.values()), {})
            if not starter or block.get("pause_status") == PAUSED:
                self._documents.delete(_KIND, str(job_id))
                return
            kept = self._documents.get(_KIND, str(job_id))
            if kept is None or kept["starter"] != starter:
                kept = {"starter": starter, "next": self._first(starter)}
                self._documents.put(_KIND, str(job_id), kept)
            if "continuous" in starter:
                self._continuous[job_id] = 0
                self._alarm(job_id, self._clock.now(), self._go_on)
            elif kept["next"] is not None:
                self._alarm(job_id, kept["next"], self._fire)
            elif "trigger" in starter:
                self._watch(job_id, starter["trigger"], kept)

    def forget(self, job_id: int) -> None:
        with self._lock:
            self._let_go(job_id)
            self._documents.delete(_KIND, str(job_id))

    def run_ended(self, job_id: int, *, failed: bool) -> None:
        """A continuous job runs again when its run is over, later where its last runs failed."""
        with self._lock:
            if job_id not in self._continuous or self._stopping.is_set():
                return
            failures = self._continuous[job_id] + 1 if failed else 0
            self._continuous[job_id] = failures
            delay = CONTINUOUS_BACKOFF[min(failures, len(CONTINUOUS_BACKOFF) - 1)]
            self._alarm(job_id, self._clock.now() + delay, self._go_on)

    def _let_go(self, job_id: int) -> None:
        alarm = self._alarms.pop(job_id, None)
        if alarm is not None:
            alarm.cancel()
        self._watching.pop(job_id, None)
        self._continuous.pop(job_id, None)

    def _alarm(self, job_id: int, due: float, action: Callable[[int], None]) -> None:
        self._alarms[job_id] = self._clock.call_at(due, lambda: action(job_id))

    def _first(self, starter: Mapping[str, Any]) -> float | None:
        """When a starter that was just given falls due first; None for one that waits for something else."""
        now = self._clock.now()
        if "schedule" in starter:
            return _next(starter["schedule"], now)
        periodic = starter.get("trigger", {}).get(PERIODIC)
        return now + _period(periodic) if periodic else None

    def _fire(self, job_id: int) -> None:
        with self._lock:
            kept = self._documents.get(_KIND, str(job_id))
            if kept is None or self._stopping.is_set():
                return
            now = self._clock.now()
            schedule = kept["starter"].get("schedule")
            if schedule:
                following = _next(schedule, now + LEAST_SECONDS_BETWEEN - 1)
            else:
                following = now + _period(kept["starter"]["trigger"][PERIODIC])
            # Noted first: a kill right after must not start the job twice for one time.
            self._documents.put(_KIND, str(job_id), {**kept, "next": following})
            if following is not None:
                self._alarm(job_id, following, self._fire)
            self._start_job(job_id, "PERIODIC", None)

    def _go_on(self, job_id: int) -> None:
        with self._lock:
            if job_id in self._continuous:
                # Under the lock, so that none starts after the job was paused.
                self._start_job(job_id, "CONTINUOUS", None)

    def _watch(self, job_id: int, trigger: Mapping[str, Any], kept: Document) -> None:
        kind = TABLE_UPDATE if TABLE_UPDATE in trigger else FILE_ARRIVAL
        self._watching[job_id] = self._watches.watch(kind, trigger[kind], kept.get("seen"))
        if self._thread is None:
            self._thread = threading.Thread(target=self._look, name="job triggers", daemon=True)
            self._thread.start()

    def _look(self) -> None:
        while not self._stopping.wait(POLL_SECONDS):
            with self._lock:
                watching = list(self._watching.items())
            for job_id, watch in watching:
                fired = watch.look(self._clock.now())
                with self._lock:
                    if self._watching.get(job_id) is not watch:
                        continue
                    kept = self._documents.get(_KIND, str(job_id))
                    if kept is not None and kept.get("seen") != watch.seen:
                        self._documents.put(_KIND, str(job_id), {**kept, "seen": watch.seen})
                if fired:
                    self._start_job(job_id, watch.trigger, watch.location)


def _next(schedule: Mapping[str, Any], after: float) -> float | None:
    found = next_fire(schedule, datetime.fromtimestamp(after, UTC))
    return None if found is None else found.timestamp()


def _period(periodic: Mapping[str, Any]) -> float:
    return float(periodic["interval"] * UNIT_SECONDS[periodic["unit"]])
