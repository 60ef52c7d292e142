"""The jobs of this workspace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workspace.clock import Clock
from workspace.documents import Document, Documents
from workspace.errors import invalid, not_found, permission_denied
from workspace.jobs import settings as job_settings
from workspace.jobs.runs import FIRST_ID

_KIND = "job"


class JobStore:
    """Create, read, reset, update and delete."""

    def __init__(self, documents: Documents, clock: Clock) -> None:
        self._documents = documents
        self._clock = clock

    def create(self, requested: Mapping[str, Any], user_name: str) -> int:
        settings = job_settings.complete(requested)
        job_id = self.next_id()
        now = self._clock.now_ms()
        job = {"job_id": job_id, "creator_user_name": user_name, "created_time": now, "settings": settings}
        self._documents.put(_KIND, str(job_id), job)
        return job_id

    def next_id(self) -> int:
        """An id for a job, or for a run without one: such a run shows a job id that no job has."""
        return FIRST_ID + self._documents.next_number("jobs")

    def find(self, job_id: int) -> Document | None:
        return self._documents.get(_KIND, str(job_id))

    def get(self, job_id: int) -> Document:
        """ApiError 400 for an unknown id: the SDKs rewrite exactly this answer of `jobs/get` to "not found"."""
        job = self.find(job_id)
        if job is None:
            raise invalid(f"Job {job_id} does not exist.")
        return job

    def reset(self, job_id: int, requested: Mapping[str, Any], user_name: str) -> None:
        """Replace all settings; who the job runs as stays where the new ones do not say, as on Databricks."""
        self._change(job_id, user_name, lambda current: {**_kept(current), **requested})

    def update(self, job_id: int, changes: Mapping[str, Any], removed: Sequence[str], user_name: str) -> None:
        self._change(job_id, user_name, lambda current: job_settings.merged(current, changes, removed))

    def delete(self, job_id: int) -> None:
        if not self._documents.delete(_KIND, str(job_id)):
            raise not_found(f"Job {job_id} does not exist.")

    def all(self) -> list[Document]:
        """Newest first."""
        return [job for _, job in reversed(self._documents.list(_KIND))]

    def _change(self, job_id: int, user_name: str, change: Any) -> None:
        def apply(job: Document) -> None:
            job["settings"] = job_settings.complete(change(job["settings"]))

        if self._documents.update(_KIND, str(job_id), apply) is None:
            raise permission_denied(
                f"User {user_name} does not have Manage permissions on job {job_id}: it does not exist."
            )


def shown(job: Document, *, with_tasks: bool = True) -> Document:
    """The job as `jobs/get` answers it."""
    settings = job["settings"] if with_tasks else {k: v for k, v in job["settings"].items() if k != "tasks"}
    return {**job, "settings": settings, "run_as_user_name": runs_as(job)}


def runs_as(job: Mapping[str, Any]) -> str:
    """The user name or application id that the job's runs have: its creator's where the settings name nobody."""
    run_as = job["settings"].get("run_as", {})
    return str(run_as.get("service_principal_name") or run_as.get("user_name") or job["creator_user_name"])


def _kept(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {"run_as": settings["run_as"]} if "run_as" in settings else {}
