"""From the columns of a request and its features to what a forest can split by.

Nothing here is taken from a feature table's own time: the hour is that of the pickup, so that what a model learned in
training means the same when it is asked.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

TIME: Final = "pickup_datetime"
DISTANCE: Final = "trip_distance"
UNKNOWN: Final = "Unknown"


def time_encodings(frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Hour of the day on a circle (23 is next to 0), and whether it is a weekend; of UTC times, naive or aware."""
    moments = pd.DatetimeIndex(pd.to_datetime(frame.iloc[:, 0], utc=True))
    angle = 2 * np.pi * (moments.hour.to_numpy() + moments.minute.to_numpy() / 60) / 24
    return np.column_stack([np.sin(angle), np.cos(angle), (moments.dayofweek.to_numpy() >= 5).astype(float)])


def distances(frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Miles, and their logarithm: a mile more means less on a long trip."""
    miles = frame.iloc[:, 0].to_numpy(dtype=float)
    return np.column_stack([miles, np.log1p(np.clip(miles, 0, None))])


def as_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """A column that a lookup left empty has no type of its own."""
    return frame.astype(float)


def as_texts(frame: pd.DataFrame) -> pd.DataFrame:
    """A place that no feature row is for is an unknown one."""
    return frame.fillna(UNKNOWN).astype(str)


def transformer(numbers: Sequence[str], texts: Sequence[str]) -> ColumnTransformer:
    """The model's first step.

    Args:
        numbers: feature columns that are numbers; a missing one becomes the median of training.
        texts: feature columns that are categories; one that training has not seen is none of them.
    """
    filled = Pipeline([("numbers", FunctionTransformer(as_numbers)), ("filled", SimpleImputer(strategy="median"))])
    encoded = Pipeline(
        [
            ("texts", FunctionTransformer(as_texts)),
            ("encoded", OneHotEncoder(handle_unknown="ignore", sparse_output=False)),
        ]
    )
    return ColumnTransformer(
        [
            ("time", FunctionTransformer(time_encodings), [TIME]),
            ("distance", FunctionTransformer(distances), [DISTANCE]),
            ("numbers", filled, list(numbers)),
            ("places", encoded, list(texts)),
        ]
    )
