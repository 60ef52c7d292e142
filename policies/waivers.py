"""Exceptions from a rule, in its configuration: for one resource, with a reason, an owner and a last day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from policies.reading import UNKNOWN, Reader
from policies.subject import Subject

OPTION = "waivers"
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "description": "Resources that may break the rule, by name: why, who answers for it, and until which day.",
    "additionalProperties": {
        "type": "object",
        "properties": {
            "reason": {"type": "string", "minLength": 1},
            "owner": {"type": "string", "minLength": 1},
            "until": {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"},
        },
        "required": ["reason", "owner", "until"],
        "additionalProperties": False,
    },
    "default": {},
}


@dataclass(frozen=True)
class Waiver:
    """A waiver that is meant for a resource."""

    name: str
    reason: str
    owner: str
    until: str

    @property
    def over(self) -> str | None:
        """Why it does not hold (any more); None where it does."""
        try:
            last = date.fromisoformat(self.until)
        except ValueError:
            return f"The waiver of {self.owner} for '{self.name}' ends on '{self.until}', which is no day: correct it."
        if last < today():
            return (
                f"The waiver of {self.owner} for '{self.name}' ended on {self.until}: put it right, or "
                "renew the waiver."
            )
        return None

    def __str__(self) -> str:
        return f"waived for {self.name} until {self.until} by {self.owner}: {self.reason}"


def waiver_of(subject: Subject) -> Waiver | None:
    """The waiver for a resource, by its name or its logical one.

    UnknownValueError where its name is not known yet and a waiver might be meant for it.
    """
    waivers = subject.option(OPTION)
    if not waivers:
        return None
    reader = Reader()
    name = reader.get(subject.props, "name")
    for candidate in (name, subject.shown, subject.name):
        if isinstance(candidate, str) and candidate in waivers:
            return Waiver(name=candidate, **waivers[candidate])
    if name is UNKNOWN:
        reader.raise_unknown()
    return None


def today() -> date:
    return datetime.now(UTC).date()
