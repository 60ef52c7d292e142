"""A verdict as tags of the model version, for the gates of aliases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from pipelines.validation.limits import KINDS, Verdict

PASSED: Final = "passed"
FAILED: Final = "failed"
NONE: Final = "none"
# Unity Catalog's limit of a tag's value (Databricks, "Apply tags to Unity Catalog securable objects").
_LONGEST: Final = 256


def tags_of(verdict: Verdict, moment: datetime | None = None) -> dict[str, str]:
    """Tags by name; `moment` is now when left out."""
    made = (moment or datetime.now(UTC)).astimezone(UTC)
    failed = "; ".join(verdict.failures)
    return {
        "validation": PASSED if verdict.passed else FAILED,
        **{f"validation_{kind}": _word(verdict.passed_in(kind)) for kind in KINDS},
        "validation_against": verdict.against or NONE,
        "validation_date": made.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "validation_failed": failed if len(failed) <= _LONGEST else failed[: _LONGEST - 3] + "...",
        **{name: f"{value:.6f}" for name, value in verdict.measured.metrics.items()},
    }


def _word(passed: bool | None) -> str:
    if passed is None:
        return NONE
    return PASSED if passed else FAILED
