"""What this project refuses at preview: a chatbot whose index or endpoints are not there to be asked.

Only what this stack does not make itself is looked for. Foundation models of the workspace are endpoints like others,
found by the same call (SDK `serving_endpoints.get`); they are retired in time, and a retired one is not there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pulumi

from components.dynamic.errors import AbsentError, ProviderError, asking
from examples.rag.config import RagConfig

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient


class BehindError(pulumi.RunError):
    """Something that the chatbot asks is not there, or could not be looked at. Shown without a traceback."""


def check_behind(config: RagConfig, client: WorkspaceClient) -> None:
    """Every index and endpoint that the chatbot asks is there, or made by this stack.

    Raises:
        BehindError: with everything that is not; or the workspace refused to say (nothing is concluded from that).
    """
    retrieval = config.retrieval
    asked = {"embedding": retrieval.embedding, "llm": retrieval.llm}
    problems = []
    for name in sorted({one.endpoint for one in asked.values() if one.model is None}):
        if not _is_there(f"reading endpoint {name}", client.serving_endpoints.get, name):
            keys = " and ".join(f"retrieval.{key}" for key, one in asked.items() if one.endpoint == name)
            problems.append(
                f"{keys}: endpoint {name} is not in this workspace. Foundation models are retired in time: look up "
                "which there are (`databricks serving-endpoints list`) and name one of them, or give it a `model` "
                "that this stack is to serve there"
            )
    if retrieval.managed_index is None:
        index = retrieval.index
        if not _is_there(f"reading index {index}", client.vector_search_indexes.get_index, index):
            problems.append(
                f"retrieval.index: index {index} is not in this workspace. Make it with `python -m pipelines.rag`, or "
                "have this stack make it (retrieval.managedIndex)"
            )
    if problems:
        raise BehindError("\n".join(problems))


def _is_there(what: str, get: Callable[[str], object], name: str) -> bool:
    """Only "not there" is no. Raises BehindError for anything else that goes wrong."""
    try:
        with asking(what):
            get(name)
    except AbsentError:
        return False
    except ProviderError as error:
        raise BehindError(str(error)) from None
    return True
