"""Quality monitors on tables: what they watch, and where their metrics go."""

from workspace.monitors.routes import Monitors

__all__ = ["Monitors"]
