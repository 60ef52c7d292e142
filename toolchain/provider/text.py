"""Words for messages."""

from collections.abc import Iterable


def listed(names: Iterable[str]) -> str:
    """The names in order, quoted, for an error message."""
    return ", ".join(f"`{name}`" for name in sorted(names))
