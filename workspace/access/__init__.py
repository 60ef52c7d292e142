"""Who may do what with a workspace object: the Permissions API."""

from workspace.access.routes import Access
from workspace.access.store import CreatorOf

__all__ = ["Access", "CreatorOf"]
