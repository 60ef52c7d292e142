"""What is asked at preview of the table that is watched and of its baseline."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from databricks.sdk.errors import NotFound, PermissionDenied
from databricks.sdk.service.catalog import ColumnInfo, TableInfo

from components.monitored_table import MonitoredTableError, baseline_there, check_columns
from components.unpack import UnpackedSchema

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

TABLE = "main.taxi.fares_unpacked"
SCHEMA = UnpackedSchema(record_columns={"zip": "int", "miles": "double"}, prediction_type="double")


def workspace(found: TableInfo | Exception) -> WorkspaceClient:
    """One whose every table is that, or cannot be read."""

    def get(_: str) -> TableInfo:
        if isinstance(found, Exception):
            raise found
        return found

    return cast("WorkspaceClient", SimpleNamespace(tables=SimpleNamespace(get=get)))


def table_of(**columns: str) -> TableInfo:
    return TableInfo(columns=[ColumnInfo(name=name, type_text=kind) for name, kind in columns.items()])


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", said.append)
    return said


def test_columns_of_another_type_are_refused_all_at_once_with_both_types() -> None:
    check_columns(TABLE, SCHEMA, workspace(table_of(zip="integer", MILES="double")))
    check_columns(TABLE, SCHEMA, workspace(NotFound("no such table")))
    with pytest.raises(MonitoredTableError, match="zip is string and should be int; miles is int and should be double"):
        check_columns(TABLE, SCHEMA, workspace(table_of(zip="string", miles="int")))


def test_a_baseline_that_is_there_is_the_monitors(warnings: list[str]) -> None:
    assert baseline_there("main.taxi.base", workspace(table_of(zip="int"))) == "main.taxi.base"
    assert baseline_there(None, workspace(AssertionError("asked"))) is None
    assert warnings == []


def test_a_baseline_that_is_not_there_yet_is_left_out_and_named(warnings: list[str]) -> None:
    assert baseline_there("main.taxi.base", workspace(NotFound("no such table"))) is None
    (warning,) = warnings
    assert "monitor.baselineTable: main.taxi.base is not there yet" in warning


def test_a_baseline_that_cannot_be_read_is_not_one_that_is_missing(warnings: list[str]) -> None:
    with pytest.raises(MonitoredTableError, match=r"reading baseline table main\.taxi\.base"):
        baseline_there("main.taxi.base", workspace(PermissionDenied("no SELECT")))
    assert warnings == []
