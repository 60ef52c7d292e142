"""Vector search as far as a retrieval stack needs it: endpoints, delta-sync and direct-access indexes, exact search."""

from workspace.vector_search.routes import VectorSearch

__all__ = ["VectorSearch"]
