"""Usual measures of predictions. What a model is worth to its business is measured by who uses it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, r2_score, root_mean_squared_error


def classification(actual: Iterable[object], predicted: Iterable[object]) -> dict[str, float]:
    """`accuracy` and `f1_macro` of labels, compared as texts."""
    truth, answers = np.asarray(list(actual), dtype=str), np.asarray(list(predicted), dtype=str)
    return {
        "accuracy": float(accuracy_score(truth, answers)),
        "f1_macro": float(f1_score(truth, answers, average="macro")),
    }


def regression(actual: Iterable[float], predicted: Iterable[float]) -> dict[str, float]:
    """`mae`, `rmse` and `r2` of numbers."""
    truth, answers = np.asarray(list(actual), dtype=float), np.asarray(list(predicted), dtype=float)
    return {
        "mae": float(mean_absolute_error(truth, answers)),
        "rmse": float(root_mean_squared_error(truth, answers)),
        "r2": float(r2_score(truth, answers)) if len(truth) > 1 else float("nan"),
    }
