"""Who hears that a run or a task of one started, succeeded or failed: people by mail, destinations by webhook.

Sources: `JobEmailNotifications`, `WebhookNotifications`, `JobNotificationSettings`, `TaskNotificationSettings` of the
SDK; the Databricks page "Add notifications on a job" (events and the payload of a webhook).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from workspace.documents import Document
from workspace.jobs import runs
from workspace.jobs.graph import Result

START, SUCCESS, FAILURE = "on_start", "on_success", "on_failure"
SLOW = "on_duration_warning_threshold_exceeded"

_WELL = (Result.SUCCESS, Result.SUCCESS_WITH_FAILURES, Result.EXCLUDED, Result.DISABLED)
_WORDS = {START: "started", SUCCESS: "succeeded", FAILURE: "failed", SLOW: "runs longer than expected"}


class Mail(Protocol):
    """Where notifications go (`workspace.alerts` outbox)."""

    def send(self, recipients: Sequence[str], *, kind: str, subject: str, body: str, about: dict[str, Any]) -> None: ...

    def deliver(
        self,
        destination: Document,
        *,
        kind: str,
        subject: str,
        body: str,
        about: dict[str, Any],
        payload: dict[str, Any],
    ) -> None: ...


class Destinations(Protocol):
    """Notification destinations by id."""

    def find(self, destination_id: str) -> Document | None: ...


class Notices:
    """Sends what the settings of jobs and tasks ask for."""

    def __init__(self, mail: Mail | None, destinations: Destinations | None, workspace_id: str) -> None:
        self._mail = mail
        self._destinations = destinations
        self._workspace_id = workspace_id

    def run_started(self, run: Document) -> None:
        self._tell(run.get("notices", {}), START, run, None)

    def run_ended(self, run: Document) -> None:
        event = _event(run)
        if not _muted(run.get("notices", {}), run):
            self._tell(run.get("notices", {}), event, run, None)

    def run_is_slow(self, run: Document) -> None:
        self._tell(run.get("notices", {}), SLOW, run, None)

    def task_is_slow(self, run: Document, task: Document) -> None:
        self._tell(task, SLOW, run, task)

    def task_started(self, run: Document, task: Document) -> None:
        if task["attempt_number"] == 0 or not task.get("notification_settings", {}).get("alert_on_last_attempt"):
            self._tell(task, START, run, task)

    def task_ended(self, run: Document, task: Document, *, is_last: bool) -> None:
        """After each attempt; `is_last` is False for one that is tried again."""
        settings = task.get("notification_settings", {})
        if (settings.get("alert_on_last_attempt") and not is_last) or _muted(task, task):
            return
        self._tell(task, _event(task), run, task)

    def _tell(self, settings: Mapping[str, Any], event: str, run: Document, task: Document | None) -> None:
        if self._mail is None:
            return
        kind = "JOB_RUN" if task is None else "JOB_TASK_RUN"
        name = f"{run['run_name']}" if task is None else f"{task['task_key']} of {run['run_name']}"
        record = run if task is None else task
        subject = f"{'Job' if task is None else 'Task'} {name} {_WORDS[event]}"
        body = record["state"]["state_message"] or f"Run {record['run_id']} {_WORDS[event]}."
        about = {"job_id": run["job_id"], "run_id": record["run_id"], "event": f"jobs.{event}"}
        recipients = settings.get("email_notifications", {}).get(event, [])
        if recipients:
            self._mail.send(recipients, kind=kind, subject=subject, body=body, about=about)
        for hook in settings.get("webhook_notifications", {}).get(event, []):
            destination = self._destinations.find(str(hook["id"])) if self._destinations else None
            if destination is not None:
                payload = self._payload(event, run, task)
                self._mail.deliver(destination, kind=kind, subject=subject, body=body, about=about, payload=payload)

    def _payload(self, event: str, run: Document, task: Document | None) -> dict[str, Any]:
        payload: dict[str, Any] = {
            "event_type": f"jobs.{event}",
            "workspace_id": self._workspace_id,
            "run": {"run_id": str(run["run_id"])},
            "job": {"job_id": str(run["job_id"]), "name": run["run_name"]},
        }
        if task is not None:
            payload["task"] = {"task_key": task["task_key"], "run_id": str(task["run_id"])}
        return payload


def slow_after(settings: Mapping[str, Any]) -> float | None:
    """Seconds after which a run, or task, is slow by its health rules; None where they do not say."""
    for rule in settings.get("health", {}).get("rules", []):
        if rule.get("metric") == "RUN_DURATION_SECONDS":
            return float(rule["value"])
    return None


def _event(record: Document) -> str:
    return SUCCESS if record["state"]["result_state"] in _WELL else FAILURE


def _muted(settings: Mapping[str, Any], record: Document) -> bool:
    """Whether nobody wants to hear of a run that was skipped, or canceled."""
    asked = settings.get("notification_settings", {})
    older = settings.get("email_notifications", {}).get("no_alert_for_skipped_runs")
    if record["state"]["life_cycle_state"] == runs.SKIPPED:
        return bool(asked.get("no_alert_for_skipped_runs") or older)
    return bool(asked.get("no_alert_for_canceled_runs")) and record["state"]["result_state"] == Result.CANCELED
