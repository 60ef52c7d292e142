"""What the chatbot asks index and endpoints with, and how it is told: a secret of the stack, in its environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from components import databricks
from components.stack import workspace_host
from examples.rag.config import RagConfig

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

TOKEN_KEY = "token"  # noqa: S105 - the name of a key, not a secret


def chatbot_environment(config: RagConfig) -> dict[str, str]:
    """The environment of the chatbot's served entities; the token is a reference to the secret."""
    retrieval = config.retrieval
    return {
        "DATABRICKS_HOST": workspace_host() or "",
        "DATABRICKS_TOKEN": f"{{{{secrets/{retrieval.secret_scope}/{TOKEN_KEY}}}}}",
        "RAG_INDEX": retrieval.index,
        "RAG_EMBEDDING_MODEL": retrieval.embedding.endpoint,
        "RAG_LLM_ENDPOINT": retrieval.llm.endpoint,
        "RAG_TOP_K": str(retrieval.top_k),
    }


def make_credentials(config: RagConfig, client: WorkspaceClient) -> list[pulumi.Resource]:
    """The scope, the token in it, and the serving principal's right to read it: what the endpoint waits for.

    Raises:
        pulumi.RunError: there is no token.
    """
    scope = databricks.SecretScope("rag", name=config.retrieval.secret_scope)
    token = databricks.Secret(
        "rag-token",
        scope=scope.name,
        key=TOKEN_KEY,
        string_value=_token(config, client),
        opts=pulumi.ResourceOptions(delete_before_replace=True),
    )
    reader = databricks.SecretAcl(
        "rag-reader",
        scope=scope.name,
        principal=config.serving_principal,
        permission="READ",
        opts=pulumi.ResourceOptions(delete_before_replace=True),
    )
    return [token, reader]


def _token(config: RagConfig, client: WorkspaceClient) -> pulumi.Output[str]:
    """What the chatbot asks the workspace with: the stack's secret `servingToken`.

    Where the stack can only reach this machine, the token of whoever deploys will do. A deployer's token in prod would
    give the chatbot all the rights that its deployer has.

    Raises:
        pulumi.RunError: there is none.
    """
    stated = pulumi.Config().get_secret("servingToken")
    if stated is not None:
        return stated
    at_hand = client.config.token if config.defaults.loopback_only else None
    if at_hand is None:
        raise pulumi.RunError(
            f"servingToken is not set: `pulumi config set --secret {pulumi.get_project()}:servingToken <token of "
            f"{config.serving_principal}> -s {pulumi.get_stack()}`. The chatbot asks index and endpoints with it"
        )
    return pulumi.Output.secret(at_hand)
