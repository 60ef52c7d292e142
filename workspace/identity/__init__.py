"""Who calls and which workspace this is."""

from workspace.identity.caller import OWNER
from workspace.identity.routes import Identity

__all__ = ["OWNER", "Identity"]
