"""Failures and latency on demand: rules that make a call slow, refused, cut off, or fail after it took effect; reads
that lag behind writes.

Not a service of Databricks: what is here stands in for its bad days.
"""

from workspace.faults.consistency import StaleReads
from workspace.faults.injector import FaultInjector
from workspace.faults.routes import Faults

__all__ = ["FaultInjector", "Faults", "StaleReads"]
