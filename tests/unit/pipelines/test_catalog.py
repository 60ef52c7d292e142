"""A table that an older pipeline left is told from the declared one, column by column."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import ColumnInfo, TableInfo

from pipelines.catalog import declared_table
from pipelines.errors import PipelineError

COLUMNS = {"PassengerId": "bigint", "Age": "double"}


def workspace_with(columns: dict[str, str]) -> WorkspaceClient:
    """Stands in for a workspace with one table."""
    listed = [ColumnInfo(name=name, type_text=kind) for name, kind in columns.items()]
    tables = SimpleNamespace(get=lambda _: TableInfo(table_id="the-id", columns=listed))
    return cast("WorkspaceClient", SimpleNamespace(tables=tables))


@pytest.mark.parametrize("there", [COLUMNS, {"age": "DOUBLE", "passengerid": "BIGINT"}])
def test_order_and_case_make_no_difference(there: dict[str, str]) -> None:
    assert declared_table(workspace_with(there), "c.s.t", COLUMNS).table_id == "the-id"


@pytest.mark.parametrize(
    ("there", "says"),
    [
        ({"PassengerId": "bigint"}, "expected Age double; found nothing in its place"),
        ({**COLUMNS, "Deck": "string"}, "expected nothing more; found Deck string"),
        (
            {"PassengerId": "int", "Fare": "double"},
            "expected PassengerId bigint, Age double; found PassengerId int, Fare",
        ),
    ],
)
def test_every_difference_is_named_with_the_way_out(there: dict[str, str], says: str) -> None:
    with pytest.raises(PipelineError, match=says) as refused:
        declared_table(workspace_with(there), "c.s.t", COLUMNS)
    assert "Drop it (DROP TABLE c.s.t) and run again" in str(refused.value)
