"""The schema of this project's stack files: what all serving stacks have, and what stands behind the chatbot."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field, field_validator

from components.config import NEWEST, InferenceTableConfig, ServingConfig
from components.config.fields import Filled, Section, Version
from components.config.rules import rule
from components.names import ThreePartName, check_endpoint_name
from components.served_entity import WorkloadSize


class BehindConfig(Section):
    """An endpoint that the chatbot asks: one that is there already, or one of this stack's own."""

    endpoint: str = Field(description="Its name.")
    model: str | None = Field(
        default=None,
        description="Registered model that this stack serves there; the endpoint is there already when left out.",
    )
    version: Version = Field(default=NEWEST, description="Of the model; empty for the newest READY one (not in prod).")
    workload_size: WorkloadSize = "Small"
    inference_table: InferenceTableConfig | None = Field(default=None, description="Of an endpoint of this stack.")
    payload_table: str | None = Field(
        default=None, description="Three-part name of the inference table of an endpoint that is there already."
    )

    @field_validator("endpoint")
    @classmethod
    def _name(cls, value: str) -> str:
        return check_endpoint_name(value)

    @field_validator("model", "payload_table")
    @classmethod
    def _three_parts(cls, value: str | None) -> str | None:
        return None if value is None else str(ThreePartName.parse(value))

    @rule()
    def _one_kind(self) -> None:
        if self.model is None and (self.version != NEWEST or self.inference_table is not None):
            raise ValueError(
                "has a version or an inferenceTable without a model, for an endpoint that this stack does not make; "
                "add model, or remove them (payloadTable names the table that such an endpoint writes)"
            )
        if self.model is not None and self.payload_table is not None:
            raise ValueError("has model and payloadTable; this stack's own endpoint has an inferenceTable instead")


class ManagedIndexConfig(Section):
    """The index as a resource of this stack; the pipeline then fills its source table and syncs it (`--no-index`)."""

    endpoint: Filled = Field(default="rag-search", description="Vector search endpoint, which this stack makes too.")
    source_table: str = Field(description="Three-part name of the table of chunks, with its change data feed on.")
    primary_key: Filled = "chunk_id"
    vector_column: Filled = "embedding"
    dimension: int = Field(ge=1, description="Numbers in a vector; another model's vectors are another index.")
    continuous: bool = Field(default=False, description="Follow the table all the time, not when the pipeline says so.")

    @field_validator("source_table")
    @classmethod
    def _three_parts(cls, value: str) -> str:
        return str(ThreePartName.parse(value))


class RetrievalConfig(Section):
    """Where the chatbot finds its passages, and who turns them into answers."""

    index: str = Field(
        description="Vector search index, `catalog.schema.index`; the pipeline makes it, unless managedIndex is there."
    )
    managed_index: ManagedIndexConfig | None = Field(default=None, description="Make the index with this stack.")
    top_k: int = Field(default=5, ge=1, description="Passages for an answer.")
    embedding: BehindConfig = Field(description="The endpoint that the index was embedded with.")
    llm: BehindConfig = Field(description="The chat endpoint that answers.")
    secret_scope: Filled = Field(description="Scope for the token that the chatbot asks with. This stack makes it.")
    max_tokens: int | None = Field(
        default=None, ge=0, description="Alert: tokens of the language model in the window of the other alerts."
    )

    @field_validator("index")
    @classmethod
    def _three_parts(cls, value: str) -> str:
        return str(ThreePartName.parse(value))


class RagConfig(ServingConfig):
    """A stack file of this project."""

    retrieval: RetrievalConfig
    assets_dir: str = Field(default="/Workspace/Shared", pattern="^/", description="Folder of query and dashboard.")

    def _problems(self) -> Iterator[str]:
        yield from super()._problems()
        behind = {"embedding": self.retrieval.embedding, "llm": self.retrieval.llm}
        for name, one in behind.items():
            if one.model is not None and one.version == NEWEST and not self.defaults.newest_version_allowed:
                yield f"retrieval.{name}: an empty version is the newest one, which {self.environment} does not allow"
        llm = self.retrieval.llm
        if self.retrieval.max_tokens is not None:
            if llm.payload_table is None and llm.inference_table is None:
                yield (
                    "retrieval.maxTokens: tokens are read from the language model's inference table, and there is "
                    "none; set retrieval.llm.inferenceTable or payloadTable, or remove maxTokens"
                )
            if self.alerts is None:
                yield "retrieval.maxTokens: alerts says who hears of it; add alerts or remove maxTokens"
