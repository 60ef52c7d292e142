"""The chatbot's preview refuses an index or an endpoint that nobody makes, and concludes nothing from a refusal."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound, PermissionDenied

from examples.rag.checks import BehindError, check_behind
from tests.unit.pipelines.test_rag_stack_files import config_of

THERE = {"databricks-bge-large-en", "databricks-meta-llama-3-1-70b-instruct", "main.ml_models.rag_chunks_index"}


def workspace(there: set[str], *, refuses: str = "") -> tuple[WorkspaceClient, list[str]]:
    """A workspace that has so much, and what it was asked for."""
    asked: list[str] = []

    def get(name: str) -> Any:
        asked.append(name)
        if name == refuses:
            raise PermissionDenied(f"no right to see {name}")
        if name not in there:
            raise NotFound(f"{name} does not exist")
        return SimpleNamespace(name=name)

    client = SimpleNamespace(
        serving_endpoints=SimpleNamespace(get=get), vector_search_indexes=SimpleNamespace(get_index=get)
    )
    return cast("WorkspaceClient", client), asked


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_what_the_stack_does_not_make_is_looked_for_and_found(stack: str) -> None:
    client, asked = workspace(THERE)
    check_behind(config_of(stack), client)
    assert set(asked) == THERE


def test_what_the_stack_makes_itself_is_not_looked_for() -> None:
    client, asked = workspace({"main.ml_models.rag_chunks_index"})
    check_behind(config_of("local"), client)
    assert asked == ["main.ml_models.rag_chunks_index"]


def test_everything_that_is_missing_is_named_with_what_to_do() -> None:
    client, _ = workspace({"databricks-bge-large-en"})
    with pytest.raises(BehindError) as refused:
        check_behind(config_of("prod"), client)
    model, index = str(refused.value).splitlines()
    assert model.startswith("retrieval.llm: endpoint databricks-meta-llama-3-1-70b-instruct is not in this workspace")
    assert "databricks serving-endpoints list" in model
    assert index.startswith("retrieval.index: index main.ml_models.rag_chunks_index is not in this workspace")
    assert "python -m pipelines.rag" in index


def test_a_refusal_is_no_absence() -> None:
    client, _ = workspace(THERE, refuses="databricks-bge-large-en")
    with pytest.raises(BehindError, match="permission denied") as refused:
        check_behind(config_of("prod"), client)
    assert "is not in this workspace" not in str(refused.value)
