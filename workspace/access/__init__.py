"""Who may do what with a workspace object: the Permissions API, and the rules that every request is held to."""

from workspace.access.all_rules import Lookups, all_rules
from workspace.access.enforcement import Enforcement
from workspace.access.routes import Access
from workspace.access.store import CreatorOf

__all__ = ["Access", "CreatorOf", "Enforcement", "Lookups", "all_rules"]
