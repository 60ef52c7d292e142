"""What the monitors of this workspace do, and why it is believed that Databricks' do so."""

from __future__ import annotations

from workspace.parity import Behaviour, Source

MONITOR = "/api/2.1/unity-catalog/tables/{table}/monitor"
REFRESHES = f"{MONITOR}/refreshes"
QUALITY = "/api/data-quality/v1/monitors"
ONE = f"{QUALITY}/{{type}}/{{id}}"
TESTS = "tests/workspace/test_"

_TABLES = "Data profiling metric tables"
_CUSTOM = "Use custom metrics with data profiling"
_CREATE = "Create a data profile using the API"
_LIVE = "Examples of a live workspace (databricks-solutions/ai-dev-kit, quality monitors)"
_SDK = "databricks.sdk.service.catalog.QualityMonitorsAPI"
_NEWER = "databricks.sdk.service.dataquality.DataQualityAPI"

_TABLE: tuple[tuple[str, str, Source, str, str], ...] = (
    (
        f"POST {MONITOR}",
        "A new monitor is MONITOR_STATUS_PENDING, soon ACTIVE with a dashboard id, and has version 0.",
        Source.DOCUMENTATION,
        _LIVE,
        "monitors.py::test_a_monitor_is_pending_when_created_and_active_with_a_dashboard_when_read",
    ),
    (
        f"POST {MONITOR}",
        "It is refreshed once by itself.",
        Source.DOCUMENTATION,
        "databricks-demos/dbdemos-notebooks, mlops-end2end, 07_model_monitoring",
        "monitors_refreshes.py::test_a_new_monitor_refreshes_once_by_itself",
    ),
    (
        f"POST {MONITOR}",
        "Columns, granularities, slices, schedules and custom metrics that cannot be are 400, naming the field.",
        Source.ASSUMPTION,
        "The service validates these; its exact words are not documented",
        "monitors.py::test_a_monitor_that_makes_no_sense_is_refused",
    ),
    (
        f"POST {MONITOR}",
        "Its two metric tables are there at once, empty; the name of another table is not written over.",
        Source.ASSUMPTION,
        "Alerts and jobs that name the tables must not depend on when the first refresh is over",
        "monitors.py::test_a_metric_table_is_not_written_over_a_table_of_somebody_else",
    ),
    (
        f"POST {MONITOR}",
        "Numeric columns have count, nulls, zeros, NaN, mean, deviation, 1000 quantiles; percentages count to 100.",
        Source.DOCUMENTATION,
        f"{_TABLES}; values of a live table",
        "monitors_metrics.py::test_numbers_are_profiled_as_numpy_does",
    ),
    (
        f"POST {MONITOR}",
        "NaN counts in num_nan and percent_nan and in no other metric.",
        Source.ASSUMPTION,
        "The page does not say; a mean of NaN would hide everything else",
        "monitors_metrics.py::test_numbers_are_profiled_as_numpy_does",
    ),
    (
        f"POST {MONITOR}",
        "Text columns have their 100 most frequent items and lengths.",
        Source.DOCUMENTATION,
        _TABLES,
        "monitors_metrics.py::test_texts_are_profiled_by_their_items_and_lengths",
    ),
    (
        f"POST {MONITOR}",
        "Times have least, greatest and median as seconds since the epoch; arrays have lengths.",
        Source.DOCUMENTATION,
        f"{_TABLES}; values of a live table",
        "monitors_metrics.py::test_times_and_arrays_have_what_their_types_have",
    ),
    (
        f"POST {MONITOR}",
        "The row `:table` counts all rows and names the columns with a value; `window` is a struct of two moments.",
        Source.DOCUMENTATION,
        f"{_TABLES}; values of a live table",
        "monitors_metrics.py::test_the_whole_table_has_its_rows_and_the_stamps_of_the_refresh",
    ),
    (
        f"POST {MONITOR}",
        "Numeric drift: ks_test, wasserstein_distance, population_stability_index; over all values, not over sketches.",
        Source.DOCUMENTATION,
        f"{_TABLES} (which measures; the formulas are the textbook's)",
        "monitors_metrics.py::test_drift_of_numbers_equals_scipys",
    ),
    (
        f"POST {MONITOR}",
        "The stability index has the deciles of the comparison as bins, an empty bin counts 0.0001.",
        Source.ASSUMPTION,
        "The page gives no formula; ten bins fit the values of a live table",
        "monitors_statistics.py::test_numbers",
    ),
    (
        f"POST {MONITOR}",
        "Categorical drift: chi_squared_test, tv_distance, l_infinity_distance, js_distance; NULL for numbers.",
        Source.DOCUMENTATION,
        _TABLES,
        "monitors_metrics.py::test_drift_of_categories_equals_scipys",
    ),
    (
        f"POST {MONITOR}",
        "js_distance has natural logarithms, the chi-squared test is that of two samples, NULL is no category.",
        Source.ASSUMPTION,
        "scipy's defaults; the page gives no formula",
        "monitors_statistics.py::test_categories",
    ),
    (
        f"POST {MONITOR}",
        "CONSECUTIVE drift is against the window before, and there is none where that window has no row.",
        Source.DOCUMENTATION,
        _TABLES,
        "monitors_refreshes.py::test_consecutive_drift_needs_the_window_before",
    ),
    (
        f"POST {MONITOR}",
        "BASELINE drift has no window_cmp; the baseline's own profile has log_type BASELINE and no window.",
        Source.ASSUMPTION,
        "window_cmp is described for CONSECUTIVE alone; a baseline has no time",
        "monitors_metrics.py::test_the_baseline_has_a_profile_without_a_window",
    ),
    (
        f"POST {MONITOR}",
        "Windows of weeks begin on Mondays, all windows by UTC.",
        Source.ASSUMPTION,
        "date_trunc('week') does; the pages do not say",
        "monitors_refreshes.py::test_a_moment_is_in_the_window_of_its_calendar",
    ),
    (
        f"POST {MONITOR}",
        "A slicing column gives a slice a value (100 at most), a condition the slices `true` and `false`.",
        Source.CLIENT,
        "databricks.sdk.service.catalog.MonitorInfo.slicing_exprs",
        "monitors_metrics.py::test_a_column_is_a_slice_a_value_and_a_condition_is_two",
    ),
    (
        f"POST {MONITOR}",
        "An inference log has rows for every model and for all of them (`*`), with accuracy, precision, recall, F1.",
        Source.DOCUMENTATION,
        f"{_TABLES}; the generated dashboard's queries",
        "monitors_metrics.py::test_model_quality_equals_scikit_learns_for_every_model",
    ),
    (
        f"POST {MONITOR}",
        "Regression has squared, absolute and percentage errors and R2; rows without a label are left out.",
        Source.DOCUMENTATION,
        _TABLES,
        "monitors_metrics.py::test_regression_errors_equal_scikit_learns_and_missing_labels_are_left_out",
    ),
    (
        f"POST {MONITOR}",
        "A Boolean slice has predictive_parity and the other fairness metrics, as differences and ratios by class.",
        Source.DOCUMENTATION,
        "Monitor fairness and bias for classification models; the generated dashboard's queries",
        "monitors_metrics.py::test_a_condition_compares_the_group_with_the_others",
    ),
    (
        f"POST {MONITOR}",
        "Aggregate, derived and drift metrics are computed from their Jinja SQL, for each of their input columns.",
        Source.DOCUMENTATION,
        _CUSTOM,
        "monitors_metrics.py::test_custom_metrics_of_every_kind_equal_what_they_say",
    ),
    (
        f"GET {MONITOR}",
        "What was sent is read back with the service's defaults.",
        Source.PROVIDER_SOURCE,
        "catalog/resource_quality_monitor.go",
        "monitors.py::test_what_was_sent_is_read_back_with_the_defaults_of_the_service",
    ),
    (
        f"GET {MONITOR}",
        "A table made anew under the same name has no monitor.",
        Source.ASSUMPTION,
        "Monitors belong to the table's id, by which the newer API names them",
        "monitors.py::test_a_table_made_anew_under_the_same_name_has_no_monitor",
    ),
    (
        f"PUT {MONITOR}",
        "All that can be set is replaced, the version counts up; assets and output schema stay.",
        Source.CLIENT,
        f"{_SDK}.update (Create:REQ Update:IGN ...)",
        "monitors.py::test_put_replaces_everything_but_the_assets_and_counts_the_version",
    ),
    (
        f"PUT {MONITOR}",
        "The next refresh computes all windows anew, in the new version.",
        Source.DOCUMENTATION,
        f"{_TABLES}, monitor_version",
        "monitors_refreshes.py::test_a_changed_definition_computes_everything_anew_in_its_version",
    ),
    (
        f"DELETE {MONITOR}",
        "Metric tables stay.",
        Source.CLIENT,
        f"{_SDK}.delete",
        "monitors.py::test_metric_tables_stay_when_their_monitor_goes",
    ),
    (
        f"POST {REFRESHES}",
        "With the change data feed only windows with changed rows are computed: late labels change their window.",
        Source.DOCUMENTATION,
        _CREATE,
        "monitors_refreshes.py::test_labels_that_come_late_change_the_quality_of_their_window",
    ),
    (
        f"POST {REFRESHES}",
        "Refreshes one by one leave what a single one computes.",
        Source.ASSUMPTION,
        "Incremental processing is described as cheaper, not as different",
        "monitors_refreshes.py::test_refreshes_one_by_one_leave_what_a_single_one_computes",
    ),
    (
        f"POST {REFRESHES}",
        "Without the feed every window is computed again, a changed baseline is compared anew.",
        Source.DOCUMENTATION,
        _CREATE,
        "monitors_refreshes.py::test_without_a_change_data_feed_every_window_is_computed_again",
    ),
    (
        f"POST {REFRESHES}",
        "A new monitor looks back 30 days; older rows that come later are taken up.",
        Source.DOCUMENTATION,
        _CREATE,
        "monitors_refreshes.py::test_a_new_monitor_looks_back_thirty_days_and_takes_up_older_rows_that_come_later",
    ),
    (
        f"POST {REFRESHES}",
        "A snapshot is one more moment beside those before, compared with the one before by time travel.",
        Source.DOCUMENTATION,
        _TABLES,
        "monitors_refreshes.py::test_a_snapshot_is_compared_with_the_one_before",
    ),
    (
        f"POST {REFRESHES}",
        "A schedule refreshes by the workspace's clock; times that were missed are made up for once.",
        Source.ASSUMPTION,
        "As jobs do; the pages do not say",
        "monitors_refreshes.py::test_a_schedule_refreshes_when_the_clock_gets_there",
    ),
    (
        f"POST {REFRESHES}",
        "A refresh that fails says why, also in latest_monitor_failure_msg, and its on_failure addresses are told.",
        Source.CLIENT,
        "databricks.sdk.service.catalog.MonitorNotifications",
        "monitors_refreshes.py::test_a_refresh_that_fails_says_why_and_tells_the_people_named",
    ),
    (
        f"GET {REFRESHES}",
        "The newest is first; PENDING, RUNNING, then SUCCESS, FAILED or CANCELED with an end time.",
        Source.DOCUMENTATION,
        _LIVE,
        "monitors_refreshes.py::test_a_schedule_refreshes_when_the_clock_gets_there",
    ),
    (
        f"GET {REFRESHES}/{{refresh}}",
        "A refresh that is not there is 404.",
        Source.CLIENT,
        f"{_SDK}.get_refresh",
        "monitors.py::test_a_refresh_that_is_not_there_is_not_found",
    ),
    (
        f"POST {REFRESHES}/{{refresh}}/cancel",
        "A waiting or running refresh ends CANCELED and writes nothing; one that is over is 400.",
        Source.ASSUMPTION,
        "The state exists; what a cancel leaves behind is not documented",
        "monitors_refreshes.py::test_a_refresh_that_waits_can_be_cancelled_and_one_that_is_over_cannot",
    ),
    (
        "POST /api/2.1/quality-monitoring/tables/{table}/monitor/dashboard",
        "The dashboard gets another id; no dashboard is drawn.",
        Source.CLIENT,
        f"{_SDK}.regenerate_dashboard",
        "monitors.py::test_another_dashboard_has_another_id",
    ),
    (
        f"POST {QUALITY}",
        "The same monitor by the table's id, in newer words; each API reads what the other made.",
        Source.CLIENT,
        f"{_NEWER}; its docstring calls the older API its predecessor",
        "data_quality.py::test_it_computes_what_the_older_api_computes_and_is_read_by_it",
    ),
    (
        f"POST {QUALITY}",
        "Anomaly detection is 501: it would detect nothing.",
        Source.ASSUMPTION,
        "A setting that is stored and does nothing would be dropped silently",
        "data_quality.py::test_anomaly_detection_and_what_the_service_does_not_implement_are_refused",
    ),
    (
        f"GET {QUALITY}",
        "Listing monitors is 501, as the service has not implemented it.",
        Source.CLIENT,
        f"{_NEWER}.list_monitor: (Unimplemented)",
        "data_quality.py::test_anomaly_detection_and_what_the_service_does_not_implement_are_refused",
    ),
    (
        f"GET {ONE}",
        "What was sent is read back with metric tables, version, status and warehouse.",
        Source.CLIENT,
        "databricks.sdk.service.dataquality.DataProfilingConfig",
        "data_quality.py::test_what_was_sent_is_read_back_with_what_the_service_adds",
    ),
    (
        f"PATCH {ONE}",
        "The fields of the mask change, down to those of the schedule; others stay.",
        Source.CLIENT,
        f"{_NEWER}.update_monitor",
        "data_quality.py::test_an_update_changes_what_its_mask_names",
    ),
    (
        f"DELETE {ONE}",
        "The monitor is gone from both APIs.",
        Source.CLIENT,
        f"{_NEWER}.delete_monitor",
        "data_quality.py::test_a_deleted_monitor_is_gone_from_both",
    ),
    (
        f"POST {ONE}/refreshes",
        "A refresh is queued and read with states and triggers of the newer enums.",
        Source.CLIENT,
        "databricks.sdk.service.dataquality.Refresh",
        "data_quality.py::test_refreshes_are_run_listed_and_read",
    ),
    (
        f"GET {ONE}/refreshes",
        "Refreshes are listed page by page.",
        Source.CLIENT,
        f"{_NEWER}.list_refresh",
        "data_quality.py::test_refreshes_are_run_listed_and_read",
    ),
    (
        f"GET {ONE}/refreshes/{{refresh}}",
        "One refresh, as the list has it.",
        Source.CLIENT,
        f"{_NEWER}.get_refresh",
        "data_quality.py::test_refreshes_are_run_listed_and_read",
    ),
    (
        f"POST {ONE}/refreshes/{{refresh}}/cancel",
        "A refresh that is over cannot be cancelled.",
        Source.ASSUMPTION,
        "As in the older API",
        "data_quality.py::test_refreshes_are_run_listed_and_read",
    ),
    (
        f"PATCH {ONE}/refreshes/{{refresh}}",
        "Changing a refresh is 501, as the service has not implemented it.",
        Source.CLIENT,
        f"{_NEWER}.update_refresh: (Unimplemented)",
        "data_quality.py::test_anomaly_detection_and_what_the_service_does_not_implement_are_refused",
    ),
    (
        f"DELETE {ONE}/refreshes/{{refresh}}",
        "Deleting a refresh is 501, as the service has not implemented it.",
        Source.CLIENT,
        f"{_NEWER}.delete_refresh: (Unimplemented)",
        "data_quality.py::test_anomaly_detection_and_what_the_service_does_not_implement_are_refused",
    ),
)

BEHAVIOURS: tuple[Behaviour, ...] = tuple(
    Behaviour(path=path, behaviour=behaviour, source=source, reference=reference, test=f"{TESTS}{test}")
    for path, behaviour, source, reference, test in _TABLE
)
