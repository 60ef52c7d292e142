"""The ways a model version is written: `catalog.schema.model/15`, `models:/catalog.schema.model/15`, `...@alias`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SCHEME = "models:/"
_PART = r"[^./@\s]+"
_FORM = re.compile(rf"(?P<model>{_PART}\.{_PART}\.{_PART})(?:/(?P<version>\d+)|@(?P<alias>[^./@\s]+))")


class ModelUriError(ValueError):
    """The text names no version of a model in Unity Catalog; the message shows the forms that do."""


@dataclass(frozen=True)
class ModelUri:
    """A version of a registered model, by number or by alias: exactly one of the two."""

    model: str
    version: str | None = None
    alias: str | None = None

    @classmethod
    def parse(cls, text: str) -> ModelUri:
        """With or without `models:/` in front.

        Raises:
            ModelUriError: the name has not three parts, or there is neither a version number nor an alias.
        """
        match = _FORM.fullmatch(text.removeprefix(_SCHEME))
        if match is None:
            raise ModelUriError(
                f"model URI {text!r} names no version of a model in Unity Catalog; write catalog.schema.model/15, "
                "models:/catalog.schema.model/15 or models:/catalog.schema.model@champion"
            )
        version = match["version"]
        # A leading zero would be another text for the same version.
        return cls(match["model"], None if version is None else str(int(version)), match["alias"])

    def __str__(self) -> str:
        return f"{_SCHEME}{self.model}" + (f"/{self.version}" if self.alias is None else f"@{self.alias}")
