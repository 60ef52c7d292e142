"""The Pulumi engine: which one is taken, and how it gets here."""

from toolchain.engine.choice import Engine, ensure_engine

__all__ = ["Engine", "ensure_engine"]
