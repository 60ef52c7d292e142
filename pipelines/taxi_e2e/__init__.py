"""Taxi fares from end to end: features, training, validation, batch inference and monitoring as tasks of jobs.

The jobs are those of `examples/taxi-e2e`. Trips, their rules and the split by time are those of `pipelines.taxi`.
"""
