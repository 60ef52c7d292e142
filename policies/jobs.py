"""Jobs: which runtime, for how long, with which libraries, as whom, and what a drift job must have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from policies import sources
from policies.reading import UNKNOWN, Reader
from policies.rule import ADVISORY, HIGH, MANDATORY, MEDIUM, OFF, ResourceRule
from policies.subject import Subject

JOB = "databricks:index/job:Job"
_ML_RUNTIME = "-ml-"
_PINNED = re.compile(r"==|@|~=|\.whl$|^-|^/|^\./")


def _timeouts(subject: Subject) -> Iterator[str]:
    if _seconds(subject.get("timeoutSeconds")):
        return
    endless = [
        str(subject.reader.get(task, "taskKey"))
        for _, task in subject.blocks("tasks").known
        if not _seconds(subject.reader.get(task, "timeoutSeconds")) and not subject.reader.get(task, "conditionTask")
    ]
    if endless:
        yield (
            f"job {subject.shown} can run for ever (tasks {', '.join(endless)}): set timeoutSeconds of the "
            "job, or of each."
        )


def _seconds(value: Any) -> bool:
    return value is UNKNOWN or bool(value)


jobs_have_a_timeout = ResourceRule(
    id="POL-46",
    name="jobs-have-a-timeout",
    description="Require a timeout for jobs, so that a hung one ends and tells somebody.",
    remediation="Set timeoutSeconds of the job.",
    staging=ADVISORY,
    prod=ADVISORY,
    severity=MEDIUM,
    source=sources.JOBS,
    types=frozenset({JOB}),
    check=_timeouts,
)


def _runtime(subject: Subject) -> Iterator[str]:
    pattern = re.compile(subject.option("jobs"), re.IGNORECASE)
    clusters = [
        (str(subject.reader.get(cluster, "jobClusterKey")), subject.reader.block(cluster, "newCluster"))
        for _, cluster in subject.blocks("jobClusters").known
    ]
    clusters += [
        (str(subject.reader.get(task, "taskKey")), subject.reader.block(task, "newCluster"))
        for _, task in subject.blocks("tasks").known
    ]
    keys = " ".join([subject.shown, *(key for key, _ in clusters), *_task_keys(subject)])
    for key, cluster in clusters if pattern.search(keys) else ():
        version = subject.reader.get(cluster, "sparkVersion")
        if isinstance(version, str) and _ML_RUNTIME not in version:
            yield (
                f"cluster {key} has runtime {version}, which lacks the feature engineering client: "
                "use its -ml- variant, such as 17.1.x-cpu-ml-scala2.13."
            )


def _task_keys(subject: Subject) -> list[str]:
    return [str(Reader().get(task, "taskKey")) for _, task in subject.blocks("tasks").known]


training_clusters_have_the_ml_runtime = ResourceRule(
    id="POL-12",
    name="training-clusters-have-the-ml-runtime",
    description="Refuse a standard runtime for jobs that write features or train models: feature lookup fails on it.",
    remediation="Set sparkVersion to a runtime with -ml- in its name.",
    staging=MANDATORY,
    prod=MANDATORY,
    severity=HIGH,
    source=sources.CLUSTER_RUNTIMES,
    options={
        "jobs": {
            "type": "string",
            "description": "Regular expression for names of jobs, tasks or clusters that train or write features.",
            "default": "train|feature",
        }
    },
    types=frozenset({JOB}),
    check=_runtime,
)


def _pins(subject: Subject) -> Iterator[str]:
    loose = []
    for _, environment in subject.blocks("environments").known:
        loose += subject.reader.texts(subject.reader.block(environment, "spec"), "dependencies")
    for _, task in subject.blocks("tasks").known:
        for _, library in subject.reader.blocks(task, "libraries").known:
            package = subject.reader.get(subject.reader.block(library, "pypi"), "package")
            loose += [package] if isinstance(package, str) else []
    unpinned = [text for text in loose if not _PINNED.search(text)]
    if unpinned:
        yield (
            f"job {subject.shown} installs {', '.join(unpinned)} in any version: pin each, such as "
            f"'{unpinned[0].split('>')[0].split('<')[0]}==1.2.3'."
        )


job_libraries_are_pinned = ResourceRule(
    id="POL-47",
    name="job-libraries-are-pinned",
    description="Refuse libraries of jobs without a version: the next run may install another one.",
    remediation="Pin each library with ==.",
    staging=ADVISORY,
    prod=MANDATORY,
    severity=MEDIUM,
    source=sources.JOBS,
    types=frozenset({JOB}),
    check=_pins,
)


def _drift(subject: Subject) -> Iterator[str]:
    if not re.search(subject.option("jobs"), subject.shown, re.IGNORECASE):
        return
    parameters = subject.blocks("parameters")
    names = {str(subject.reader.get(one, "name")) for _, one in parameters.known}
    missing = [name for name in subject.option("thresholds") if name not in names]
    if missing and parameters.complete:
        yield (
            f"drift job {subject.shown} lacks parameters {', '.join(missing)}: declare each with the "
            "threshold as its default."
        )
    tasks = subject.blocks("tasks")
    counted = subject.option("counted")
    conditions = [subject.reader.block(task, "conditionTask") for _, task in tasks.known]
    sides = [str(subject.reader.get(one, side)) for one in conditions for side in ("left", "right")]
    if tasks.complete and not any(counted in side for side in sides):
        yield (
            f"drift job {subject.shown} has no condition on {counted}: add a conditionTask that compares "
            f"{{{{tasks.<task>.values.{counted}}}}} with 0, and have retraining depend on it."
        )


drift_job_decides_by_thresholds = ResourceRule(
    id="POL-11",
    name="drift-job-decides-by-thresholds",
    description="Require thresholds, and a condition on the number of violations, of jobs that answer drift.",
    remediation="Declare the threshold parameters, and a conditionTask on the number of violations.",
    staging=MANDATORY,
    prod=MANDATORY,
    severity=HIGH,
    source=sources.JOBS,
    options={
        "jobs": {"type": "string", "description": "Regular expression for names of drift jobs.", "default": "drift"},
        "thresholds": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Job parameters that hold a threshold.",
            "default": ["performance_threshold", "expected_loss_threshold", "drift_threshold"],
        },
        "counted": {
            "type": "string",
            "description": "The task value that counts violations.",
            "default": "all_violations_count",
        },
    },
    types=frozenset({JOB}),
    check=_drift,
)


def _runs_as(subject: Subject) -> Iterator[str]:
    if subject.get("runAs", "servicePrincipalName") in (None, ""):
        who = subject.text("runAs", "userName")
        yield (
            f"job {subject.shown} runs as {who or 'whoever deploys it'}: set runAs.servicePrincipalName, so "
            "that it does "
            "not stop when a person leaves."
        )


production_job_runs_as_a_service_principal = ResourceRule(
    id="POL-48",
    name="production-job-runs-as-a-service-principal",
    description="Require jobs of production to run as a service principal, not as a person.",
    remediation="Set runAs.servicePrincipalName.",
    staging=OFF,
    prod=ADVISORY,
    severity=MEDIUM,
    source=sources.SERVICE_PRINCIPALS,
    types=frozenset({JOB}),
    check=_runs_as,
)

RULES = (
    drift_job_decides_by_thresholds,
    training_clusters_have_the_ml_runtime,
    jobs_have_a_timeout,
    job_libraries_are_pinned,
    production_job_runs_as_a_service_principal,
)
