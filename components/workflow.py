"""`MlWorkflow`: the jobs of a model's life: features, training with validation, batch inference, drift response.

Names follow one pattern, `<stack>-<bundle>-<role>-job`, so that two stacks in one workspace never collide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pulumi

from .arguments import Arguments
from .job import WorkflowJob, WorkflowJobArgs
from .job_tasks import AfterArgs, ConditionTaskArgs, TaskArgs, Work
from .options import child_options

VIOLATIONS = "all_violations_count"
"""Task value that drift detection sets: how many windows break a limit."""


@dataclass(frozen=True, kw_only=True)
class MlWorkflowArgs(Arguments):
    """What an `MlWorkflow` is made of."""

    bundle: str
    """Name of the whole, part of every job's name."""
    stack: str
    """Name of the stack, first part of every job's name."""
    jobs: Mapping[str, WorkflowJobArgs]
    """By role, such as `feature-engineering`; a job without a name of its own (empty) gets the pattern's."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of every job, beside its own."""

    def name_of(self, role: str) -> str:
        """`<stack>-<bundle>-<role>-job`, or the job's own name."""
        return self.jobs[role].name or f"{self.stack}-{self.bundle}-{role}-job"


class MlWorkflow(pulumi.ComponentResource):
    """The jobs around a model.

    Raises:
        JobError: a job breaks a rule. ValueError: there is no job, or two have one name. Nothing has been registered
        then.
    """

    jobs: dict[str, WorkflowJob]
    """By role."""
    job_ids: pulumi.Output[dict[str, str]]
    """By role."""

    def __init__(self, name: str, args: MlWorkflowArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        if not args.jobs:
            raise ValueError(f"workflow {args.bundle} has no job; describe one")
        names = [args.name_of(role) for role in args.jobs]
        if len(set(names)) != len(names):
            raise ValueError(f"workflow {args.bundle} has jobs of one name: {', '.join(sorted(names))}")
        super().__init__("databricks-serving:index:MlWorkflow", name, None, opts)
        child = child_options(self, opts)
        self.jobs = {
            role: WorkflowJob(
                f"{name}-{role}", replace(job, name=args.name_of(role), tags={**args.tags, **job.tags}), child
            )
            for role, job in sorted(args.jobs.items())
        }
        self.job_ids = pulumi.Output.all(**{role: job.job_id for role, job in self.jobs.items()})
        self.register_outputs({"job_ids": self.job_ids})


def drift_response(detection: Work, retraining: Work, *, compute: str | None = None) -> list[TaskArgs]:
    """Detect, compare, retrain: training runs only where detection counted a violation.

    Args:
        detection: sets the task value `all_violations_count`.
        retraining: makes a new version, which is not promoted by it.
        compute: where both run; the job's only compute when left out.
    """
    return [
        TaskArgs(key="Drift_detection", work=detection, compute=compute),
        TaskArgs(
            key="Check_Violations",
            work=ConditionTaskArgs(
                left=f"{{{{tasks.Drift_detection.values.{VIOLATIONS}}}}}", op="GREATER_THAN", right="0"
            ),
            after=[AfterArgs(task="Drift_detection")],
        ),
        TaskArgs(
            key="Model_training",
            work=retraining,
            after=[AfterArgs(task="Check_Violations", outcome=True)],
            compute=compute,
        ),
    ]
