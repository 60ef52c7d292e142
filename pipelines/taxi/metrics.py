"""How wrong predicted fares are, in dollars."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class FareError(NamedTuple):
    """Mean absolute and root mean square error, in dollars."""

    mae: float
    rmse: float

    def __str__(self) -> str:
        return f"MAE ${self.mae:.3f}, RMSE ${self.rmse:.3f}"


def fare_error(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> FareError:
    """The error of `predicted` fares against `actual` ones, row by row."""
    difference = np.asarray(predicted, dtype=float) - np.asarray(actual, dtype=float)
    return FareError(mae=float(np.abs(difference).mean()), rmse=float(np.sqrt((difference**2).mean())))
