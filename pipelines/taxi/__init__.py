"""Taxi trips to feature tables and a registered fare model: `python -m pipelines.taxi` (docs/taxi-pipeline.md)."""
