"""Cases of the rules about jobs."""

from __future__ import annotations

from policies import jobs
from tests.policies.cases.building import THRESHOLDS, Case, cluster, drift, job
from tests.policies.judging import UNKNOWN

CASES = (
    Case(
        rule=jobs.drift_job_decides_by_thresholds,
        passes=[[drift(*THRESHOLDS)], [job()]],
        refuses=[
            ([drift(*THRESHOLDS[:2])], "lacks parameters drift_threshold"),
            ([drift(*THRESHOLDS, condition="1")], "has no condition on all_violations_count"),
        ],
        unknown=[([job(name="drift", tasks=UNKNOWN, parameters=[{"name": name} for name in THRESHOLDS])], "tasks")],
    ),
    Case(
        rule=jobs.training_clusters_have_the_ml_runtime,
        passes=[
            [job(name="train", jobClusters=[cluster("17.1.x-cpu-ml-scala2.13")])],
            [job(jobClusters=[cluster("17.1.x-scala2.13")])],
        ],
        refuses=[
            (
                [job(name="train", jobClusters=[cluster("17.1.x-scala2.13")])],
                "cluster main has runtime 17.1.x-scala2.13",
            ),
            (
                [job(tasks=[{"taskKey": "write_features", "newCluster": {"sparkVersion": "16.4.x-scala2.12"}}])],
                "cluster write_features has runtime",
            ),
        ],
        unknown=[([job(name="train", jobClusters=[cluster(UNKNOWN)])], "jobClusters.0.newCluster.sparkVersion")],
    ),
    Case(
        rule=jobs.jobs_have_a_timeout,
        passes=[
            [job(timeoutSeconds=600, tasks=[{"taskKey": "a"}])],
            [job(tasks=[{"taskKey": "a", "timeoutSeconds": 60}])],
        ],
        refuses=[
            ([job(tasks=[{"taskKey": "a"}, {"taskKey": "b", "timeoutSeconds": 5}])], "can run for ever (tasks a)")
        ],
        unknown=[([job(timeoutSeconds=UNKNOWN, tasks=[{"taskKey": "a"}])], "timeoutSeconds")],
    ),
    Case(
        rule=jobs.job_libraries_are_pinned,
        passes=[[job(environments=[{"spec": {"dependencies": ["mlflow==3.17.2", "/Volumes/c/s/v/a.whl"]}}])]],
        refuses=[
            ([job(environments=[{"spec": {"dependencies": ["mlflow>=3"]}}])], "such as 'mlflow==1.2.3'"),
            ([job(tasks=[{"libraries": [{"pypi": {"package": "xgboost"}}]}])], "installs xgboost in any version"),
        ],
        unknown=[([job(environments=[{"spec": {"dependencies": [UNKNOWN]}}])], "environments.0.spec.dependencies.0")],
    ),
    Case(
        rule=jobs.production_job_runs_as_a_service_principal,
        passes=[[job(runAs={"servicePrincipalName": "sp"})]],
        refuses=[([job()], "whoever deploys it"), ([job(runAs={"userName": "me@x.org"})], "runs as me@x.org")],
        unknown=[([job(runAs=UNKNOWN)], "runAs")],
    ),
)
