"""Reading properties of which some cannot be known before the update.

The engine's library raises on every look at an unknown value, which would end a rule at the first one. A rule reads
through a `Reader` instead: it judges all that is known, then says, through `raise_unknown`, what it could not judge.
The engine shows that as an advisory, and judges again during the update.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pulumi_policy.proxy import UnknownValueError


class Unknown:
    """The type of `UNKNOWN`."""

    def __repr__(self) -> str:
        return "(not known yet)"


UNKNOWN: Final = Unknown()


@dataclass(frozen=True)
class Blocks:
    """The known objects of a list, each with its place in it."""

    known: list[tuple[int, Mapping[str, Any]]]
    complete: bool


class Reader:
    """Reads one resource's properties; `UNKNOWN` stands for what is not known yet, None for what is absent."""

    def __init__(self) -> None:
        self._first: UnknownValueError | None = None

    def get(self, properties: Mapping[str, Any], name: str) -> Any:
        try:
            return properties.get(name)
        except UnknownValueError as error:
            self._first = self._first or error
            return UNKNOWN

    def block(self, properties: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        """A nested object; empty where it is absent or unknown."""
        value = self.get(properties, name)
        return value if isinstance(value, Mapping) else {}

    def blocks(self, properties: Mapping[str, Any], name: str) -> Blocks:
        """The objects of a list; none where it is absent. Unknown ones are left out, and the result is not complete."""
        value = self.get(properties, name)
        if not isinstance(value, Sequence) or isinstance(value, str):
            return Blocks([], complete=value is not UNKNOWN)
        found, complete = [], True
        for index in range(len(value)):
            try:
                entry = value[index]
            except UnknownValueError as error:
                self._first = self._first or error
                complete = False
                continue
            if isinstance(entry, Mapping):
                found.append((index, entry))
        return Blocks(found, complete)

    def texts(self, properties: Mapping[str, Any], name: str) -> list[str]:
        """The known texts of a list; none where it is absent."""
        value = self.get(properties, name)
        if not isinstance(value, Sequence) or isinstance(value, str):
            return []
        found = []
        for index in range(len(value)):
            try:
                entry = value[index]
            except UnknownValueError as error:
                self._first = self._first or error
                continue
            if isinstance(entry, str):
                found.append(entry)
        return found

    @property
    def met_unknown(self) -> bool:
        return self._first is not None

    def raise_unknown(self) -> None:
        """Tell the engine which value kept the rule from judging everything, if any did."""
        if self._first is not None:
            raise self._first
