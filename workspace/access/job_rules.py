"""Jobs and their runs: CAN_VIEW, CAN_MANAGE_RUN, CAN_MANAGE, IS_OWNER.

Source: page "Access control lists", section "Job ACLs". A run is of its job; one that was submitted without a job
belongs to whoever submitted it.
"""

from __future__ import annotations

from collections.abc import Callable

from workspace.access.rules import Rights, Rule, listed
from workspace.errors import permission_denied
from workspace.http import Call, Json

KIND = "jobs"
VERSIONS = ("2.0", "2.1", "2.2")
VIEW, RUN, MANAGE = "CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE"

OwnerOfRun = Callable[[str], tuple[str, str] | None]
"""Id of the job and user name of the creator of a run by its id; None where there is no such run."""


class JobRules:
    """What each call of the Jobs API needs."""

    def __init__(self, rights: Rights, exists: Callable[[str], str | None], of_run: OwnerOfRun) -> None:
        self._rights = rights
        self._exists = exists
        self._of_run = of_run

    def all(self) -> list[Rule]:
        by_level = {
            VIEW: [("GET", name) for name in ("get", "runs/get", "runs/get-output", "runs/export")],
            RUN: [("POST", name) for name in ("run-now", "runs/cancel", "runs/cancel-all", "runs/repair")],
            MANAGE: [("POST", name) for name in ("reset", "update", "delete", "runs/delete")],
        }
        return [
            rule
            for version in VERSIONS
            for base in [f"/api/{version}/jobs"]
            for rule in (
                *(
                    Rule(method="POST", path=f"{base}/{name}", check=_runs_as_himself, reads_body=True)
                    for name in ("create", "runs/submit")
                ),
                Rule(method="GET", path=f"{base}/list", show=listed("jobs", self._visible)),
                Rule(method="GET", path=f"{base}/runs/list", show=listed("runs", self._visible)),
                *(
                    Rule(method=method, path=f"{base}/{name}", check=self._checked(level), reads_body=True)
                    for level, routes in by_level.items()
                    for method, name in routes
                ),
            )
        ]

    def _checked(self, level: str) -> Callable[[Call], None]:
        def check(call: Call) -> None:
            _runs_as_himself(call)
            for source in (call.query, call.body):
                if source.get("job_id"):
                    self._require(call, level, str(source["job_id"]), None)
                if source.get("run_id") and (found := self._of_run(str(source["run_id"]))):
                    self._require(call, level, *found)

        return check

    def _require(self, call: Call, level: str, job_id: str, submitter: str | None) -> None:
        if self._exists(job_id) is not None:
            self._rights.require(call.caller, level, KIND, job_id)
        elif submitter is not None and submitter != call.caller.user_name:
            raise permission_denied(
                f"User {call.caller.user_name} does not have View or Admin or Manage Run or Owner permissions on job "
                f"{job_id}"
            )

    def _visible(self, call: Call, entry: Json) -> bool:
        if self._exists(str(entry["job_id"])) is None:
            return bool(entry.get("creator_user_name") == call.caller.user_name)
        return self._rights.has(call.caller, VIEW, KIND, str(entry["job_id"]))


def _runs_as_himself(call: Call) -> None:
    """An assumption: who is no admin has no identity but his own to give to a job (the role "user" of service
    principals is not kept here)."""
    for settings in (call.body, call.body.get("new_settings")):
        run_as = settings.get("run_as") if isinstance(settings, dict) else None
        for name in run_as.values() if isinstance(run_as, dict) else ():
            if str(name).casefold() != call.caller.user_name.casefold():
                raise permission_denied(
                    f"User {call.caller.user_name} does not have permission to set run_as to {name}: only workspace "
                    "admins can let a job run as somebody else."
                )
