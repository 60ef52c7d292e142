"""SQL alerts, and where their notifications go: destinations, and an outbox that stands for the world outside."""

from workspace.alerts.destinations import Destinations
from workspace.alerts.outbox import Outbox
from workspace.alerts.service import Alerts

__all__ = ["Alerts", "Destinations", "Outbox"]
