"""Under what conditions the aliases of a stack file move."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from ..names import ThreePartName, check_alias, check_version
from .fields import Filled, Section, Version
from .rules import rule

#: A journal entry becomes the value of a tag, which is limited.
LONGEST_REASON = 200


class AliasPromotionConfig(Section):
    """What has to hold before one managed alias moves, and what becomes of it."""

    expected_version: Version | None = Field(
        default=None,
        description=(
            "Version that the alias points to before the move; the one in state when left out. Takes over an alias "
            "that exists already at another version."
        ),
    )
    requires: dict[str, str] = Field(
        default_factory=dict,
        description=(
            "Tags that the version must have, for example `{validation: passed, approved_by: ''}`; an empty text "
            "takes any value."
        ),
    )
    requires_to_replace: dict[str, str] = Field(
        default_factory=dict,
        description=(
            "Further tags, for a version that takes the alias from another one, for example `{ab_result: passed}`: not "
            "asked of the first version ever, nor of one that had the alias before."
        ),
    )
    reason: Filled | None = Field(
        default=None, description=f"Why the alias is moved, for its journal; at most {LONGEST_REASON} characters."
    )
    bootstrap: bool = Field(
        default=False, description="Lets the alias skip the rung below on model.ladder while it points to nothing."
    )
    on_delete: Literal["keep", "remove", "restore_previous"] | None = Field(
        default=None, description="What `destroy` does with the alias; the environment's default when left out."
    )

    @field_validator("expected_version")
    @classmethod
    def _number(cls, value: str | None) -> str | None:
        return value if value is None else check_version(value)

    @field_validator("reason")
    @classmethod
    def _short(cls, value: str | None) -> str | None:
        if value is not None and len(value) > LONGEST_REASON:
            raise ValueError(
                f"is {len(value)} characters long; say it in {LONGEST_REASON}, or name where it is written"
            )
        return value

    @field_validator("requires", "requires_to_replace")
    @classmethod
    def _tags(cls, value: dict[str, str]) -> dict[str, str]:
        if any(not tag.strip() for tag in value):
            raise ValueError("names a tag with an empty key; write the tag's name")
        return value


class PromotedFromConfig(Section):
    """The version of another model, as a rule in another catalog, that this stack's versions are copies of."""

    model: str = Field(description="Registered model, `catalog.schema.model`, whose version was proven.")
    alias: str | None = Field(default=None, description="The version that this alias points to.")
    version: Version | None = Field(default=None, description="Or this version.")
    tag: Filled | None = Field(
        default=None,
        description="Tag of that version with the digest of its proof; `promoted_<alias>` when an alias is named.",
    )
    digest: str | None = Field(
        default=None, pattern="^sha256:", description="The one digest that is approved; any that matches when left out."
    )

    @rule()
    def _one_version(self) -> None:
        ThreePartName.parse(self.model, what="promotedFrom.model")
        if (self.alias is None) == (self.version is None):
            raise ValueError("takes exactly one of `alias` and `version`; name the version that was proven")
        if self.alias is not None:
            check_alias(self.alias)
        if self.version is not None:
            check_version(self.version)
            if self.tag is None:
                raise ValueError(
                    "names a version and no tag; name the tag that holds its proof, for example promoted_champion"
                )


def check_ladder(ladder: list[str]) -> list[str]:
    """A ladder whose rungs are aliases, each once. Raises ValueError."""
    for alias in ladder:
        check_alias(alias)
    if len(set(ladder)) != len(ladder):
        raise ValueError(f"names an alias twice: {ladder}; every alias is one rung")
    if len(ladder) == 1:
        raise ValueError(f"has the one rung {ladder[0]}; name at least two, lowest first, or leave it out")
    return ladder
