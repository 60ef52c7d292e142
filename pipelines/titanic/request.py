"""What one run of the Titanic pipeline is asked for."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to make, and where. `data` is a folder with `titanic.csv`; without it, generated passengers."""

    catalog: str
    schema: str
    data: Path | None = None
    sample_seed: int = 7
    warehouse_id: str | None = None
    experiment: str = "/Shared/passenger_fit_model"
    seed: int = 7

    @property
    def full_schema(self) -> str:
        return f"{self.catalog}.{self.schema}"

    @property
    def model(self) -> str:
        return f"{self.full_schema}.passenger_model"
