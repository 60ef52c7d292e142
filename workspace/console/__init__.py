"""The console: what is in the workspace, as a page for people. Not a copy of Databricks' own pages."""

from workspace.console.service import Console

__all__ = ["Console"]
