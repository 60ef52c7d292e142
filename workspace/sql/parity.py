"""What SQL does, and why it is believed that Databricks does so (`workspace/parity.py`)."""

from __future__ import annotations

from workspace.parity import Behaviour, Source

_STATEMENTS = "tests/workspace/test_sql_statements.py::"
_QUERIES = "tests/workspace/test_sql_queries.py::"
_SHAPES = "tests/workspace/test_sql_shapes.py::"
_CATALOG = "tests/workspace/test_sql_catalog.py::"
_EXECUTE = "POST /api/2.0/sql/statements"
_CHUNK = "GET /api/2.0/sql/statements/{id}/result/chunks/{index}"
_API = "Statement Execution API: Execute a SQL statement"
_FUNCTIONS = "SQL language reference: alphabetical list of built-in functions"


def _of(path: str, behaviour: str, source: Source, reference: str, test: str) -> Behaviour:
    return Behaviour(path=path, behaviour=behaviour, source=source, reference=reference, test=test)


DOCUMENTED, CLIENT, PROVIDER, ASSUMED = (
    Source.DOCUMENTATION,
    Source.CLIENT,
    Source.PROVIDER_SOURCE,
    Source.ASSUMPTION,
)

BEHAVIOURS: tuple[Behaviour, ...] = (
    _of(
        _EXECUTE,
        "A statement is waited for up to wait_timeout (0s, 5s to 50s; 10s if left out), then goes on or is cancelled.",
        DOCUMENTED,
        _API,
        _STATEMENTS + "test_a_statement_is_cancelled_when_its_wait_is_over",
    ),
    _of(
        _EXECUTE,
        "current_timestamp(), now() and current_date() are the time at which the query began, the same throughout it.",
        DOCUMENTED,
        _FUNCTIONS,
        "tests/workspace/test_clock.py::test_sql_and_the_registry_go_by_the_clock",
    ),
    _of(
        _EXECUTE,
        "A statement that fails is answered 200 with state FAILED, an error class in brackets and its SQLSTATE.",
        CLIENT,
        "databricks-sdk 0.156 sql.StatementStatus; page Error classes",
        _STATEMENTS + "test_a_failure_is_a_state_with_the_error_class_in_its_message",
    ),
    _of(
        _EXECUTE,
        "PARTITIONED BY keeps files apart by DATE, STRING, BOOLEAN and whole numbers; other types are refused.",
        DOCUMENTED,
        "SQL language reference: CREATE TABLE [USING]; Delta protocol: Partition Value Serialization",
        "tests/workspace/test_sql_tables.py::test_a_partitioned_table_keeps_its_files_apart_whatever_is_done_to_its_rows",
    ),
    _of(
        _EXECUTE,
        "row_limit and byte_limit cut the result, and the manifest says truncated.",
        DOCUMENTED,
        _API,
        _STATEMENTS + "test_a_row_limit_cuts_off_and_says_so",
    ),
    _of(
        _EXECUTE,
        "byte_limit counts the bytes of the result in memory (here: of Arrow).",
        ASSUMED,
        "The page says that byte counts are of internal representations, and no more.",
        _STATEMENTS + "test_a_byte_limit_cuts_off_and_says_so",
    ),
    _of(
        _EXECUTE,
        "Disposition INLINE gives JSON_ARRAY of at most 25 MiB; a longer result fails and names EXTERNAL_LINKS.",
        DOCUMENTED,
        _API,
        _STATEMENTS + "test_a_result_too_long_for_an_answer_fails_and_names_the_way_out",
    ),
    _of(
        _EXECUTE,
        "Disposition EXTERNAL_LINKS gives links that need no token, to chunks in ARROW_STREAM, CSV or JSON_ARRAY.",
        DOCUMENTED,
        _API,
        _STATEMENTS + "test_arrow_chunks_come_by_links",
    ),
    _of(
        _EXECUTE,
        "The first CSV chunk has a header; NULL is the text null.",
        DOCUMENTED,
        _API,
        _STATEMENTS + "test_csv_and_json_chunks_come_by_links",
    ),
    _of(
        _EXECUTE,
        "Parameters are named and typed; a marker without a value is UNBOUND_SQL_PARAMETER.",
        DOCUMENTED,
        "SQL language reference: parameter markers",
        "tests/workspace/test_sql_expressions.py::test_parameters_have_types",
    ),
    _of(
        _EXECUTE,
        "A field that is unknown, or has a value of another type, is refused by its name.",
        ASSUMED,
        "The service's own words for malformed fields are not documented; the code is INVALID_PARAMETER_VALUE.",
        _STATEMENTS + "test_a_field_that_is_wrong_is_named",
    ),
    _of(
        _EXECUTE,
        "What is not carried out fails as UNSUPPORTED_FEATURE and names the construct; nothing of a query is left out.",
        ASSUMED,
        "Databricks carries most of it out: the workspace's own limit, said instead of hidden.",
        "tests/workspace/test_sql_allowed.py::test_a_node_that_is_not_in_the_table_is_refused",
    ),
    _of(
        _EXECUTE,
        "Expressions are ANSI: casts cut off, divisions by zero and malformed texts fail, indexes outside fail.",
        DOCUMENTED,
        "SQL language reference: ANSI compliance in Databricks Runtime; " + _FUNCTIONS,
        "tests/workspace/test_sql_expressions.py::test_value",
    ),
    _of(
        _EXECUTE,
        "JSON is read by get_json_object, from_json and text:path, whose names are not told apart by case.",
        DOCUMENTED,
        _FUNCTIONS + "; page colon sign operator",
        "tests/workspace/test_sql_expressions.py::test_json",
    ),
    _of(
        _EXECUTE,
        "explode, posexplode, inline and stack make rows in LATERAL VIEW, SELECT and FROM; so do PIVOT and window().",
        DOCUMENTED,
        "SQL language reference: LATERAL VIEW, PIVOT, UNPIVOT, window grouping expression",
        _SHAPES + "test_rows",
    ),
    _of(
        _EXECUTE,
        "Result columns have Databricks' type names, with precision and scale for decimals.",
        CLIENT,
        "databricks-sdk 0.156 sql.ColumnInfoTypeName",
        _QUERIES + "test_types_of_results_are_databricks_types",
    ),
    _of(
        _EXECUTE,
        "Result columns without a name have their text as their name.",
        ASSUMED,
        "Spark's pretty text differs in details such as quotes around texts.",
        _SHAPES + "test_columns_are_named_as_databricks_names_them",
    ),
    _of(
        _EXECUTE,
        "MERGE has WHEN MATCHED, NOT MATCHED and NOT MATCHED BY SOURCE, and refuses two sources for one row.",
        DOCUMENTED,
        "SQL language reference: MERGE INTO",
        "tests/workspace/test_sql_rows.py::test_merge_with_every_clause",
    ),
    _of(
        _EXECUTE,
        "INSERT INTO ... REPLACE WHERE replaces the rows of a condition in one commit and refuses others.",
        DOCUMENTED,
        "Selectively overwrite data with Delta Lake",
        _CATALOG + "test_replace_where_changes_what_it_names_and_refuses_other_rows",
    ),
    _of(
        _EXECUTE,
        "The past of a table is read by version and by time; a moment outside the history is refused.",
        DOCUMENTED,
        "Work with Delta Lake table history",
        _CATALOG + "test_the_past_is_read_by_version_and_by_time",
    ),
    _of(
        _EXECUTE,
        "table_changes() gives the change data feed by version or time, where it is on.",
        DOCUMENTED,
        "SQL language reference: table_changes table-valued function",
        "tests/workspace/test_sql_rows.py::test_the_feed_is_read_by_version_and_only_where_it_is_on",
    ),
    _of(
        _EXECUTE,
        "INFORMATION_SCHEMA has catalogs, schemata, tables, columns, views, constraints and their columns.",
        DOCUMENTED,
        "SQL language reference: Information schema",
        _CATALOG + "test_information_schema_knows_tables_columns_and_keys",
    ),
    _of(
        _EXECUTE,
        "read_files() reads CSV, JSON and Parquet below /Volumes and infers the schema, with _rescued_data.",
        DOCUMENTED,
        "SQL language reference: read_files table-valued function",
        "tests/workspace/test_sql_files.py::test_csv_is_read_with_and_without_a_header",
    ),
    _of(
        _EXECUTE,
        "COPY INTO loads each file once unless force is set.",
        DOCUMENTED,
        "SQL language reference: COPY INTO",
        "tests/workspace/test_sql_files.py::test_copy_into_loads_each_file_once",
    ),
    _of(
        _EXECUTE,
        "A function made by CREATE FUNCTION ... RETURN is its expression, with defaults and named arguments.",
        DOCUMENTED,
        "SQL language reference: CREATE FUNCTION (SQL and Python)",
        _CATALOG + "test_a_function_is_its_expression",
    ),
    _of(
        _EXECUTE,
        "Dropping or renaming a column without column mapping fails as DELTA_UNSUPPORTED_DROP_COLUMN.",
        DOCUMENTED,
        "Error classes in Databricks",
        "tests/workspace/test_sql_tables.py::test_what_is_not_carried_out_fails_by_name_and_makes_nothing",
    ),
    _of(
        _EXECUTE,
        "A statement that is sent alone has a session of its own: USE and temporary views end with it.",
        ASSUMED,
        "The API takes no session; its page says that statements are independent of each other.",
        _CATALOG + "test_a_temporary_view_is_gone_with_the_statement",
    ),
    _of(
        "GET /api/2.0/sql/statements/{id}",
        "A statement is PENDING, RUNNING, SUCCEEDED, FAILED or CANCELED; one of another caller is not found.",
        CLIENT,
        "databricks-sdk 0.156 sql.StatementState",
        _STATEMENTS + "test_a_statement_that_is_not_waited_for_is_asked_for_later",
    ),
    _of(
        "POST /api/2.0/sql/statements/{id}/cancel",
        "A running statement is CANCELED; one that is over stays what it is.",
        DOCUMENTED,
        "Statement Execution API: Cancel statement execution",
        _STATEMENTS + "test_a_running_statement_can_be_cancelled",
    ),
    _of(
        _CHUNK,
        "Long results come in chunks, each with the index of the next and a link to it.",
        CLIENT,
        "databricks-sdk 0.156 sql.ResultData",
        _STATEMENTS + "test_long_results_come_in_chunks_and_whole",
    ),
    _of(
        _CHUNK,
        "A chunk has 20,000 rows.",
        ASSUMED,
        "The service goes by bytes, of a size that is not documented.",
        _STATEMENTS + "test_long_results_come_in_chunks_and_whole",
    ),
    _of(
        "GET /api/2.1/unity-catalog/functions/...",
        "Functions made in SQL are read with their parameters, types and body.",
        CLIENT,
        "databricks-sdk 0.156 catalog.FunctionInfo",
        _CATALOG + "test_a_function_is_its_expression",
    ),
    _of(
        "DELETE /api/2.1/unity-catalog/functions/{name}",
        "A function is deleted; with its schema all of them go.",
        CLIENT,
        "databricks-sdk 0.156 catalog.FunctionsAPI.delete",
        _CATALOG + "test_functions_go_with_their_schema",
    ),
    _of(
        "GET/POST /api/2.0/sql/warehouses/...",
        "There is one warehouse, always RUNNING; starting it changes nothing.",
        ASSUMED,
        "A workspace has the warehouses that somebody made; here statements need one without.",
        _STATEMENTS + "test_the_warehouse_runs",
    ),
    _of(
        "GET /api/2.0/preview/sql/data_sources",
        "The warehouse is in a list at the top of the answer.",
        PROVIDER,
        "terraform-provider-databricks sql/resource_sql_endpoint.go",
        _STATEMENTS + "test_the_warehouse_runs",
    ),
    _of(
        "POST /api/2.0/sql/queries",
        "A saved query has the defaults that the provider keeps in its state.",
        PROVIDER,
        "facts of the recorded provider requests: databricks:index/query:Query",
        _STATEMENTS + "test_a_saved_query_has_the_defaults_that_the_provider_keeps_in_state",
    ),
    _of(
        "GET /api/2.0/sql/queries",
        "Queries in the trash are not listed.",
        CLIENT,
        "databricks-sdk 0.156 sql.QueriesAPI.list",
        _STATEMENTS + "test_a_deleted_query_is_in_the_trash_and_not_listed",
    ),
    _of(
        "GET/DELETE /api/2.0/sql/queries/{id}",
        "A deleted query is in the trash, and can be read there.",
        CLIENT,
        "databricks-sdk 0.156 sql.QueriesAPI.delete",
        _STATEMENTS + "test_a_deleted_query_is_in_the_trash_and_not_listed",
    ),
    _of(
        "PATCH /api/2.0/sql/queries/{id}",
        "An update changes what its mask names, and nothing else.",
        CLIENT,
        "databricks-sdk 0.156 sql.UpdateQueryRequest",
        _STATEMENTS + "test_an_update_changes_what_its_mask_names",
    ),
)
