"""Quality monitors on tables: what they watch, what they compute, and where their metrics go."""

from workspace.monitors.service import Mail, Monitors

__all__ = ["Mail", "Monitors"]
