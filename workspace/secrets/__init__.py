"""Secrets: scopes, their access control lists, and values that nothing else ever shows."""

from workspace.secrets.routes import Secrets

__all__ = ["Secrets"]
