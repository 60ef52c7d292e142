"""Why the feature store behaves as it does (workspace/parity.py)."""

from __future__ import annotations

from workspace.parity import Behaviour, Source

_SDK = "databricks-sdk 0.156"
_ENGINEERING = "databricks-feature-engineering 0.18.2"
_PAGE = "Databricks Online Feature Stores"
_SYNCED = "Serve lakehouse data with synced tables"
_STORES = "/api/2.0/feature-store/online-stores"
_PUBLISH = "POST /api/2.0/feature-store/tables/{source}/publish"
_UNPUBLISH = "DELETE /api/2.0/feature-store/online-tables/{name}"
_STATE = "GET /api/2.0/database/synced_tables/{name}"
_PIPELINES = "/api/2.0/pipelines"
_ONE = f"{_PIPELINES}/{{pipeline_id}}"
_TESTS = "tests/workspace/test_online_store.py::"
_FAILURES = "tests/workspace/test_online_store_failures.py::"
_KEYS = "tests/workspace/test_online_store_keys.py::"

BEHAVIOURS: tuple[Behaviour, ...] = (
    Behaviour(
        path=f"POST {_STORES}",
        behaviour="A store is made STARTING and becomes AVAILABLE; read_replica_count is 0 where none is given.",
        source=Source.CLIENT,
        reference=f"{_SDK} `ml.OnlineStore`, `ml.OnlineStoreState`",
        test=f"{_TESTS}test_store_is_starting_then_available_and_shows_its_defaults",
    ),
    Behaviour(
        path=f"POST {_STORES}",
        behaviour="Capacities are CU_1, CU_2, CU_4 and CU_8; another one, or a name with a space, is 400.",
        source=Source.DOCUMENTATION,
        reference=_PAGE,
        test=f"{_TESTS}test_store_that_cannot_be_is_refused",
    ),
    Behaviour(
        path=f"POST {_STORES}",
        behaviour="At most three read replicas.",
        source=Source.ASSUMPTION,
        reference="a limit must be somewhere; that of Lakebase instances is taken",
        test=f"{_TESTS}test_store_that_cannot_be_is_refused",
    ),
    Behaviour(
        path=f"GET {_STORES}",
        behaviour="All stores, on one page.",
        source=Source.CLIENT,
        reference=f"{_SDK} `ml.FeatureStoreAPI.list_online_stores`",
        test=f"{_TESTS}test_store_is_starting_then_available_and_shows_its_defaults",
    ),
    Behaviour(
        path=f"GET {_STORES}/{{name}}",
        behaviour="A store that is not there is 404, which the feature engineering client takes for None.",
        source=Source.CLIENT,
        reference=f"{_ENGINEERING} `FeatureEngineeringClient.get_online_store`",
        test=f"{_TESTS}test_store_with_published_tables_cannot_be_deleted",
    ),
    Behaviour(
        path=f"PATCH {_STORES}/{{name}}",
        behaviour="Only the fields of update_mask change; a rename is an update of a store that is not there.",
        source=Source.PROVIDER_SOURCE,
        reference="databricks_online_store (recorded requests of the official plugin)",
        test=f"{_TESTS}test_store_changes_by_mask_only_and_a_rename_finds_nothing",
    ),
    Behaviour(
        path=f"PATCH {_STORES}/{{name}}",
        behaviour="A store is UPDATING while its size changes; its tables are served and synced meanwhile.",
        source=Source.ASSUMPTION,
        reference="the state exists (`ml.OnlineStoreState`); what works during it is not documented",
        test=f"{_FAILURES}test_a_store_that_changes_its_size_goes_on_serving_and_syncing",
    ),
    Behaviour(
        path=f"DELETE {_STORES}/{{name}}",
        behaviour="A store with published tables cannot be deleted: 400 naming them.",
        source=Source.ASSUMPTION,
        reference="the page says to delete the online tables first; the code and the words are not documented",
        test=f"{_TESTS}test_store_with_published_tables_cannot_be_deleted",
    ),
    Behaviour(
        path=_PUBLISH,
        behaviour="The source needs a primary key on NOT NULL columns, and the change data feed unless SNAPSHOT; 400.",
        source=Source.DOCUMENTATION,
        reference=_PAGE,
        test=f"{_TESTS}test_publish_refuses_what_cannot_be_served",
    ),
    Behaviour(
        path=_PUBLISH,
        behaviour="Catalog, schema and table of an online table have at most 63 bytes each.",
        source=Source.CLIENT,
        reference=f"{_ENGINEERING} `FeatureEngineeringClient.publish_table`",
        test=f"{_FAILURES}test_a_name_longer_than_postgres_takes_is_refused",
    ),
    Behaviour(
        path=_PUBLISH,
        behaviour="Only Delta tables are published, no online table.",
        source=Source.ASSUMPTION,
        reference="Iceberg tables and views, which the service syncs too, are not in the workspace",
        test=f"{_FAILURES}test_an_online_table_is_no_source",
    ),
    Behaviour(
        path=_PUBLISH,
        behaviour="A store that is STARTING takes no tables.",
        source=Source.ASSUMPTION,
        reference="the provider does not wait for AVAILABLE; the refusal's code is not documented",
        test=f"{_TESTS}test_store_that_is_starting_takes_no_tables",
    ),
    Behaviour(
        path=_PUBLISH,
        behaviour="Publishing again what is published syncs it again, and answers with the same pipeline.",
        source=Source.ASSUMPTION,
        reference="scheduling publish_table is how Databricks' staff advise to keep tables fresh; not on the page",
        test=f"{_TESTS}test_publishing_again_syncs_the_same_online_table",
    ),
    Behaviour(
        path=_PUBLISH,
        behaviour="The name of another source, mode, store or kind of table is taken: 409.",
        source=Source.ASSUMPTION,
        reference="names in Unity Catalog are unique; the code is that of other duplicates",
        test=f"{_TESTS}test_online_table_name_of_another_source_or_kind_is_taken",
    ),
    Behaviour(
        path=_PUBLISH,
        behaviour="SNAPSHOT copies all rows at each sync, TRIGGERED the changes; both only when asked.",
        source=Source.DOCUMENTATION,
        reference=_SYNCED,
        test=f"{_TESTS}test_triggered_sync_applies_changes_where_a_snapshot_copies_all",
    ),
    Behaviour(
        path=_PUBLISH,
        behaviour="Lookups change with a sync and not before; updates and deletes propagate.",
        source=Source.DOCUMENTATION,
        reference=_SYNCED,
        test=f"{_TESTS}test_changes_show_after_a_sync_and_not_before",
    ),
    Behaviour(
        path=_PUBLISH,
        behaviour="CONTINUOUS follows its source by itself; its update stays RUNNING.",
        source=Source.DOCUMENTATION,
        reference=_SYNCED,
        test=f"{_TESTS}test_continuous_table_follows_its_source_by_itself",
    ),
    Behaviour(
        path=_PUBLISH,
        behaviour="The newest row of a key by the TIMESERIES column answers; a late older one hides nothing.",
        source=Source.DOCUMENTATION,
        reference=_SYNCED,
        test=f"{_FAILURES}test_a_late_row_of_a_timeseries_does_not_hide_a_newer_one",
    ),
    Behaviour(
        path=_PUBLISH,
        behaviour="Without a TIMESERIES column, rows that share a key fail the sync, which is whole or not at all.",
        source=Source.DOCUMENTATION,
        reference=_SYNCED,
        test=f"{_FAILURES}test_a_second_row_under_one_key_fails_the_sync_until_it_is_gone",
    ),
    Behaviour(
        path=_PUBLISH,
        behaviour="TRIGGERED and CONTINUOUS take over new columns; older rows have NULL in them.",
        source=Source.DOCUMENTATION,
        reference=_SYNCED,
        test=f"{_FAILURES}test_a_new_column_is_taken_over_and_older_rows_have_none",
    ),
    Behaviour(
        path=_PUBLISH,
        behaviour="A dropped column, another type or another key fails the sync until a full refresh.",
        source=Source.ASSUMPTION,
        reference="documented is that only additive changes are supported, not how the others fail",
        test=f"{_FAILURES}test_other_changes_of_columns_fail_the_sync_until_a_full_refresh",
    ),
    Behaviour(
        path=_PUBLISH,
        behaviour="SNAPSHOT takes whatever columns its source has.",
        source=Source.ASSUMPTION,
        reference="the limit to additive changes is documented for the modes that follow changes",
        test=f"{_FAILURES}test_a_snapshot_takes_whatever_columns_its_source_has",
    ),
    Behaviour(
        path=_PUBLISH,
        behaviour="Changes that the feed did not record are never skipped: the sync fails until a full refresh.",
        source=Source.DOCUMENTATION,
        reference="Use Delta Lake change data feed: only changes after it is turned on are recorded",
        test=f"{_FAILURES}test_changes_that_the_feed_did_not_record_are_never_skipped",
    ),
    Behaviour(
        path=_PUBLISH,
        behaviour="A vacuumed history fails the sync until a full refresh.",
        source=Source.DOCUMENTATION,
        reference="Use Delta Lake change data feed: records follow the table's retention policy",
        test=f"{_FAILURES}test_a_vacuumed_history_fails_the_sync_and_a_full_refresh_heals_it",
    ),
    Behaviour(
        path=_PUBLISH,
        behaviour="A text with a null byte fails the sync.",
        source=Source.DOCUMENTATION,
        reference=_SYNCED,
        test=f"{_FAILURES}test_a_text_with_a_null_byte_fails_as_it_does_in_postgres",
    ),
    Behaviour(
        path=_PUBLISH,
        behaviour="A dropped source fails the sync; the last rows go on being served.",
        source=Source.ASSUMPTION,
        reference="follows from the copy being a table of its own",
        test=f"{_FAILURES}test_a_dropped_source_fails_the_sync_and_its_last_rows_stay",
    ),
    Behaviour(
        path=_PUBLISH,
        behaviour="Looked-up values equal the offline ones bit for bit, whatever their type.",
        source=Source.ASSUMPTION,
        reference="Postgres keeps the values of all types that Delta maps to it; float and NaN are kept here alike",
        test=f"{_TESTS}test_lookup_returns_exactly_the_offline_values",
    ),
    Behaviour(
        path=_PUBLISH,
        behaviour="A key that is not there gives NULL features.",
        source=Source.CLIENT,
        reference="databricks-feature-lookup 1.17: the lookup client returns None for missing rows",
        test=f"{_TESTS}test_missing_key_gives_nulls_and_unpublished_table_404",
    ),
    Behaviour(
        path=_PUBLISH,
        behaviour="A key value of a type that Postgres would not compare is refused.",
        source=Source.CLIENT,
        reference="databricks-feature-lookup 1.17 `lookup_key_utils.validate_lookup_key_datatype`",
        test=f"{_KEYS}test_key_of_another_type_is_refused_naming_the_column",
    ),
    Behaviour(
        path=_PUBLISH,
        behaviour="A table published to two stores is looked up in the older copy, then in the other.",
        source=Source.ASSUMPTION,
        reference="which copy a lookup takes is not documented",
        test=f"{_FAILURES}test_a_second_store_takes_over_when_the_first_copy_is_deleted",
    ),
    Behaviour(
        path=_UNPUBLISH,
        behaviour="Deletes the copy, its pipeline and its entry in Unity Catalog; 404 where there is none.",
        source=Source.CLIENT,
        reference=f"{_SDK} `ml.FeatureStoreAPI.delete_online_table`",
        test=f"{_TESTS}test_online_table_is_a_foreign_table_of_the_catalog",
    ),
    Behaviour(
        path=_UNPUBLISH,
        behaviour="Dropping the online table in Unity Catalog unpublishes it too.",
        source=Source.ASSUMPTION,
        reference="the service keeps the Postgres table until it is dropped there; here both go at once",
        test=f"{_TESTS}test_online_table_that_was_dropped_can_be_published_anew",
    ),
    Behaviour(
        path=_STATE,
        behaviour="Detailed state, message, pipeline, and the last sync with its source's version and time.",
        source=Source.CLIENT,
        reference=f"{_SDK} `database.SyncedTableStatus`, `database.SyncedTableState`",
        test=f"{_FAILURES}test_the_lag_behind_the_source_is_readable_and_gone_after_a_sync",
    ),
    Behaviour(
        path=_STATE,
        behaviour="That published tables can be read here at all.",
        source=Source.ASSUMPTION,
        reference="online stores are Lakebase, whose tables this API shows; no page says it of published ones",
        test=f"{_FAILURES}test_a_synced_table_shows_what_it_is_a_copy_of",
    ),
    Behaviour(
        path=_STATE,
        behaviour="OFFLINE_FAILED before the first sync succeeded, ONLINE_PIPELINE_FAILED after.",
        source=Source.CLIENT,
        reference=f"{_SDK} `database.SyncedTableFailedStatus`",
        test=f"{_FAILURES}test_a_first_sync_that_fails_leaves_the_table_offline",
    ),
    Behaviour(
        path="GET /api/2.0/database/instances/{name}/synced_tables",
        behaviour="The synced tables of one store.",
        source=Source.CLIENT,
        reference=f"{_SDK} `database.DatabaseAPI.list_synced_database_tables`",
        test=f"{_FAILURES}test_a_synced_table_shows_what_it_is_a_copy_of",
    ),
    *(
        Behaviour(
            path=f"{method} /api/2.0/online-tables{rest}",
            behaviour="Legacy online tables are refused, with the way out; there are none to read or delete.",
            source=Source.DOCUMENTATION,
            reference="Migrate from legacy and third-party online tables",
            test=f"{_TESTS}test_legacy_online_tables_are_refused_with_the_way_out",
        )
        for method, rest in (("POST", ""), ("GET", "/{name}"), ("DELETE", "/{name}"))
    ),
    Behaviour(
        path=f"GET {_PIPELINES}",
        behaviour="The pipelines of published and synced tables are listed with their state.",
        source=Source.CLIENT,
        reference=f"{_SDK} `pipelines.PipelineStateInfo`",
        test=f"{_TESTS}test_pipeline_shows_its_updates",
    ),
    Behaviour(
        path=f"GET {_ONE}",
        behaviour="State, health, cause of a failure, and the newest five updates.",
        source=Source.CLIENT,
        reference=f"{_SDK} `pipelines.GetPipelineResponse`",
        test=f"{_TESTS}test_doubled_primary_key_fails_the_pipeline_and_says_which",
    ),
    Behaviour(
        path=f"GET {_ONE}/updates",
        behaviour="All updates, newest first.",
        source=Source.CLIENT,
        reference=f"{_SDK} `pipelines.ListUpdatesResponse`",
        test=f"{_TESTS}test_pipeline_shows_its_updates",
    ),
    Behaviour(
        path=f"POST {_ONE}/updates",
        behaviour="Starts a sync; 409 while one is active; full_refresh copies everything anew.",
        source=Source.CLIENT,
        reference=f"{_SDK} `pipelines.PipelinesAPI.start_update`",
        test=f"{_TESTS}test_replaced_source_needs_a_full_refresh",
    ),
    Behaviour(
        path=f"GET {_ONE}/updates/{{update_id}}",
        behaviour="One update with its state and cause.",
        source=Source.CLIENT,
        reference=f"{_SDK} `pipelines.UpdateInfo`",
        test=f"{_TESTS}test_pipeline_shows_its_updates",
    ),
    Behaviour(
        path=f"POST {_ONE}/stop",
        behaviour="Cancels what is active; a continuous copy stands still until it is started.",
        source=Source.CLIENT,
        reference=f"{_SDK} `pipelines.PipelinesAPI.stop`",
        test=f"{_TESTS}test_stopped_continuous_table_stands_still_until_started",
    ),
    Behaviour(
        path=f"GET {_ONE}/events",
        behaviour="What happened in the syncs, newest first; failures with level ERROR.",
        source=Source.CLIENT,
        reference=f"{_SDK} `pipelines.PipelineEvent`",
        test=f"{_FAILURES}test_the_events_of_a_failed_sync_say_error",
    ),
)
