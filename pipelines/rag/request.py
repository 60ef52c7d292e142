"""What one run of the pipeline is asked for."""

from dataclasses import dataclass
from pathlib import Path

from pipelines.rag.parameters import Parameters


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to make, and where.

    `data` is a folder with documents (*.md); without it, the project's own corpus.
    """

    catalog: str
    schema: str
    parameters: Parameters
    search_endpoint: str
    monitoring_schema: str
    patience_seconds: float
    data: Path | None = None
    warehouse_id: str | None = None
    experiment: str | None = None
    force: bool = False
    makes_index: bool = True
    """Whether the index is made where it is missing; an index of somebody else is only synced."""

    @property
    def full_schema(self) -> str:
        return f"{self.catalog}.{self.schema}"

    @property
    def index(self) -> str:
        return f"{self.full_schema}.rag_chunks_index"

    def model(self, name: str) -> str:
        """The full name of one of the three models."""
        return f"{self.full_schema}.{name}"
