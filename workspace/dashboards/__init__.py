"""AI/BI dashboards: drafts, and what was published of them."""

from __future__ import annotations

from workspace.dashboards.service import Dashboards

__all__ = ["Dashboards"]
