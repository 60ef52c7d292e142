"""Jobs with their last runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workspace.console.reading import Workspace, gathered
from workspace.console.sections.tone import Tone, tone
from workspace.http import Json

SHOWN_RUNS = 3


@dataclass(frozen=True)
class Run:
    id: int
    state: str
    """The result of a run that is over, the life cycle state of one that is not."""
    message: str
    started_ms: int
    duration_ms: int | None
    trigger: str


@dataclass(frozen=True)
class Job:
    id: int
    name: str
    schedule: str
    paused: bool
    runs: Sequence[Run]
    """Newest first."""

    @property
    def failed(self) -> bool:
        """Whether the last run ended badly."""
        return bool(self.runs) and tone(self.runs[0].state) in (Tone.BAD, Tone.WARN)


async def jobs(workspace: Workspace) -> list[Job]:
    listed = await workspace.all("/api/2.2/jobs/list", "jobs", limit="100")
    found = await gathered([_job(workspace, one) for one in listed])
    return sorted(found, key=lambda one: one.name)


async def _job(workspace: Workspace, shown: Json) -> Job:
    runs = await workspace.get("/api/2.2/jobs/runs/list", job_id=str(shown["job_id"]), limit=str(SHOWN_RUNS))
    settings = shown["settings"]
    schedule = settings.get("schedule") or {}
    text = f"{schedule['quartz_cron_expression']} {schedule['timezone_id']}" if schedule else ""
    paused = schedule.get("pause_status") == "PAUSED"
    return Job(int(shown["job_id"]), settings["name"], text, paused, [_run(one) for one in runs.get("runs", [])])


def _run(shown: Json) -> Run:
    state = shown["state"]
    ended = shown.get("end_time") or 0
    return Run(
        id=int(shown["run_id"]),
        state=state.get("result_state") or state["life_cycle_state"],
        message=state.get("state_message", ""),
        started_ms=int(shown["start_time"]),
        duration_ms=int(ended) - int(shown["start_time"]) if ended else None,
        trigger=shown.get("trigger", ""),
    )
