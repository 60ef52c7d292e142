"""How well a model predicts, in each group: the metrics of the `:table` rows of an inference log.

Source: "Data profiling metric tables" (classification and regression metrics, the form of their structs) and "Monitor
fairness and bias for classification models". Rows without prediction or label are left out. Assumptions: classes are
those of labels and predictions together, a class that was never predicted has precision 0 (as scikit-learn has it), and
a fairness metric is the group's value against that of the other value of the same Boolean slice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from workspace.monitors.groups import Groups, Key
from workspace.monitors.measures import Cells
from workspace.monitors.statistics import Floats, Ints

FAIRNESS = ("predictive_parity", "predictive_equality", "equal_opportunity", "statistical_parity")
_OTHER = {"true": "false", "false": "true"}


@dataclass(frozen=True)
class _Confusion:
    """Counts by label (rows) and prediction (columns) of one group, and what follows from them class by class."""

    counts: Ints

    @property
    def right(self) -> Floats:
        return np.diagonal(self.counts).astype(np.float64)

    @property
    def predicted(self) -> Floats:
        return np.asarray(self.counts.sum(axis=0), dtype=np.float64)

    @property
    def labelled(self) -> Floats:
        return np.asarray(self.counts.sum(axis=1), dtype=np.float64)

    @property
    def precision(self) -> Floats:
        return _share(self.right, self.predicted)

    @property
    def recall(self) -> Floats:
        return _share(self.right, self.labelled)

    @property
    def f1_score(self) -> Floats:
        return _share(2 * self.right, self.predicted + self.labelled)

    @property
    def false_positive_rate(self) -> Floats:
        return _share(self.predicted - self.right, self.counts.sum() - self.labelled)

    @property
    def share_of_predictions(self) -> Floats:
        return self.predicted / float(self.counts.sum())


class Classification:
    """Predictions and labels of a frame as classes."""

    def __init__(self, predictions: pa.ChunkedArray, labels: pa.ChunkedArray) -> None:
        texts = [_texts(values) for values in _alike(predictions, labels)]
        every = pa.chunked_array([chunk for text in texts for chunk in text.chunks], pa.string())
        self.classes: list[str] = sorted(pc.drop_null(pc.unique(every)).to_pylist())
        known = pa.array(self.classes, pa.string())
        codes = [pc.index_in(text, known).fill_null(-1).to_numpy().astype(np.int64) for text in texts]
        self._usable = (codes[0] >= 0) & (codes[1] >= 0)
        self._pairs = codes[1] * max(len(self.classes), 1) + codes[0]

    def within(self, groups: Groups) -> ClassificationQuality:
        inside = self._usable & (groups.codes >= 0)
        return ClassificationQuality(self.classes, groups, groups.codes[inside], self._pairs[inside])


class ClassificationQuality:
    """Confusion matrices by group."""

    def __init__(self, classes: list[str], groups: Groups, owners: Ints, pairs: Ints) -> None:
        self._classes = classes
        self._groups = groups
        self._width = max(len(classes), 1)
        square = self._width * self._width
        present, self._present = np.unique(owners * square + pairs, return_counts=True)
        found, self._pairs = np.divmod(present, square)
        self._bounds = np.searchsorted(found, np.arange(len(groups.keys) + 1))

    def cells(self, index: int) -> Cells:
        confusion = self._confusion(index)
        if confusion is None:
            return {}
        total = confusion.counts.sum()
        classes = self._named(confusion)
        part = slice(self._bounds[index], self._bounds[index + 1])
        matrix = [
            {
                "prediction": self._classes[pair % self._width],
                "label": self._classes[pair // self._width],
                "count": count,
            }
            for pair, count in zip(self._pairs[part].tolist(), self._present[part].tolist(), strict=True)
        ]
        return {
            "accuracy_score": float(confusion.right.sum() / total),
            "confusion_matrix": matrix,
            "precision": _averaged(classes, confusion, confusion.precision),
            "recall": _averaged(classes, confusion, confusion.recall),
            "f1_score": _averaged(classes, confusion, confusion.f1_score),
            **self._fairness(index, confusion),
        }

    def _fairness(self, index: int, here: _Confusion) -> Cells:
        """Against the group with the other value of the same Boolean slice, where there is one."""
        key = self._groups.keys[index]
        other = _OTHER.get(key.slice_value or "")
        if key.slice_key is None or other is None:
            return {}
        position = self._groups.position.get(Key(key.window, key.model, key.slice_key, other))
        there = None if position is None else self._confusion(position)
        if there is None:
            return {}
        pairs = {
            "predictive_parity": (here.precision, there.precision),
            "predictive_equality": (here.false_positive_rate, there.false_positive_rate),
            "equal_opportunity": (here.recall, there.recall),
            "statistical_parity": (here.share_of_predictions, there.share_of_predictions),
        }
        classes = [name for name in self._classes if self._seen(name, here) or self._seen(name, there)]
        cells: Cells = {}
        for name, (mine, theirs) in pairs.items():
            at = [self._classes.index(one) for one in classes]
            with np.errstate(divide="ignore", invalid="ignore"):
                ratios = mine / theirs
            cells[name] = {
                "difference": [(self._classes[i], float(mine[i] - theirs[i])) for i in at],
                "ratio": [(self._classes[i], float(ratios[i]) if theirs[i] else None) for i in at],
            }
        return cells

    def _confusion(self, index: int) -> _Confusion | None:
        """None for a group without a single pair of prediction and label."""
        part = slice(self._bounds[index], self._bounds[index + 1])
        if part.start == part.stop:
            return None
        counts = np.zeros(self._width * self._width, np.int64)
        counts[self._pairs[part]] = self._present[part]
        return _Confusion(counts.reshape(self._width, self._width))

    def _named(self, confusion: _Confusion) -> list[tuple[int, str]]:
        """The classes that the group has."""
        return [(number, name) for number, name in enumerate(self._classes) if self._seen(name, confusion)]

    def _seen(self, name: str, confusion: _Confusion) -> bool:
        number = self._classes.index(name)
        return bool(confusion.predicted[number] or confusion.labelled[number])


class Regression:
    """Errors of the predictions of a frame."""

    def __init__(self, predictions: pa.ChunkedArray, labels: pa.ChunkedArray) -> None:
        predicted, label = _numbers(predictions), _numbers(labels)
        self._usable: npt.NDArray[np.bool_] = ~(np.isnan(predicted) | np.isnan(label))
        self._label = np.where(self._usable, label, 0.0)
        self._error = np.where(self._usable, predicted - label, 0.0)

    def within(self, groups: Groups) -> RegressionQuality:
        counts = groups.counts(self._usable)
        with np.errstate(divide="ignore", invalid="ignore"):
            means = groups.sums(self._label) / counts
            share = np.where(self._usable, np.abs(self._error) / np.abs(self._label), 0.0)
        spread = np.where(self._usable, self._label - groups.of_rows(means), 0.0)
        return RegressionQuality(
            counts,
            squares=groups.sums(self._error**2),
            sizes=groups.sums(np.abs(self._error)),
            shares=groups.sums(share),
            spread=groups.sums(spread**2),
        )


@dataclass(frozen=True)
class RegressionQuality:
    """Sums by group."""

    counts: Ints
    squares: Floats
    sizes: Floats
    shares: Floats
    spread: Floats

    def cells(self, index: int) -> Cells:
        count = int(self.counts[index])
        if not count:
            return {}
        squared = float(self.squares[index] / count)
        share = float(self.shares[index] / count)
        spread = float(self.spread[index])
        return {
            "mean_squared_error": squared,
            "root_mean_squared_error": squared**0.5,
            "mean_average_error": float(self.sizes[index] / count),
            # A label of 0 makes a share of nothing.
            "mean_absolute_percentage_error": share if np.isfinite(share) else None,
            "r2_score": 1.0 - float(self.squares[index]) / spread if spread else None,
        }


def _averaged(classes: list[tuple[int, str]], confusion: _Confusion, values: Floats) -> Cells:
    numbers = [number for number, _ in classes]
    weights = confusion.labelled[numbers]
    return {
        "one_vs_all": [(name, float(values[number])) for number, name in classes],
        "macro": float(values[numbers].mean()),
        "weighted": float(np.dot(values[numbers], weights) / weights.sum()),
    }


def _share(part: Floats, whole: Floats) -> Floats:
    """Zero of nothing, as scikit-learn has it."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _alike(predictions: pa.ChunkedArray, labels: pa.ChunkedArray) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Numbers of different types are compared as numbers: 1.0 is a right prediction of 1."""
    kinds = (predictions.type, labels.type)
    if kinds[0] == kinds[1] or not all(_is_number(kind) for kind in kinds):
        return predictions, labels
    whole = all(pa.types.is_integer(kind) for kind in kinds)
    common = pa.int64() if whole else pa.float64()
    return predictions.cast(common), labels.cast(common)


def _texts(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_floating(values.type):
        # As Spark writes a whole double: 1.0.
        texts = [None if value is None else repr(float(value)) for value in values.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.string())])
    return values.cast(pa.string())


def _numbers(values: pa.ChunkedArray) -> Floats:
    return np.asarray(values.cast(pa.float64()).fill_null(float("nan")).to_numpy())


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
