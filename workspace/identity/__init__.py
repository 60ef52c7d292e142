"""Who calls and which workspace this is."""

from workspace.identity.caller import OWNER, acting_as, current_caller
from workspace.identity.routes import Identity

__all__ = ["OWNER", "Identity", "acting_as", "current_caller"]
