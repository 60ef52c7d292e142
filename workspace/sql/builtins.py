"""The names of the functions that are carried out, and how many arguments each takes on Databricks.

sqlglot reads names of other databases too, and drops arguments that it has no place for; a statement that works here
must work there. Source: https://docs.databricks.com/sql/language-manual/sql-ref-functions-builtin-alpha.html
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import Token, TokenType
from sqlglot.dialects import Databricks

from workspace.sql.errors import SqlError, unsupported
from workspace.sql.library import MORE_ARGUMENTS

MANY = 10_000

_NAMES: dict[tuple[int, int], str] = {
    (0, 0): """
        cume_dist curdate current_catalog current_database current_date current_schema current_timestamp
        current_user dense_rank now percent_rank pi rand random rank row_number uuid
    """,
    (0, 2): "unix_timestamp",
    (0, MANY): "array coalesce concat count map named_struct struct",
    (1, 1): """
        abs acos any_value approx_count_distinct array_agg array_compact array_distinct array_max
        array_min array_size asin atan avg bigint bool_and bool_or boolean cardinality cast cbrt ceil
        ceiling char_length character_length collect_list collect_set cos cosh count_if date
        date_from_unix_date day dayofmonth dayofweek dayofyear degrees double every exists exp explode
        extract flatten float floor from_json hour int isnan isnotnull isnull last_day lcase len length ln
        log10 log1p log2 lower map_keys map_values max md5 mean median min minute month ntile posexplode
        position quarter radians reverse second sha sha1 sign signum sin sinh size smallint sqrt std
        stddev stddev_pop stddev_samp string sum tan tanh timestamp timestamp_micros timestamp_millis
        timestamp_seconds tinyint try_cast ucase unix_date unix_micros unix_millis unix_seconds upper
        var_pop var_samp variance weekday weekofyear year
    """,
    (1, 2): """
        any first first_value from_unixtime last last_value log ltrim mode round rtrim to_date
        to_timestamp to_unix_timestamp trim
    """,
    (1, 3): "lag lead",
    (1, MANY): "concat_ws",
    (2, 2): """
        add_months array_contains array_position array_union arrays_overlap atan2 contains corr covar_pop
        covar_samp date_format date_sub date_trunc div element_at endswith equal_null filter
        get_json_object ifnull ilike instr left like map_contains_key max_by min_by mod nth_value nullif
        nvl percentile pmod pow power regexp_like repeat right rlike sha2 startswith transform trunc
        try_divide try_element_at
    """,
    (2, 3): """
        approx_percentile array_join charindex date_add date_diff dateadd datediff if iff locate lpad
        percentile_approx percentile_cont regexp_extract replace rpad sequence split substr substring
    """,
    (2, MANY): "greatest least",
    (2, 4): "regexp_replace",
    (3, 3): "make_date nvl2 split_part timestampadd timestampdiff translate",
    (6, 6): "make_timestamp",
}
ARGUMENTS = {
    name: limits for table in (_NAMES, MORE_ARGUMENTS) for limits, names in table.items() for name in names.split()
}
# Written with WITHIN GROUP it takes one.
ARGUMENTS["percentile_cont"] = (1, 1)
ARGUMENTS["percentile_disc"] = (1, 1)
ARGUMENTS["from_json"] = (2, 3)
ARGUMENTS["exists"] = (2, 2)
_READ_BY_SQLGLOT = {name.lower() for name in (*Databricks.Parser.FUNCTIONS, *Databricks.Parser.FUNCTION_PARSERS)}
# Words before a parenthesis that holds no arguments, and words after which a name is one of a table or an alias.
_NO_CALLS = frozenset(
    {"all", "and", "any", "columns", "exists", "pivot", "unpivot", "in", "insert", "or", "some", "values", "xor"}
)
_BEFORE_NAMES = frozenset({"into", "table", "as", "with", ".", "exists", "view"})


def check_calls(words: Sequence[Token]) -> None:
    """Raises SqlError for a call of a function that Databricks does not know, or not with so many arguments."""
    for index, word in enumerate(words[:-1]):
        name = word.text.lower()
        if words[index + 1].token_type != TokenType.L_PAREN or word.token_type in (
            TokenType.STRING,
            TokenType.IDENTIFIER,
        ):
            continue
        if name in _NO_CALLS or name not in _READ_BY_SQLGLOT:
            continue
        if index and words[index - 1].text.lower() in _BEFORE_NAMES:
            continue
        if name == "filter" and words[index + 2].text.lower() == "where":
            continue
        if name not in ARGUMENTS:
            raise unsupported(f"function {name}()")
        least, most = ARGUMENTS[name]
        given = _arguments(words, index + 1)
        if not least <= given <= most:
            expected = str(least) if least == most else f"{least} to {most}"
            raise SqlError(
                "WRONG_NUM_ARGS.WITHOUT_SUGGESTION",
                f"The `{name}` requires {expected} parameters but the actual number is {given}.",
                sql_state="42605",
            )


def _arguments(words: Sequence[Token], opening: int) -> int:
    """How many arguments stand between the parenthesis at `opening` and its partner."""
    depth, commas = 0, 0
    for index in range(opening, len(words)):
        kind = words[index].token_type
        if kind in (TokenType.L_PAREN, TokenType.L_BRACKET):
            depth += 1
        elif kind in (TokenType.R_PAREN, TokenType.R_BRACKET):
            depth -= 1
            if depth == 0:
                return 0 if index == opening + 1 else commas + 1
        elif kind == TokenType.COMMA and depth == 1:
            commas += 1
    return commas + 1
