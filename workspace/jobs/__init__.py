"""Jobs: their settings, what starts them, and runs of their task graphs."""

from workspace.jobs.identities import RunAs
from workspace.jobs.routes import Jobs, Surroundings

__all__ = ["Jobs", "RunAs", "Surroundings"]
