"""Jobs: their settings, and runs of the task graphs that this workspace can execute."""

from workspace.jobs.routes import Jobs

__all__ = ["Jobs"]
