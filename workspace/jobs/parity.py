"""What the jobs of this workspace do, and why it is believed that Databricks' do so."""

from __future__ import annotations

from workspace.parity import Behaviour, Source

JOBS = "/api/2.2/jobs"
TESTS = "tests/workspace/test_jobs"

_TABLE: tuple[tuple[str, str, Source, str, str], ...] = (
    (
        "POST create",
        (
            "Any job can be declared; what was declared is read back with the service's defaults, which "
            "`update` and `reset` keep up."
        ),
        Source.CLIENT,
        "databricks/cli `libs/testserver/jobs.go`: defaults that its authors measured",
        ".py::test_what_was_declared_is_read_back_with_the_defaults_of_the_service",
    ),
    (
        "POST create",
        (
            "Unknown task kinds of a dependency, circles, doubled keys, wrong conditions, operators, cron "
            "expressions and counts are 400, naming the field."
        ),
        Source.ASSUMPTION,
        "The service validates these; its exact words are not documented",
        ".py::test_a_job_that_makes_no_sense_is_refused",
    ),
    (
        "POST create",
        "Triggers on models and lists of triggers are 501: they would never fire here.",
        Source.ASSUMPTION,
        "A trigger that is stored and does nothing would be dropped silently",
        "_triggers.py::test_a_trigger_that_would_never_fire_here_is_refused",
    ),
    (
        "POST create",
        (
            "A Quartz expression is read in full: seconds, `?`, `L`, `W`, `#`, names, years, time zones "
            "and daylight saving."
        ),
        Source.DOCUMENTATION,
        "Quartz: Cron Trigger Tutorial; java.util.Calendar for daylight saving",
        "_quartz.py::test_an_expression_names_the_times_that_quartz_documents",
    ),
    (
        "POST create",
        (
            "A schedule starts the job at its times by the workspace's clock, at most every 10 seconds; "
            "runs have trigger PERIODIC."
        ),
        Source.DOCUMENTATION,
        "Run jobs on a schedule",
        "_triggers.py::test_a_schedule_starts_the_job_when_its_time_comes_and_not_before",
    ),
    (
        "POST create",
        "Fires that were missed are made up for once, at once, however many there were.",
        Source.DOCUMENTATION,
        (
            "Run jobs on a schedule: delayed jobs run as soon as the service is available; Quartz: smart "
            "misfire policy of cron triggers"
        ),
        "_triggers.py::test_fires_that_were_passed_over_are_made_up_for_once",
    ),
    (
        "POST create",
        "A periodic trigger first starts the job one period after it was given.",
        Source.ASSUMPTION,
        "The scheduler chooses the time of the first run (Run jobs on a schedule)",
        "_triggers.py::test_a_periodic_trigger_starts_the_job_every_so_often",
    ),
    (
        "POST create",
        (
            "A continuous job has one run after the other; after failures in a row it waits 10 s, then "
            "twice as long, up to 5 minutes."
        ),
        Source.ASSUMPTION,
        "Run jobs continuously names an exponential backoff and not its numbers",
        "_triggers.py::test_a_continuous_job_runs_again_when_its_run_is_over_and_later_after_failures",
    ),
    (
        "POST create",
        (
            "A table update trigger starts the job when a watched table has a new version; with "
            "ALL_UPDATED when each has."
        ),
        Source.CLIENT,
        "`TableUpdateTriggerConfiguration`",
        "_triggers.py::test_a_job_starts_when_a_table_is_updated",
    ),
    (
        "POST create",
        (
            "A file arrival trigger starts the job when a folder of a volume has a new or changed file; "
            "external locations are 400."
        ),
        Source.CLIENT,
        "`FileArrivalTriggerConfiguration`",
        "_triggers.py::test_a_job_starts_when_a_file_arrives",
    ),
    (
        "POST reset",
        "All settings are replaced but `run_as`; a missing job is 403.",
        Source.CLIENT,
        "databricks/cli `libs/testserver/jobs.go`",
        ".py::test_a_reset_replaces_all_settings_but_who_the_job_runs_as",
    ),
    (
        "POST update",
        ("Tasks and job clusters are merged by key, other fields replaced, named ones removed; what is due stays due."),
        Source.CLIENT,
        "`JobsAPI.update`",
        ".py::test_an_update_merges_tasks_by_key_and_takes_out_what_it_names",
    ),
    (
        "POST delete",
        "The job is gone, its schedule with it; its active runs are cancelled.",
        Source.CLIENT,
        "`JobsAPI.delete`",
        "_triggers.py::test_a_paused_or_removed_schedule_and_a_deleted_job_start_nothing",
    ),
    (
        "GET get",
        "A missing job is 400 'does not exist', which the SDKs turn into not found.",
        Source.CLIENT,
        "databricks-sdk `errors/overrides.py`",
        ".py::test_a_missing_job_is_what_each_path_makes_of_it",
    ),
    (
        "GET list",
        "Newest first, in pages, by name regardless of case, without tasks unless they are asked for.",
        Source.CLIENT,
        "`JobsAPI.list`",
        ".py::test_jobs_are_listed_newest_first_page_by_page_and_by_name",
    ),
    (
        "POST run-now",
        "The same idempotency token starts one run.",
        Source.CLIENT,
        "`JobsAPI.run_now`",
        "_runs.py::test_the_same_idempotency_token_starts_one_run",
    ),
    (
        "POST run-now",
        (
            "Kinds of task that are not executed here (pipeline, dbt, jar, dashboards, git sources ...) "
            "are 501, naming task and kind."
        ),
        Source.ASSUMPTION,
        "There are no pipelines here, no dbt and no JVM tasks",
        "_runs.py::test_a_job_that_cannot_be_executed_here_can_be_declared_but_not_run",
    ),
    (
        "POST run-now",
        "Beyond `max_concurrent_runs` a run is skipped, or queued for up to 48 hours.",
        Source.DOCUMENTATION,
        "Queue of jobs (Configure settings for jobs)",
        "_runs.py::test_a_run_beyond_the_limit_is_skipped_or_queued",
    ),
    (
        "POST run-now",
        "Only the tasks of `only` run; `performance_target` is taken and shown.",
        Source.CLIENT,
        "`JobsAPI.run_now`",
        "_repair.py::test_a_run_of_some_tasks_leaves_the_others_out",
    ),
    (
        "POST run-now",
        (
            "`run_if` decides over a task when all of its dependencies are over; UPSTREAM_FAILED or "
            "EXCLUDED where it is not met."
        ),
        Source.DOCUMENTATION,
        "Configure task dependencies",
        "_flow.py::test_run_if_decides_over_a_task_by_the_ends_of_its_dependencies",
    ),
    (
        "POST run-now",
        "The run ends as its leaf tasks do: SUCCESS, SUCCESS_WITH_FAILURES or FAILED.",
        Source.DOCUMENTATION,
        "Configure task dependencies: how the state of a run is determined",
        "_flow.py::test_a_run_ends_as_its_leaf_tasks_do",
    ),
    (
        "POST run-now",
        "Tasks that do not depend on each other run at the same time.",
        Source.DOCUMENTATION,
        "Configure task dependencies",
        "_flow.py::test_tasks_that_do_not_depend_on_each_other_run_at_once",
    ),
    (
        "POST run-now",
        (
            "A condition compares text for (in)equality and numbers otherwise, and excludes the branch "
            "that was not taken."
        ),
        Source.DOCUMENTATION,
        "Add branching logic to a job with the If/else task",
        "_flow.py::test_a_condition_sends_the_run_down_one_branch_and_excludes_the_other",
    ),
    (
        "POST run-now",
        (
            "Dynamic value references are filled in when a task starts; unknown ones of known namespaces "
            "fail it, others stay text."
        ),
        Source.DOCUMENTATION,
        "Dynamic value references",
        "_flow.py::test_references_are_filled_in_when_a_task_starts",
    ),
    (
        "POST run-now",
        ("A For each task runs its task for every input, `concurrency` at a time, and fails after all if one failed."),
        Source.DOCUMENTATION,
        "Use a For each task to run another task in a loop",
        "_flow.py::test_a_loop_runs_its_task_for_every_input_and_says_how_it_went",
    ),
    (
        "POST run-now",
        ("A Run Job task runs the job with the parameters of the task and of the run, and ends as it does."),
        Source.DOCUMENTATION,
        "Run Job task for jobs",
        "_flow.py::test_a_run_job_task_runs_the_job_with_its_parameters_and_ends_as_it_does",
    ),
    (
        "POST run-now",
        "A job that would run itself through Run Job tasks fails that task.",
        Source.DOCUMENTATION,
        "Run Job task for jobs: circular dependencies are not allowed",
        "_flow.py::test_a_job_that_would_run_itself_is_told_so",
    ),
    (
        "POST run-now",
        (
            "A failed task is tried again `max_retries` times after its interval; each attempt is an "
            "entry of the run's tasks."
        ),
        Source.CLIENT,
        "`Task.max_retries`, `min_retry_interval_millis`, `RunTask.attempt_number`",
        "_flow.py::test_a_failed_task_is_tried_again_after_its_interval_by_the_workspaces_clock",
    ),
    (
        "POST run-now",
        ("Tasks and runs that take longer than `timeout_seconds`, by the workspace's clock, are stopped and TIMEDOUT."),
        Source.CLIENT,
        "`Task.timeout_seconds`, `Task.retry_on_timeout`",
        "_flow.py::test_a_run_that_takes_too_long_timed_out_with_what_was_left_of_it",
    ),
    (
        "POST run-now",
        "SQL queries run in their schema, statement by statement, with the parameters that they name.",
        Source.CLIENT,
        "`SqlTask`",
        "_runs.py::test_parameters_reach_the_statements_that_name_them",
    ),
    (
        "POST run-now",
        "SQL files of the workspace run likewise.",
        Source.CLIENT,
        "`SqlTaskFile`",
        "_around.py::test_a_sql_file_is_run_statement_by_statement_with_its_parameters",
    ),
    (
        "POST run-now",
        ("Alerts are evaluated by alert tasks and by SQL tasks; the task succeeds whether they trigger or not."),
        Source.ASSUMPTION,
        ("`AlertTask`, `SqlTaskAlert`; that a triggered alert does not fail its task is how alerts are described"),
        "_around.py::test_an_alert_is_evaluated_by_a_task_and_its_state_can_be_asked_for",
    ),
    (
        "POST run-now",
        (
            "Notebooks in source format run cell by cell: Python, SQL, %run, %pip, %sh, %md; widgets, "
            "`dbutils.notebook.exit`."
        ),
        Source.DOCUMENTATION,
        "Databricks Utilities reference; Develop code in Databricks notebooks",
        "_processes.py::test_a_notebook_runs_its_cells_with_widgets_magic_and_the_notebook_beside_it",
    ),
    (
        "POST run-now",
        (
            "Nothing is installed while a task runs: requirements and %pip must be met by the environment "
            "of the workspace; pure Python wheels are put on the path."
        ),
        Source.ASSUMPTION,
        "A local environment in place of a cluster's; stated in each error",
        "_processes.py::test_what_a_notebook_cannot_have_here_is_said",
    ),
    (
        "POST run-now",
        (
            "Official clients find the workspace as whom the run runs; `WorkspaceClient().dbutils` and "
            "`databricks.sdk.runtime` give the task's `dbutils`."
        ),
        Source.CLIENT,
        "databricks-sdk `databricks/sdk/runtime/__init__.py`: the module `dbruntime`",
        "_processes.py::test_official_clients_find_the_workspace_as_whom_the_run_runs",
    ),
    (
        "POST run-now",
        "A task sees what the identity of its run may see.",
        Source.DOCUMENTATION,
        "Configure identity for job runs",
        "_around.py::test_a_task_sees_what_the_identity_of_its_run_may_see",
    ),
    (
        "POST run-now",
        "Task values reach later tasks through `dbutils.jobs.taskValues` and by reference.",
        Source.DOCUMENTATION,
        "Use task values to pass information between tasks",
        "_processes.py::test_task_values_reach_later_tasks_by_code_and_by_reference",
    ),
    (
        "POST run-now",
        (
            "Job parameters win over parameters of tasks in notebooks, wheels with named parameters, SQL "
            "and Run Job tasks."
        ),
        Source.DOCUMENTATION,
        "Access parameter values from a task",
        "_processes.py::test_job_parameters_are_pushed_down_to_notebooks_over_everything_else",
    ),
    (
        "POST run-now",
        "Python files run as a script beside their siblings, with `__file__`; their exit code decides.",
        Source.ASSUMPTION,
        "`SparkPythonTask`; whether `__file__` is defined depends on the runtime's version",
        "_processes.py::test_a_python_file_gets_its_arguments_and_its_siblings_and_leaves_its_output_as_logs",
    ),
    (
        "POST run-now",
        "Wheel tasks call the entry point of the package's metadata, else the function of that name.",
        Source.CLIENT,
        "`PythonWheelTask.entry_point`",
        "_processes.py::test_a_wheel_task_calls_the_entry_point_of_its_package",
    ),
    (
        "POST run-now",
        ("Mails and webhooks of jobs and tasks go to the outbox of the workspace, with the documented payload."),
        Source.DOCUMENTATION,
        "Add notifications on a job",
        "_around.py::test_a_destination_gets_the_webhook_of_a_job",
    ),
    (
        "POST run-now",
        "A run or task that takes longer than its health rules say is told of once, by the workspace's clock.",
        Source.DOCUMENTATION,
        "Configure an expected completion time or a timeout for a job",
        "_slow.py::test_people_hear_of_what_takes_longer_than_expected_once_and_it_goes_on",
    ),
    (
        "POST runs/submit",
        "Tasks run once without a job, under a job id that no job has; run type SUBMIT_RUN.",
        Source.CLIENT,
        "`JobsAPI.submit`",
        "_repair.py::test_tasks_are_run_once_without_a_job",
    ),
    (
        "GET runs/get",
        ("A run with its tasks; by the run id of a task that task, with the iterations of a For each task."),
        Source.CLIENT,
        "`Run.iterations`, `RunTask.run_id`",
        "_flow.py::test_a_loop_runs_its_task_for_every_input_and_says_how_it_went",
    ),
    (
        "GET runs/get",
        ("A run that was active when the workspace stopped is INTERNAL_ERROR after the next start; a queued one runs."),
        Source.ASSUMPTION,
        "The service does not stop; INTERNAL_ERROR is its state for failures of its own",
        "_process_ends.py::test_no_process_outlives_the_server_and_its_run_is_closed_by_the_next_start",
    ),
    (
        "GET runs/list",
        "Newest first, in pages, by job, kind, time and state.",
        Source.CLIENT,
        "`JobsAPI.list_runs`",
        "_repair.py::test_runs_are_found_by_job_kind_time_and_state",
    ),
    (
        "GET runs/get-output",
        (
            "Logs of Python files and wheels (the last 5 MB), results of notebooks, errors with traces, "
            "SQL statements; a run of several tasks is 400."
        ),
        Source.DOCUMENTATION,
        "Jobs API: get the output for a single run",
        "_processes.py::test_how_a_process_ends_is_how_its_task_ends",
    ),
    (
        "GET runs/export",
        "A notebook task as a page with what it printed and its result; other tasks are 400.",
        Source.ASSUMPTION,
        "The service's page is an interactive view of the notebook; this one holds its output",
        "_processes.py::test_a_failing_cell_fails_the_task_with_its_error_and_where_it_was",
    ),
    (
        "POST runs/cancel",
        (
            "What is at work is ended with all processes that it started; no further task starts; child "
            "runs are cancelled too."
        ),
        Source.CLIENT,
        "`JobsAPI.cancel_run`",
        "_process_ends.py::test_cancelling_ends_the_process_and_what_it_started",
    ),
    (
        "POST runs/cancel",
        "By the run id of a task that task is cancelled, and what depends on it goes by its condition.",
        Source.DOCUMENTATION,
        "Configure task dependencies: how cancelling spreads",
        "_flow.py::test_a_cancelled_task_cancels_what_needs_it_and_lets_run_what_handles_failures",
    ),
    (
        "POST runs/cancel-all",
        "All runs of a job, or only those that are queued.",
        Source.CLIENT,
        "`JobsAPI.cancel_all_runs`",
        "_repair.py::test_all_runs_of_a_job_are_cancelled_or_only_those_that_wait",
    ),
    (
        "POST runs/repair",
        (
            "Named or failed tasks run again in the same run, with the current settings of the job; "
            "`repair_history` tells of it."
        ),
        Source.DOCUMENTATION,
        "Troubleshoot and repair job failures",
        "_repair.py::test_a_repair_runs_what_failed_again_in_the_same_run_with_the_current_settings",
    ),
    (
        "POST runs/delete",
        "A run that is over is forgotten; an active one is 400.",
        Source.CLIENT,
        "`JobsAPI.delete_run`",
        "_repair.py::test_a_deleted_run_is_gone_and_an_active_one_stays",
    ),
)

BEHAVIOURS: tuple[Behaviour, ...] = (
    Behaviour(
        path="/api/2.1/jobs/...",
        behaviour="The paths of 2.1 do what those of 2.2 do.",
        source=Source.CLIENT,
        reference="databricks-sdk asks 2.2, older clients and the provider 2.1; the shapes used here are the same",
        test=f"{TESTS}.py::test_what_was_declared_is_read_back_with_the_defaults_of_the_service",
    ),
    Behaviour(
        path=f"POST {JOBS}/run-now",
        behaviour="A task on a cluster has a Spark session that reads and writes tables by three-part names, as far as "
        "the run's identity may; `spark_conf` of the cluster is in it.",
        source=Source.DOCUMENTATION,
        reference="SparkPythonTask; page 'Configure compute for jobs' (Spark configuration)",
        test="tests/workspace/test_batch_scoring.py::test_a_task_on_a_cluster_reads_and_writes_what_its_principal_may",
    ),
    Behaviour(
        path=f"POST {JOBS}/run-now",
        behaviour="Spark is this machine's: local, for tasks on clusters only, and DDL is left to SQL; without PySpark "
        "or Java a task that needs it fails with what is missing, others run.",
        source=Source.ASSUMPTION,
        reference="stated in each refusal; on Databricks serverless tasks have Spark too",
        test="tests/workspace/test_spark_local.py::test_a_task_that_fails_for_want_of_spark_says_why_and_others_do_not",
    ),
    *(
        Behaviour(
            path=path.replace(" ", f" {JOBS}/"),
            behaviour=behaviour,
            source=source,
            reference=reference,
            test=TESTS + test,
        )
        for path, behaviour, source, reference, test in _TABLE
    ),
)
