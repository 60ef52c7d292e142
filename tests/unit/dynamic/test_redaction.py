"""No secret leaves in any form it travels in, and ordinary text is left alone."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.dynamic.redaction import MASK, Redactor

SECRET = "hunter2/with+signs="
secrets = st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs"]), min_size=6, max_size=40)


@given(secrets, st.text(max_size=20), st.text(max_size=20))
def test_a_known_secret_is_gone_from_any_text(secret: str, before: str, after: str) -> None:
    assert secret not in Redactor([secret])(before + secret + after).replace(MASK, "")


@pytest.mark.parametrize("form", [SECRET, quote(SECRET, safe=""), base64.b64encode(SECRET.encode()).decode()])
def test_a_known_secret_is_gone_in_every_form(form: str) -> None:
    assert Redactor([SECRET])(f"sent {form} along") == f"sent {MASK} along"


def test_a_secret_within_another_goes_as_a_whole() -> None:
    assert Redactor(["inside", "around-inside-around"])("x around-inside-around y") == f"x {MASK} y"


@pytest.mark.parametrize(
    "text",
    [
        "dapi0123456789abcdef0123456789abcdef",
        "dapi0123456789abcdef0123456789abcdef-2",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl",
        "Authorization: Bearer abcdefghijkl",
        "basic dXNlcjpwYXNzd29yZA==",
        "password=opensesame",
        '"client_secret": "open sesame"',
        "api-key: opensesame",
        "DATABRICKS_TOKEN=opensesame",
    ],
)
def test_what_looks_like_a_credential_is_gone(text: str) -> None:
    redacted = Redactor()(f"before {text} after")
    assert MASK in redacted
    for part in ("0123456789abcdef", "eyJzdWIi", "abcdefghijkl", "dXNlcjpw", "sesame"):
        assert part not in redacted
    assert redacted.startswith("before ")
    assert redacted.endswith(" after")


@pytest.mark.parametrize(
    "text",
    [
        "status 500, expected 200",
        "main.ml.trips has no PRIMARY KEY",
        "check DATABRICKS_TOKEN, or databricks:token in the stack file",
        "sha256:49e5e213ee64c46f3ed823af526a312fa91fc2ba8a6f08b681dda65a6ec9124e",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert Redactor(["abc"])(text) == text


def test_sources_are_searched_by_the_names_of_their_keys() -> None:
    redact = Redactor.of(
        {"databricks:token": "first-secret", "databricks:host": "https://host.example"},
        {"MY_PASSWORD": "second-secret"},
    )
    assert redact("first-secret second-secret https://host.example") == f"{MASK} {MASK} https://host.example"
    assert "first" not in repr(redact)
