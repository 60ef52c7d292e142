"""`WorkflowJob`: a job with the files it runs, its compute, its schedule, and who may see or run it."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pulumi

from . import databricks
from .arguments import Arguments
from .checks import check_cron, check_emails, check_folder
from .job_tasks import (
    ConditionTaskArgs,
    JobError,
    NotebookTaskArgs,
    PythonTaskArgs,
    RunJobTaskArgs,
    SqlTaskArgs,
    TaskArgs,
    check_tasks,
    names_a_secret,
)
from .options import child_options, main_options
from .permissions import PermissionEntry, access_controls, check_entries

TIMEZONE = "UTC"
NOTEBOOK_MARK = "# Databricks notebook source"
JobPermissionLevel = Literal["CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE"]


@dataclass(frozen=True, kw_only=True)
class ClusterArgs(Arguments):
    """A cluster that lives as long as a run."""

    key: str
    """What tasks call it."""
    spark_version: str
    """Databricks Runtime, such as `17.1.x-cpu-ml-scala2.12`."""
    node_type_id: str
    """Machine type of the cloud, such as `Standard_D4s_v3`."""
    num_workers: int = 1
    """How many workers, at least."""
    max_workers: int | None = None
    """How many it may grow to; it does not grow when left out."""
    spark_conf: Mapping[str, str] = field(default_factory=dict)
    """Such as `spark.databricks.io.cache.enabled: "true"` for repeated reads."""
    packages: Sequence[str] = ()
    """Installed for each task beside what the runtime has. Pinned, as pip takes them: `mlflow==3.17.2`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_workers < 0 or (self.max_workers is not None and self.max_workers < max(self.num_workers, 1)):
            raise JobError(
                f"cluster {self.key} has {self.num_workers} to {self.max_workers} workers; use 0 or more, the least "
                f"first"
            )


@dataclass(frozen=True, kw_only=True)
class EnvironmentArgs(Arguments):
    """Serverless compute with these packages."""

    key: str = "default"
    """What tasks call it."""
    dependencies: Sequence[str] = ()
    """Pinned, as pip takes them: `mlflow==3.17.2`."""
    version: str = "4"
    """Version of the serverless environment."""


@dataclass(frozen=True, kw_only=True)
class JobPermission(Arguments):
    """One entry of the job's access control list; exactly one of the three principals."""

    level: JobPermissionLevel
    """CAN_VIEW, CAN_MANAGE_RUN or CAN_MANAGE."""
    group: pulumi.Input[str] | None = None
    """Name of a group."""
    user: pulumi.Input[str] | None = None
    """User name."""
    service_principal: pulumi.Input[str] | None = None
    """Application id."""


def job_permissions(entries: Iterable[PermissionEntry]) -> list[JobPermission]:
    """Of the jobs around an endpoint: who manages it manages them, and everybody else named there may look."""
    return [
        JobPermission(
            level="CAN_MANAGE" if entry.level == "CAN_MANAGE" else "CAN_VIEW",
            group=entry.group,
            user=entry.user,
            service_principal=entry.service_principal,
        )
        for entry in entries
    ]


@dataclass(frozen=True, kw_only=True)
class WorkflowJobArgs(Arguments):
    """What a `WorkflowJob` is made of."""

    name: str
    """Name of the job."""
    tasks: Sequence[TaskArgs]
    """Its tasks."""
    computes: Sequence[ClusterArgs | EnvironmentArgs] = ()
    """Clusters and serverless environments that its tasks run on."""
    folder: str | None = None
    """Workspace folder for the local files of its tasks, from the root; needed where there are some."""
    parameters: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Job parameters and their defaults."""
    cron: str | None = None
    """Quartz expression (UTC): when it runs; on demand only when left out."""
    paused: bool = False
    """Whether the schedule waits for somebody to start it."""
    run_as: pulumi.Input[str] | None = None
    """Application id of the service principal it runs as; who deploys when left out."""
    permissions: Sequence[JobPermission] = ()
    """Who may see, run or manage it. Authoritative, except for its owner."""
    notify_on_failure: Sequence[str] = ()
    """E-mail addresses that hear of failed runs."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of the job."""
    max_concurrent_runs: int = 1
    """How many runs go at a time; further ones wait."""


class WorkflowJob(pulumi.ComponentResource):
    """A job, its files and its permissions.

    Raises:
        JobError: a rule of task graphs is broken, or local files have no folder to go to; nothing has been registered
            then.
    """

    job_id: pulumi.Output[str]
    files: dict[str, databricks.Notebook | databricks.WorkspaceFile]
    """What was put into the workspace, by task."""

    def __init__(self, name: str, args: WorkflowJobArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check_tasks(args.name, args.tasks, [compute.key for compute in args.computes])
        local = {task.key: source for task in args.tasks if (source := _source(task)) is not None}
        if local and args.folder is None:
            raise JobError(f"job {args.name}: {', '.join(local)} come from local files; give folder, where they go")
        _check(args, local)
        super().__init__("databricks-serving:index:WorkflowJob", name, None, opts)
        child = child_options(self, opts, has_main=True)
        self.files = {}
        at: dict[Path, databricks.Notebook | databricks.WorkspaceFile] = {}
        for key, source in sorted(local.items()):
            # Tasks of one file share it: two resources of one path would take it from each other.
            place = source.resolve()
            if place not in at:
                at[place] = _file(f"{name}-{key}", f"{args.folder}/{args.name}/{source.name}", source, child)
            self.files[key] = at[place]
        self.job = databricks.Job(
            name,
            name=args.name,
            # In the order of their keys, as the provider keeps them.
            tasks=[self._task(task, args) for task in sorted(args.tasks, key=lambda task: task.key)],
            job_clusters=[_cluster(one) for one in args.computes if isinstance(one, ClusterArgs)] or None,
            environments=[_environment(one) for one in args.computes if isinstance(one, EnvironmentArgs)] or None,
            parameters=[
                databricks.JobParameterArgs(name=key, default=value) for key, value in sorted(args.parameters.items())
            ]
            or None,
            schedule=None
            if args.cron is None
            else databricks.JobScheduleArgs(
                quartz_cron_expression=args.cron,
                timezone_id=TIMEZONE,
                pause_status="PAUSED" if args.paused else "UNPAUSED",
            ),
            run_as=None if args.run_as is None else databricks.JobRunAsArgs(service_principal_name=args.run_as),
            email_notifications=databricks.JobEmailNotificationsArgs(on_failures=list(args.notify_on_failure))
            if args.notify_on_failure
            else None,
            max_concurrent_runs=args.max_concurrent_runs,
            queue=databricks.JobQueueArgs(enabled=True),
            tags=dict(args.tags),
            opts=main_options(self, opts),
        )
        self.permissions = self._permissions(name, args)
        self.job_id = self.job.id
        self.register_outputs({"job_id": self.job_id})

    def _task(self, task: TaskArgs, args: WorkflowJobArgs) -> databricks.JobTaskArgs:
        computes = {compute.key: compute for compute in args.computes}
        compute = computes[task.compute or next(iter(computes))] if task.needs_compute else None
        return databricks.JobTaskArgs(
            task_key=task.key,
            depends_ons=[
                databricks.JobTaskDependsOnArgs(
                    task_key=after.task, outcome=None if after.outcome is None else str(after.outcome).lower()
                )
                for after in sorted(task.after, key=lambda after: after.task)
            ]
            or None,
            run_if=None if task.run_if == "ALL_SUCCESS" else task.run_if,
            max_retries=task.max_retries or None,
            timeout_seconds=task.timeout_seconds or None,
            job_cluster_key=compute.key if isinstance(compute, ClusterArgs) else None,
            environment_key=compute.key if isinstance(compute, EnvironmentArgs) else None,
            libraries=[
                databricks.JobTaskLibraryArgs(pypi=databricks.JobTaskLibraryPypiArgs(package=package))
                for package in compute.packages
            ]
            if isinstance(compute, ClusterArgs) and compute.packages
            else None,
            **self._work(task),
        )

    def _work(self, task: TaskArgs) -> dict[str, Any]:
        work = task.work
        if isinstance(work, NotebookTaskArgs):
            path = self._path(task.key, work.path)
            parameters = dict(work.parameters) or None
            return {"notebook_task": databricks.JobTaskNotebookTaskArgs(notebook_path=path, base_parameters=parameters)}
        if isinstance(work, PythonTaskArgs):
            return {
                "spark_python_task": databricks.JobTaskSparkPythonTaskArgs(
                    python_file=self._path(task.key, work.path), parameters=list(work.parameters) or None
                )
            }
        if isinstance(work, SqlTaskArgs):
            return {
                "sql_task": databricks.JobTaskSqlTaskArgs(
                    warehouse_id=work.warehouse_id,
                    query=databricks.JobTaskSqlTaskQueryArgs(query_id=work.query_id),
                    parameters=dict(work.parameters) or None,
                )
            }
        if isinstance(work, ConditionTaskArgs):
            return {"condition_task": databricks.JobTaskConditionTaskArgs(left=work.left, op=work.op, right=work.right)}
        return {"run_job_task": _run_job(work)}

    def _path(self, key: str, stated: str | None) -> pulumi.Input[str]:
        return stated if stated is not None else self.files[key].path

    def _permissions(self, name: str, args: WorkflowJobArgs) -> databricks.Permissions | None:
        if not args.permissions:
            return None
        return databricks.Permissions(
            f"{name}-permissions",
            job_id=self.job.id,
            access_controls=access_controls(args.permissions),
            opts=pulumi.ResourceOptions(parent=self),
        )


def _check(args: WorkflowJobArgs, local: Mapping[str, Path]) -> None:
    check_entries(f"job {args.name}", args.permissions)
    check_emails(f"job {args.name}: notify_on_failure", args.notify_on_failure)
    if args.cron is not None:
        check_cron(f"job {args.name}: cron", args.cron)
    if args.folder is not None:
        check_folder(f"job {args.name}: folder", args.folder)
    if args.max_concurrent_runs < 1:
        raise JobError(f"job {args.name}: max_concurrent_runs is {args.max_concurrent_runs}; use 1 or more")
    if secret := [name for name in args.parameters if names_a_secret(name)]:
        raise JobError(
            f"job {args.name} has the parameter {', '.join(secret)}: parameters are shown to everybody who can see the "
            "job; have the tasks read it from a secret scope (dbutils.secrets.get)"
        )
    places: dict[str, str] = {}
    for key, source in sorted(local.items()):
        other = places.setdefault(source.name, key)
        if local[other].resolve() != source.resolve():
            raise JobError(
                f"job {args.name}: tasks {other} and {key} come from files called {source.name}, which go to one "
                "place in the workspace; rename one of them, or put it there yourself and give its path"
            )


def _source(task: TaskArgs) -> Path | None:
    return task.work.source if isinstance(task.work, NotebookTaskArgs | PythonTaskArgs) else None


def _file(
    name: str, path: str, source: Path, opts: pulumi.ResourceOptions
) -> databricks.Notebook | databricks.WorkspaceFile:
    content = source.read_bytes()
    # As text of the resource, not as a path: the plugin may run elsewhere, and a change shows in preview.
    encoded = base64.b64encode(content).decode()
    if content.decode(errors="replace").startswith(NOTEBOOK_MARK):
        # The workspace shows a notebook without its suffix, and tasks name it so.
        return databricks.Notebook(
            name, path=path.removesuffix(source.suffix), language="PYTHON", content_base64=encoded, opts=opts
        )
    return databricks.WorkspaceFile(name, path=path, content_base64=encoded, opts=opts)


def _run_job(work: RunJobTaskArgs) -> databricks.JobTaskRunJobTaskArgs:
    return databricks.JobTaskRunJobTaskArgs(
        # A job's id is a text everywhere else.
        job_id=pulumi.Output.from_input(work.job_id).apply(int),
        job_parameters=dict(work.parameters) or None,
    )


def _cluster(cluster: ClusterArgs) -> databricks.JobJobClusterArgs:
    grows = cluster.max_workers is not None
    return databricks.JobJobClusterArgs(
        job_cluster_key=cluster.key,
        new_cluster=databricks.JobJobClusterNewClusterArgs(
            spark_version=cluster.spark_version,
            node_type_id=cluster.node_type_id,
            num_workers=None if grows else cluster.num_workers,
            autoscale=databricks.JobJobClusterNewClusterAutoscaleArgs(
                min_workers=cluster.num_workers, max_workers=cluster.max_workers
            )
            if grows
            else None,
            spark_conf=dict(cluster.spark_conf) or None,
            # What Unity Catalog needs.
            data_security_mode="SINGLE_USER",
        ),
    )


def _environment(environment: EnvironmentArgs) -> databricks.JobEnvironmentArgs:
    return databricks.JobEnvironmentArgs(
        environment_key=environment.key,
        spec=databricks.JobEnvironmentSpecArgs(
            environment_version=environment.version, dependencies=list(environment.dependencies) or None
        ),
    )
