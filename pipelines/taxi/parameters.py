"""What can be chosen about a fare model, and the packages it is made with."""

from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

_PACKAGES: Final = ("mlflow", "scikit-learn", "numpy", "pandas", "scipy", "cloudpickle")


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Hyperparameters of the random forest; other values give another version, for instance to split traffic with."""

    seed: int = 7
    n_estimators: int = 100
    min_samples_leaf: int = 5
    max_features: float = 0.6

    def __str__(self) -> str:
        return f"{self.n_estimators} trees, seed {self.seed}"


def packages() -> dict[str, str]:
    """The installed version of every package that the model needs to be loaded again."""
    return {name: version(name) for name in _PACKAGES}
