"""Names of registered models and aliases, and the texts with which Unity Catalog refuses them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from workspace.errors import ApiError, invalid

MAX_NAME_LENGTH = 255
MAX_ALIAS_LENGTH = 255
# Unity Catalog refuses these in any object name (docs.databricks.com, "Names", object name rules).
_BAD_NAME = re.compile(r"[.\s/\x00-\x1f\x7f]")
_ALIAS = re.compile(r"[\w-]+", re.ASCII)
_VERSION_LIKE = re.compile(r"v\d+", re.IGNORECASE)


@dataclass(frozen=True)
class ModelName:
    """A three-part name; Unity Catalog keeps names in lower case, whatever the case they are asked for in."""

    catalog: str
    schema: str
    model: str

    @property
    def full(self) -> str:
        return f"{self.catalog}.{self.schema}.{self.model}"

    @property
    def folder(self) -> str:
        """The Files API path of the model's versions."""
        return f"/Models/{self.catalog}/{self.schema}/{self.model}"

    @staticmethod
    def parse(full_name: str) -> ModelName:
        parts = full_name.split(".")
        if len(parts) != 3 or not all(parts):
            # mlflow's client looks for "specify all three levels" in order to explain its two registries.
            raise invalid(
                f"Invalid registered model name {full_name!r}: please specify all three levels of the name, "
                "in the form catalog_name.schema_name.model_name"
            )
        return ModelName.of(*parts)

    @staticmethod
    def of(catalog: str, schema: str, model: str) -> ModelName:
        for part in (catalog, schema, model):
            if not part or len(part) > MAX_NAME_LENGTH or _BAD_NAME.search(part):
                raise invalid(
                    f"Invalid name {part!r}: a name has 1 to {MAX_NAME_LENGTH} characters, and none of them is a "
                    "period, a space, a forward slash or a control character"
                )
        return ModelName(catalog.lower(), schema.lower(), model.lower())


def parse_version(value: object) -> int:
    """A model version number from a path, a query or a body (a string in one dialect, a number in the other)."""
    text = str(value)
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise invalid(f"Invalid model version {value!r}: a version is a positive whole number")
    return int(text)


def parse_alias(value: object) -> str:
    """An alias, in lower case: Unity Catalog compares aliases without regard to case.

    Names that could be read as a version or as the newest one are refused, as by mlflow (`utils/validation.py`).
    """
    alias = str(value or "")
    if not alias:
        raise invalid("Registered model alias name cannot be empty.")
    if len(alias) > MAX_ALIAS_LENGTH:
        raise invalid(
            f"Registered model alias name is {len(alias)} characters long; at most {MAX_ALIAS_LENGTH} are allowed."
        )
    if not _ALIAS.fullmatch(alias):
        raise invalid(
            f"Invalid alias name: '{alias}'. Names may only contain alphanumerics, underscores (_), and dashes (-)."
        )
    if alias.lower() == "latest":
        raise invalid("'latest' alias name (case insensitive) is reserved.")
    if _VERSION_LIKE.fullmatch(alias):
        raise invalid(f"Version alias name '{alias}' is reserved.")
    return alias.lower()


def model_missing(name: ModelName) -> ApiError:
    return ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Routine or Model '{name.full}' does not exist.")


def version_missing(name: ModelName, version: int) -> ApiError:
    return ApiError(
        404, "RESOURCE_DOES_NOT_EXIST", f"Model version '{version}' of registered model '{name.full}' does not exist."
    )


def alias_missing(name: ModelName, alias: str) -> ApiError:
    return ApiError(
        404, "RESOURCE_DOES_NOT_EXIST", f"Alias '{alias}' of registered model '{name.full}' does not exist."
    )
