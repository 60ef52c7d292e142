"""What the monitor needs and requests leave out."""

from __future__ import annotations

from components.monitor import FeatureSource
from examples.churn.config import ChurnConfig


def request_features(config: ChurnConfig) -> FeatureSource | None:
    """The monitored features, from the first feature table by its keys; None where the stack file names none."""
    if not config.monitored_features:
        return None
    table = config.feature_tables[0]
    return FeatureSource(
        table=config.qualified(table.source),
        columns=config.monitored_features,
        keys={key: key for key in table.primary_keys},
        time=None if table.timeseries_key is None else (table.timeseries_key, table.timeseries_key),
    )
