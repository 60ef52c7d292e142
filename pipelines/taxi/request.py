"""What one run of the pipeline is asked for."""

from dataclasses import dataclass, field
from pathlib import Path

from pipelines.taxi.parameters import Parameters


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to make, and where.

    `data` is a folder with `taxis.csv`; without it, the workspace's sample table or generated trips.
    """

    catalog: str
    schema: str
    data: Path | None = None
    sample_seed: int = 7
    warehouse_id: str | None = None
    experiment: str | None = None
    force: bool = False
    parameters: Parameters = field(default_factory=Parameters)

    @property
    def full_schema(self) -> str:
        return f"{self.catalog}.{self.schema}"

    @property
    def model(self) -> str:
        return f"{self.full_schema}.taxi_fare_regressor"
