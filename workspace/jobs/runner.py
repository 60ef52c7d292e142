"""Starts, queues, cancels and repairs runs, and closes those that a stopped server left behind."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable

from workspace.clock import Clock
from workspace.documents import Document
from workspace.errors import invalid
from workspace.jobs import runs
from workspace.jobs.attempts import Attempts
from workspace.jobs.driver import Driver
from workspace.jobs.graph import Result
from workspace.jobs.notices import Notices
from workspace.jobs.runs import Runs
from workspace.jobs.settings import Settings
from workspace.jobs.work import SHUTDOWN, Stop

STOP_SECONDS = 10.0
QUEUE_SECONDS = 48 * 3600
"""How long a run may wait in the queue (Databricks, "Queue": 48 hours)."""

OnOver = Callable[[Document], None]


class Runner:
    """All runs that are not over; at most `max_concurrent_runs` of a job go at once."""

    def __init__(self, stored: Runs, clock: Clock, attempts: Attempts, notices: Notices) -> None:
        self._runs = stored
        self._notices = notices
        self._clock = clock
        self._attempts = attempts
        self._admission = threading.RLock()
        self._over = threading.Condition()
        self._drivers: dict[int, Driver] = {}
        self._queued: defaultdict[int, list[int]] = defaultdict(list)
        """Ids of queued runs by job, oldest first: what is stored, at hand."""
        self._listeners: list[OnOver] = []
        self._stopping = False

    def on_over(self, listener: OnOver) -> None:
        """`listener` is called with every run of a job that ended, also with one that was skipped."""
        self._listeners.append(listener)

    def recover(self) -> None:
        """Close what a stopped or killed server left running; start what was queued."""
        waiting: list[Document] = []
        for run in reversed(self._runs.all()):
            if run["state"]["life_cycle_state"] == runs.QUEUED:
                waiting.append(run)
                self._queued[run["job_id"]].append(run["run_id"])
            elif not runs.is_over(run):
                self._runs.change(run["run_id"], self._close_left_behind)
        for run in waiting:
            self._expire_in_queue(run["run_id"])
            self._start_next(run["job_id"])

    def stop(self) -> None:
        """End what is at work; the runs stay as they are, and are closed by the next start."""
        with self._admission:
            self._stopping = True
            drivers = list(self._drivers.values())
        for driver in drivers:
            driver.cancel(SHUTDOWN)
        with self._over:
            self._over.notify_all()
        deadline = time.monotonic() + STOP_SECONDS
        for driver in drivers:
            driver.join(max(0.0, deadline - time.monotonic()))

    def submit(self, run: Document, settings: Settings) -> None:
        """Start the run, queue it, or skip it, as the settings say."""
        limit = settings["max_concurrent_runs"]
        with self._admission:
            active = self._active(run["job_id"])
            if active < limit:
                self._launch(run)
                return
            if limit and settings.get("queue", {}).get("enabled"):
                message = f"Queued: {active} of {limit} concurrent runs of the job are active."
                queued = {"state": runs.state(runs.QUEUED, message=message), "max_concurrent_runs": limit}
                self._runs.change(run["run_id"], lambda record: record.update(queued))
                self._queued[run["job_id"]].append(run["run_id"])
                self._expire_in_queue(run["run_id"])
                return
        message = f"The maximum of {limit} concurrent runs of the job is reached."
        self._skip(run["run_id"], Result.TOO_MANY_RUNS, message)

    def cancel(self, run_id: int) -> None:
        """Cancel a run; a run that is over stays as it is."""
        with self._admission:
            driver = self._drivers.get(run_id)
            if driver is None:
                closed = self._runs.change(run_id, lambda run: self._runs.close(run, Result.CANCELED, "Run cancelled."))
        if driver is None:
            self._tell(closed)
        else:
            driver.cancel()

    def cancel_task(self, run_id: int, task_key: str) -> None:
        driver = self._drivers.get(run_id)
        if driver is not None:
            driver.cancel_task(task_key)

    def repair(self, run_id: int, change: Callable[[Document], None]) -> Document:
        """Have a run that is over go on, with the new attempts that `change` adds to it."""
        driver = self._drivers.get(run_id)
        if driver is not None and runs.is_over(self._runs.get(run_id)):
            # The last thing that its thread does is to let go of it.
            driver.join(STOP_SECONDS)
        with self._admission:
            if run_id in self._drivers:
                raise invalid(f"Run {run_id} is active; only a run that is over can be repaired.")

            def reopen(run: Document) -> None:
                change(run)
                run["state"] = runs.state(runs.PENDING)
                run["end_time"] = 0

            run = self._runs.change(run_id, reopen)
            self._launch(run)
            return run

    def wait(self, run_id: int, stop: Stop) -> Document:
        """Block until the run is over, or `stop` is requested; the run as it is then."""

        def wake(_: str) -> None:
            with self._over:
                self._over.notify_all()

        stop.on_request(wake)
        with self._over:
            self._over.wait_for(lambda: stop.reason is not None or runs.is_over(self._runs.get(run_id)))
        return self._runs.get(run_id)

    def _active(self, job_id: int) -> int:
        return sum(driver.job_id == job_id and not driver.over for driver in self._drivers.values())

    def _launch(self, run: Document) -> None:
        if self._stopping:
            return
        run_id, job_id = run["run_id"], run["job_id"]
        driver = Driver(
            run_id,
            job_id,
            self._runs,
            self._clock,
            self._attempts,
            notices=self._notices,
            on_over=self._ended,
        )
        self._drivers[run_id] = driver
        driver.start()

    def _ended(self, driver: Driver) -> None:
        with self._admission:
            self._drivers.pop(driver.run_id, None)
        run = self._runs.get(driver.run_id)
        self._tell(run)
        self._start_next(run["job_id"])

    def _tell(self, run: Document) -> None:
        with self._over:
            self._over.notify_all()
        self._notices.run_ended(run)
        for listener in self._listeners:
            listener(run)

    def _start_next(self, job_id: int) -> None:
        with self._admission:
            waiting = self._queued[job_id]
            while waiting:
                run = self._runs.find(waiting[0])
                if run is None or run["state"]["life_cycle_state"] != runs.QUEUED:
                    # Cancelled, or gone, while it waited.
                    waiting.pop(0)
                    continue
                # The limit is the one that the job had when the run was submitted.
                if self._stopping or self._active(job_id) >= run["max_concurrent_runs"]:
                    return
                self._launch(self._runs.change(waiting.pop(0), self._leave_queue))

    def _close_left_behind(self, run: Document) -> None:
        why = "The workspace stopped while the run was active."
        self._runs.close(run, Result.FAILED, why, runs.INTERNAL_ERROR)

    def _leave_queue(self, run: Document) -> None:
        run["queue_duration"] = self._clock.now_ms() - run["start_time"]
        run["state"] = runs.state(runs.PENDING)

    def _expire_in_queue(self, run_id: int) -> None:
        due = self._runs.get(run_id)["start_time"] / 1000 + QUEUE_SECONDS

        def expire() -> None:
            run = self._runs.find(run_id)
            if run is not None and run["state"]["life_cycle_state"] == runs.QUEUED:
                self._skip(run_id, Result.TOO_MANY_RUNS, "The run waited in the queue for more than 48 hours.")

        self._clock.call_at(due, expire)

    def _skip(self, run_id: int, result: Result, message: str) -> None:
        run = self._runs.change(run_id, lambda record: self._runs.close(record, result, message, runs.SKIPPED))
        self._tell(run)
