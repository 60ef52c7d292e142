"""Names: what is accepted survives unchanged, what Databricks refuses is refused here with the fix."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.names import (
    MAX_ONLINE_BYTES,
    InvalidNameError,
    ThreePartName,
    check_alias,
    check_endpoint_name,
    check_online_table,
    check_served_entity_name,
    check_store_name,
    check_version,
    quote_identifier,
)

identifiers = st.text(
    st.characters(min_codepoint=0x21, exclude_characters="/.`\x7f", exclude_categories=["Cs"]),
    min_size=1,
    max_size=255,
)
serving_names = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=80)


@given(identifiers, identifiers, identifiers)
def test_a_three_part_name_survives_parsing(catalog: str, schema: str, name: str) -> None:
    parsed = ThreePartName.parse(f"{catalog}.{schema}.{name}")
    assert (parsed.catalog, parsed.schema, parsed.name) == (catalog, schema, name)
    assert ThreePartName.parse(str(parsed)) == parsed


@given(st.lists(identifiers, max_size=6).filter(lambda parts: len(parts) != 3))
def test_only_three_parts_make_a_name(parts: list[str]) -> None:
    with pytest.raises(InvalidNameError, match="instead of three"):
        ThreePartName.parse(".".join(parts))


@pytest.mark.parametrize(
    "text", ["a..c", ".b.c", "a.b.", "a b.c.d", "a.b/x.c", "a.b\n.c", "a.b.c\x7f", "`a`.`b`.`c`", f"a.b.{'x' * 256}"]
)
def test_a_part_that_is_no_identifier_is_refused(text: str) -> None:
    with pytest.raises(InvalidNameError) as caught:
        ThreePartName.parse(text, what="source_table")
    assert caught.value.what == "source_table"
    assert repr(text) in str(caught.value)


def test_something_else_than_a_text_is_refused() -> None:
    with pytest.raises(InvalidNameError, match="not a text"):
        ThreePartName.parse(None)  # type: ignore[arg-type]  # what an untyped caller may hand over


def test_cases_do_not_make_another_object() -> None:
    assert ThreePartName.parse("Main.ML.Trips").same_as(ThreePartName.parse("main.ml.trips"))
    assert not ThreePartName.parse("main.ml.trips").same_as(ThreePartName.parse("main.ml.trip"))


@given(st.text(max_size=30))
def test_a_quoted_identifier_cannot_end_its_quotes(identifier: str) -> None:
    quoted = quote_identifier(identifier)
    assert re.fullmatch(r"`(?:[^`]|``)*`", quoted, re.DOTALL)
    assert quoted[1:-1].replace("``", "`") == identifier


def test_sql_quotes_every_part() -> None:
    assert ThreePartName.parse("main.ml-prod.trips").sql == "`main`.`ml-prod`.`trips`"


@given(
    st.from_regex(r"[a-z0-9_-]{1,40}", fullmatch=True).filter(
        lambda text: text != "latest" and not re.fullmatch(r"v\d+", text)
    )
)
def test_lower_case_words_are_aliases(alias: str) -> None:
    assert check_alias(alias) == alias


@pytest.mark.parametrize(
    ("alias", "why"),
    [
        ("", "empty"),
        (None, "empty"),
        ("latest", "reserved"),
        ("Latest", "reserved"),
        ("v1", "version number"),
        ("V12", "version number"),
        ("v\u0661", "version number"),
        ("Champion", "write 'champion'"),
        ("my alias", "characters"),
        ("a.b", "characters"),
        ("champión", "characters"),
        ("champion\n", "characters"),
        ("x" * 256, "256 characters"),
    ],
)
def test_what_the_registry_refuses_is_no_alias(alias: str, why: str) -> None:
    with pytest.raises(InvalidNameError, match=why):
        check_alias(alias)


@given(st.integers(min_value=1))
def test_every_whole_number_from_one_is_a_version(number: int) -> None:
    assert check_version(number) == str(number) == check_version(str(number))


@pytest.mark.parametrize(
    "version", ["", "0", 0, -3, "-3", "015", "1.0", 1.0, True, None, "champion", "v3", " 3", "3\n", "\u0663"]
)
def test_anything_else_is_no_version(version: str) -> None:
    with pytest.raises(InvalidNameError) as caught:
        check_version(version)
    assert repr(version) in str(caught.value)


@given(serving_names)
def test_letters_digits_dash_and_underscore_name_endpoints_and_entities(name: str) -> None:
    assert check_endpoint_name(name) == name == check_served_entity_name(name)


@pytest.mark.parametrize("name", ["", None, "taxi fare", "taxi.fare", "a/b", "é", "ends\n"])
def test_other_names_are_refused_and_say_which_kind(name: str) -> None:
    with pytest.raises(InvalidNameError, match="endpoint name"):
        check_endpoint_name(name)
    with pytest.raises(InvalidNameError, match="served entity name"):
        check_served_entity_name(name)


@given(st.integers(min_value=1, max_value=80), st.sampled_from(["catalog", "schema", "name"]), st.sampled_from("aé"))
def test_a_copy_has_the_bytes_that_postgres_takes_and_no_more(length: int, position: str, letter: str) -> None:
    parts = {"catalog": "c", "schema": "s", "name": "t", position: letter * length}
    text = ".".join(parts.values())
    if len((letter * length).encode()) <= MAX_ONLINE_BYTES:
        assert check_online_table(text) == text
    else:
        with pytest.raises(InvalidNameError, match=f"has a {position} of .* bytes, and Postgres takes 63"):
            check_online_table(text)


@pytest.mark.parametrize("name", ["s", "taxi-online-prod", "S" * 63])
def test_the_name_of_an_online_store_is_taken(name: str) -> None:
    assert check_store_name(name) == name


@pytest.mark.parametrize("name", ["", "1store", "taxi_online", "taxi online", "-s", "s" * 64, "sté"])
def test_what_is_no_name_of_an_online_store_is_refused_with_the_rule(name: str) -> None:
    with pytest.raises(InvalidNameError, match="letters, digits and hyphens, a letter first, at most 63"):
        check_store_name(name)
