"""DuckDB macros with Spark's meaning for arrays, maps, JSON and texts; `macros.py` has those of casts and numbers."""

from __future__ import annotations

_STEP = "(((epoch_us(ts) - o) % s) + s) % s"
_START = f"make_timestamptz(epoch_us(ts) - {_STEP} - i * s)"
_END = f"make_timestamptz(epoch_us(ts) - {_STEP} - i * s + d)"

COLLECTIONS: tuple[str, ...] = (
    # The first of equal elements stays where it is; NULL is an element.
    "CREATE MACRO spark_array_distinct(a) AS list_filter(a, lambda x, i: list_position(a, x) = i)",
    "CREATE MACRO spark_array_append(a, x) AS CASE WHEN a IS NOT NULL THEN list_append(a, x) END",
    "CREATE MACRO spark_array_prepend(a, x) AS CASE WHEN a IS NOT NULL THEN list_prepend(x, a) END",
    "CREATE MACRO spark_array_remove(a, e) AS CASE WHEN e IS NOT NULL THEN "
    "list_filter(a, lambda x: x IS DISTINCT FROM e) END",
    "CREATE MACRO spark_array_except(a, b) AS CASE WHEN b IS NOT NULL THEN "
    "list_filter(spark_array_distinct(a), lambda x: list_position(b, x) IS NULL) END",
    "CREATE MACRO spark_array_intersect(a, b) AS CASE WHEN b IS NOT NULL THEN "
    "list_filter(spark_array_distinct(a), lambda x: list_position(b, x) IS NOT NULL) END",
    "CREATE MACRO spark_array_repeat(x, n) AS list_transform(range(greatest(CAST(n AS BIGINT), 0)), lambda i: x)",
    "CREATE MACRO spark_get_or_null(a, i) AS CASE WHEN i >= 0 THEN a[i + 1] END",
    "CREATE MACRO spark_sequence_of_months(a, b, n) AS list_filter(list_transform("
    "range(greatest(date_diff('month', a, b) // n + 2, 0)), "
    "lambda i: CAST(a + to_months(CAST(i * n AS INT)) AS DATE)), "
    "lambda d: d <= b)",
    # A start below 0 counts from the end.
    "CREATE MACRO spark_slice(a, s, n) AS CASE "
    "WHEN s = 0 THEN error('[INVALID_PARAMETER_VALUE.START] The value of parameter(s) `start` in `slice` is invalid: "
    "Expects a positive or a negative value for `start`, but got 0.') "
    "WHEN n < 0 THEN error('[INVALID_PARAMETER_VALUE.LENGTH] The value of parameter(s) `length` in `slice` is invalid: "
    "Expects `length` greater than or equal to 0.') "
    "WHEN n = 0 OR s + len(a) < 0 THEN a[1:0] WHEN s > 0 THEN a[s:s + n - 1] "
    "ELSE a[len(a) + s + 1:len(a) + s + n] END",
    # NULL is neither true nor false: a test of an element that is NULL leaves the answer open.
    "CREATE MACRO spark_any(b) AS CASE WHEN b IS NULL THEN NULL WHEN list_contains(b, true) THEN true "
    "WHEN len(list_filter(b, lambda x: x IS NULL)) > 0 THEN NULL ELSE false END",
    "CREATE MACRO spark_every(b) AS CASE WHEN b IS NULL THEN NULL WHEN list_contains(b, false) THEN false "
    "WHEN len(list_filter(b, lambda x: x IS NULL)) > 0 THEN NULL ELSE true END",
    "CREATE MACRO spark_windows(ts, d, s, o) AS CASE WHEN ts IS NOT NULL THEN list_filter("
    "list_transform(range(CAST(ceil(d / s) AS BIGINT)), "
    f'lambda i: struct_pack(start := {_START}, "end" := {_END})), lambda w: w."end" > ts) END',
)

# A text that is no JSON is one also where DuckDB computes constants before it looks at the condition.
_FIELD = "try(json_extract(x, '$.\"' || replace({}, '\"', '\\\"') || '\"'))"

TEXTS: tuple[str, ...] = (
    "CREATE MACRO spark_e() AS exp(1)",
    "CREATE MACRO spark_hypot(a, b) AS sqrt(a * a + b * b)",
    "CREATE MACRO spark_nanvl(a, b) AS CASE WHEN isnan(CAST(a AS DOUBLE)) THEN b ELSE a END",
    "CREATE MACRO spark_nullifzero(x) AS nullif(x, 0)",
    "CREATE MACRO spark_zeroifnull(x) AS coalesce(x, 0)",
    "CREATE MACRO spark_base64(x) AS CASE WHEN typeof(x) = 'BLOB' THEN to_base64(TRY_CAST(x AS BLOB)) "
    "ELSE to_base64(encode(CAST(x AS VARCHAR))) END",
    "CREATE MACRO spark_substring_index(x, d, n) AS CASE WHEN n = 0 OR d = '' THEN '' WHEN n > 0 "
    "THEN array_to_string(string_split(x, d)[1:n], d) "
    "ELSE array_to_string(string_split(x, d)[greatest(len(string_split(x, d)) + n + 1, 1):], d) END",
    # Text that is no JSON has no fields; a field that is a text comes without its quotes.
    f"CREATE MACRO spark_json_key(x, k) AS CASE WHEN json_valid(x) THEN {_FIELD.format('k')} END",
    "CREATE MACRO spark_json_any_case_key(x, k) AS CASE WHEN json_valid(x) THEN "
    + _FIELD.format("coalesce(list_filter(try(json_keys(x)), lambda f: lower(f) = lower(k))[1], k)")
    + " END",
    "CREATE MACRO spark_json_element(x, i) AS CASE WHEN json_valid(x) THEN json_extract(x, '$[' || i || ']') END",
    "CREATE MACRO spark_json_text(x) AS json_extract_string(x, '$')",
    # Fields that are NULL are left out, as Spark does; moments are written in another form there.
    "CREATE MACRO spark_to_json(x) AS CASE "
    "WHEN typeof(x) LIKE '%TIMESTAMP%' OR typeof(x) LIKE '%BLOB%' "
    "OR (typeof(x) LIKE '%STRUCT(%)[]%' AND CAST(to_json(x) AS VARCHAR) LIKE '%:null%') "
    "THEN error('[UNSUPPORTED_FEATURE] the embedded workspace does not carry out to_json() of timestamps, of binaries, "
    "and of NULL fields in arrays of structs.') "
    "WHEN typeof(x) LIKE 'STRUCT%' THEN CAST(json_merge_patch('{}', to_json(x)) AS VARCHAR) "
    "ELSE CAST(to_json(x) AS VARCHAR) END",
)
