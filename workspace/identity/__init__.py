"""Who calls and which workspace this is."""

from workspace.identity.routes import Identity

__all__ = ["Identity"]
