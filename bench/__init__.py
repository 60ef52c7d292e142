"""Benchmarks of the embedded workspace, beside what they are measured against, in one run (docs/benchmarks.md)."""
