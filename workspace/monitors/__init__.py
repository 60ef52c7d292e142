"""Quality monitors on tables: what they watch, and where their metrics go."""

from workspace.monitors.routes import Monitors
from workspace.monitors.store import CatalogView

__all__ = ["CatalogView", "Monitors"]
