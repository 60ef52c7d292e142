"""How good fares are, in the words of those who pay and drive, beside the usual errors."""

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from pipelines.taxi.metrics import fare_error


@dataclass(frozen=True, kw_only=True)
class FareQuality:
    """Measures over trips that the model has not seen."""

    mae: float
    """Mean absolute error, dollars."""
    rmse: float
    """Root mean square error, dollars."""
    within_fifth: float
    """Share of trips whose predicted fare is within 20 % of the real one."""
    mean_overcharge: float
    """Mean of what riders would have been told too much, dollars; trips that were told too little count as 0."""

    def metrics(self, prefix: str) -> dict[str, float]:
        """By the names of MLflow metrics: `<prefix>_mae` and so on."""
        return {f"{prefix}_{name}": value for name, value in asdict(self).items()}

    def __str__(self) -> str:
        return f"MAE ${self.mae:.3f}, RMSE ${self.rmse:.3f}, {self.within_fifth:.0%} within a fifth of the fare"


def fare_quality(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> FareQuality:
    """Measures of `predicted` fares against `actual` ones, row by row, in dollars."""
    real, told = np.asarray(actual, dtype=float), np.asarray(predicted, dtype=float)
    error = fare_error(real, told)
    return FareQuality(
        mae=error.mae,
        rmse=error.rmse,
        within_fifth=float((np.abs(told - real) <= 0.2 * np.abs(real)).mean()),
        mean_overcharge=float(np.clip(told - real, 0, None).mean()),
    )
