"""Alerts that would never say anything, because the monitor has nothing to answer them with.

An alert whose query finds no row is UNKNOWN, not wrong: a misspelt column, a window that is not computed or a slice
that is not cut would look like peace for ever. Names of columns are compared without their case, as Unity Catalog does.
"""

from __future__ import annotations

from collections.abc import Iterator

from .alerts import AlertsConfig, DriftConfig, QualityConfig
from .monitor import MonitorConfig


def silent_alerts(alerts: AlertsConfig, monitor: MonitorConfig) -> Iterator[str]:
    """What keeps alerts on drift and quality from ever firing, each with its path and the fix."""
    known = {column.lower() for column in monitor.unpacked.columns()}
    for name, drift in alerts.drift.items():
        path = f"alerts.drift.{name}"
        yield from _windows(path, drift, monitor)
        if unknown := [column for column in drift.columns if column.lower() not in known]:
            yield (
                f"{path}.columns: {', '.join(unknown)} is no column of the monitored table, which has "
                f"{', '.join(monitor.unpacked.columns())}; correct the name, or add it to monitor.recordColumns"
            )
        if drift.drift_type == "BASELINE" and monitor.baseline_table is None:
            yield (
                f"{path}.driftType: BASELINE compares with monitor.baselineTable, and there is none; name it, or use "
                "CONSECUTIVE"
            )
    for name, quality in alerts.quality.items():
        path = f"alerts.quality.{name}"
        yield from _windows(path, quality, monitor)
        if quality.needs_labels and monitor.label_column is None:
            yield (
                f"{path}.needsLabels: only windows whose labels have arrived are judged, and the monitor has no "
                "labelColumn; add it, or set needsLabels to false for a measure that takes no labels"
            )


def _windows(path: str, alert: DriftConfig | QualityConfig, monitor: MonitorConfig) -> Iterator[str]:
    if alert.granularity not in monitor.granularities:
        yield (
            f"{path}.granularity: {alert.granularity!r} is no window of the monitor, which has "
            f"{', '.join(monitor.granularities)}; use one of them, or add it to monitor.granularities"
        )
    if alert.sliced and not monitor.slicing_exprs:
        yield f"{path}.sliced: the monitor cuts no slices; add monitor.slicingExprs, or set sliced to false"
