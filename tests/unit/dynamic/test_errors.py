"""Answers in words: each kind is told apart, and only "not there" is absence."""

from __future__ import annotations

import pytest

from components.dynamic.client import workspace_client
from components.dynamic.errors import AbsentError, ProviderError, WorkspaceError, asking
from tests.support.rest_stub import TOKEN, RestStub


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "RESOURCE_DOES_NOT_EXIST", "absent"),
        (404, "TABLE_DOES_NOT_EXIST", "absent"),
        (404, "", "absent"),
        (404, "ENDPOINT_NOT_FOUND", "unavailable"),
        (403, "PERMISSION_DENIED", "denied"),
        (401, "UNAUTHENTICATED", "unauthenticated"),
        (400, "INVALID_PARAMETER_VALUE", "refused"),
        (409, "ALREADY_EXISTS", "conflict"),
        (500, "INTERNAL_ERROR", "unavailable"),
        (501, "NOT_IMPLEMENTED", "unavailable"),
        (504, "", "unavailable"),
    ],
)
def test_every_status_has_its_kind(stub: RestStub, status: int, code: str, kind: str) -> None:
    made = workspace_client({"databricks:host": stub.host, "databricks:token": TOKEN})
    stub.fail("GET", "/tables/", status, "the service's own words", code=code)
    with pytest.raises(WorkspaceError) as caught, asking("reading table a.b.c"):
        made.tables.get("a.b.c")
    assert caught.value.kind == kind
    assert isinstance(caught.value, AbsentError) is (kind == "absent")
    first = str(caught.value).splitlines()[0]
    assert first.startswith("reading table a.b.c: ")
    assert "the service's own words" in first
    assert "Config: host" not in str(caught.value)


def test_a_page_of_a_proxy_is_no_absence(stub: RestStub, monkeypatch: pytest.MonkeyPatch) -> None:
    made = workspace_client({"databricks:host": stub.host, "databricks:token": TOKEN})
    for status in (404, 200):
        monkeypatch.setattr(stub, "handle", lambda _, status=status: (status, "<html>blocked</html>"))
        with pytest.raises(WorkspaceError) as caught, asking("reading table a.b.c"):
            made.tables.get("a.b.c")
        assert caught.value.kind == "unavailable"


def test_a_connection_that_keeps_breaking_is_no_absence(stub: RestStub) -> None:
    made = workspace_client({"databricks:host": stub.host, "databricks:token": TOKEN})
    made.api_client._api_client._retry_timeout_seconds = 1
    stub.fail("GET", "/tables/", None, count=99)
    with pytest.raises(WorkspaceError) as caught, asking("reading table a.b.c"):
        made.tables.get("a.b.c")
    assert caught.value.kind == "unavailable"


def test_the_first_line_holds_what_matters_and_the_rest_is_indented() -> None:
    error = ProviderError("what failed", "detail one\ndetail two", "what to do")
    assert str(error).splitlines() == ["what failed", "  detail one", "  detail two", "  what to do"]


def test_other_errors_pass_unchanged() -> None:
    with pytest.raises(KeyError), asking("anything"):
        raise KeyError("x")
