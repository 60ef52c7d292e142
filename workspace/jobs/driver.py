"""Drives one run: starts every task as soon as what it depends on is over, as many at once as can be."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from workspace.clock import Alarm, Clock
from workspace.documents import Document
from workspace.jobs import graph, runs
from workspace.jobs.attempts import Attempts, Place
from workspace.jobs.graph import Result
from workspace.jobs.notices import Notices, slow_after
from workspace.jobs.runs import Runs
from workspace.jobs.work import SHUTDOWN, Stop

logger = logging.getLogger("workspace")


class Driver:
    """The threads of one run: one that decides, one for each task at work."""

    def __init__(
        self,
        run_id: int,
        job_id: int,
        stored: Runs,
        clock: Clock,
        attempts: Attempts,
        *,
        notices: Notices,
        on_over: Callable[[Driver], None],
    ) -> None:
        self.run_id = run_id
        self.job_id = job_id
        self.over = False
        """Set just before the run is shown as over: whoever sees that may start the next one."""
        self._runs = stored
        self._clock = clock
        self._attempts = attempts
        self._notices = notices
        self._on_over = on_over
        self._changed = threading.Condition()
        self._working: dict[str, Stop] = {}
        self._stop = Stop()
        self._thread = threading.Thread(target=self._drive, name=f"job run {run_id}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def cancel(self, reason: str = Result.CANCELED) -> None:
        """Stop what is at work; no further task starts."""
        if reason != SHUTDOWN:
            self._runs.change(self.run_id, _terminating)
        self._stop.request(reason)
        with self._changed:
            self._changed.notify()

    def cancel_task(self, task_key: str) -> None:
        """Stop one task; what depends on it is decided by its conditions, as after any other end."""
        with self._changed:
            stop = self._working.get(task_key)
        if stop is not None:
            stop.request(Result.CANCELED)

    def join(self, seconds: float) -> None:
        self._thread.join(timeout=seconds)

    def _drive(self) -> None:
        try:
            run = self._runs.change(self.run_id, _running)
            self._notices.run_started(run)
            alarms = self._alarms(run)
            self._work_off()
            for alarm in alarms:
                alarm.cancel()
        except Exception as error:
            # Nobody awaits this thread: what it does not store, nobody learns.
            logger.exception("run %s failed", self.run_id)
            why = f"{type(error).__name__}: {error}"
            self.over = True
            self._runs.change(self.run_id, lambda run: self._runs.close(run, Result.FAILED, why, runs.INTERNAL_ERROR))
        if self._stop.reason != SHUTDOWN:
            self._on_over(self)

    def _alarms(self, run: Document) -> list[Alarm]:
        """What falls due while the run goes on; one that is repaired is given its time anew."""
        now, alarms = self._clock.now(), []
        if limit := run["timeout_seconds"]:
            alarms.append(self._clock.call_at(now + limit, lambda: self.cancel(Result.TIMEDOUT)))
        if slow := slow_after(run["notices"]):
            alarms.append(self._clock.call_at(now + slow, lambda: self._notices.run_is_slow(run)))
        return alarms

    def _work_off(self) -> None:
        with self._changed:
            while self._stop.reason != SHUTDOWN:
                run = self._decide()
                if all(runs.is_over(task) for task in runs.latest(run).values()) and not self._working:
                    self.over = True
                    self._runs.change(self.run_id, self._close)
                    return
                self._changed.wait()

    def _decide(self) -> Document:
        """Start what may start, end what may not, until nothing is left to decide; the run as it is then."""
        while True:
            run = self._runs.get(self.run_id)
            latest = runs.latest(run)
            ready = [task for task in latest.values() if self._is_ready(task, latest)]
            if not ready:
                return run
            for task in ready:
                self._decide_on(task, latest)

    def _is_ready(self, task: Document, latest: dict[str, Document]) -> bool:
        if runs.is_over(task) or task["task_key"] in self._working:
            return False
        if self._stop.reason is not None:
            return True
        return all(runs.is_over(latest[one["task_key"]]) for one in task.get("depends_on", []))

    def _decide_on(self, task: Document, latest: dict[str, Document]) -> None:
        verdict = graph.judge(task, latest) if self._stop.reason is None else None
        if verdict is not None and verdict.may_start:
            stop = self._stop.child()
            self._working[task["task_key"]] = stop
            name = f"job run {self.run_id}: {task['task_key']}"
            threading.Thread(target=self._work_on, args=(task, stop), name=name, daemon=True).start()
            return
        result, message = (verdict.result, verdict.message) if verdict else (Result.CANCELED, "Run cancelled.")
        self._runs.change_task(
            self.run_id, task["run_id"], lambda one: self._runs.end(one, result or Result.CANCELED, message)
        )

    def _work_on(self, task: Document, stop: Stop) -> None:
        place = Place(self.run_id, lambda run, attempt: run["tasks"].append(attempt))
        try:
            self._attempts.take(place, task["run_id"], stop)
        finally:
            with self._changed:
                del self._working[task["task_key"]]
                self._changed.notify()

    def _close(self, run: Document) -> None:
        result, message = graph.outcome(list(runs.latest(run).values()))
        if self._stop.reason == Result.CANCELED:
            result, message = Result.CANCELED, "Run cancelled."
        elif self._stop.reason == Result.TIMEDOUT:
            result = Result.TIMEDOUT
            message = f"The run took longer than timeout_seconds ({run['timeout_seconds']})."
        self._runs.end(run, result, message)
        runs.note_repair_end(run)


def _running(run: Document) -> None:
    if run["state"]["life_cycle_state"] == runs.PENDING:
        run["state"] = runs.state(runs.RUNNING)


def _terminating(run: Document) -> None:
    if not runs.is_over(run):
        run["state"] = runs.state(runs.TERMINATING, message="Run cancelled.")
