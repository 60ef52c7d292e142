"""Times of the API as the page counts them."""

from __future__ import annotations

from datetime import datetime


def epoch_ms(moment: str) -> int:
    """Milliseconds since the epoch of an ISO 8601 time."""
    return int(datetime.fromisoformat(moment).timestamp() * 1000)
