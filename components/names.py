"""Names and numbers that Databricks takes: parsed and checked before any API call. Pure: no Pulumi, no SDK.

Sources: Databricks' "Names" page of the SQL reference (Unity Catalog identifiers: at most 255 characters, no period,
space, slash or control character, stored in lower case); the Model Serving API (`name` of an endpoint and of a served
entity consists of letters, digits, dashes and underscores); MLflow 3.17 `validation.py` (aliases) and mlflow#12331
(Unity Catalog keeps aliases in lower case, so `Champion` and `champion` are one alias); databricks-feature-engineering
0.18.2 `publish_table` (a copy is a table of Postgres, whose names have 63 bytes); page "Databricks Online Feature
Stores" (a store's name: at most 63 bytes; it is a Lakebase instance, and has the characters of one).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_IDENTIFIER_LENGTH = 255
MAX_ALIAS_LENGTH = 255
MAX_ONLINE_BYTES = 63

_FORBIDDEN_IN_IDENTIFIER = re.compile(r"[\x00-\x20/.\x7f]")
_ALIAS = re.compile(r"[a-z0-9_-]+")
_VERSION_LIKE_ALIAS = re.compile(r"v\d+")
_SERVING_NAME = re.compile(r"[A-Za-z0-9_-]+")
_VERSION = re.compile(r"[1-9][0-9]*")
_STORE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,62}")


class InvalidNameError(ValueError):
    """A name or number that Databricks would refuse: what it should be, the value received, why, and the fix.

    Attributes:
        what: the kind of thing, for example `alias`.
        value: what was received.
        why: what is wrong with it.
        fix: what to write instead.
    """

    def __init__(self, what: str, value: object, why: str, fix: str) -> None:
        super().__init__(f"{what} {value!r} {why}; {fix}")
        self.what = what
        self.value = value
        self.why = why
        self.fix = fix


@dataclass(frozen=True)
class ThreePartName:
    """A Unity Catalog name: catalog, schema, and the table or model in it."""

    catalog: str
    schema: str
    name: str

    @classmethod
    def parse(cls, text: str, *, what: str = "name") -> ThreePartName:
        """The parts of `catalog.schema.name`, as they were written.

        Args:
            text: the name, without backticks.
            what: what the name is called in messages, for example `source_table`.

        Raises:
            InvalidNameError: there are not three parts, or a part is not a Unity Catalog identifier.
        """
        if not isinstance(text, str):
            raise InvalidNameError(what, text, "is not a text", "write catalog.schema.name")
        if "`" in text:
            raise InvalidNameError(
                what, text, "carries backticks", "write the plain name, quoting is added where SQL needs it"
            )
        parts = text.split(".")
        if len(parts) != len(("catalog", "schema", "name")):
            count = f"{len(parts)} part{'' if len(parts) == 1 else 's'}"
            raise InvalidNameError(what, text, f"has {count} instead of three", "write catalog.schema.name")
        for position, part in zip(("catalog", "schema", "name"), parts, strict=True):
            _check_identifier(what, text, position, part)
        return cls(*parts)

    def __str__(self) -> str:
        return f"{self.catalog}.{self.schema}.{self.name}"

    @property
    def sql(self) -> str:
        """The name as SQL takes it, each part in backticks."""
        return ".".join(quote_identifier(part) for part in (self.catalog, self.schema, self.name))

    def same_as(self, other: ThreePartName) -> bool:
        """Whether both name the same object: Unity Catalog does not tell cases apart."""
        return str(self).lower() == str(other).lower()


def quote_identifier(identifier: str) -> str:
    """A column, schema or table name in backticks, as Databricks SQL quotes it."""
    return "`" + identifier.replace("`", "``") + "`"


def check_identifier(what: str, identifier: str) -> str:
    """One part of a Unity Catalog name, if it is one.

    Args:
        what: what it is called in messages, for example `catalog`.

    Raises:
        InvalidNameError: it is empty, too long, or has a character that a name cannot have.
    """
    if not _is_filled(identifier):
        raise InvalidNameError(what, identifier, "is empty", "name it, or leave the key out where it has a default")
    _check_identifier(what, identifier, "name", identifier)
    return identifier


def check_alias(alias: str) -> str:
    """The alias of a registered model, if it is one.

    Raises:
        InvalidNameError: it is empty, too long, reserved (`latest`, `v1`), has other characters than letters,
            digits, dash and
            underscore, or is not in lower case.
    """
    what = "alias"
    if not _is_filled(alias):
        raise InvalidNameError(what, alias, "is empty", "name it, for example champion")
    if len(alias) > MAX_ALIAS_LENGTH:
        raise InvalidNameError(what, alias, f"has {len(alias)} characters", f"use at most {MAX_ALIAS_LENGTH}")
    if alias.lower() == "latest":
        raise InvalidNameError(what, alias, "is reserved by MLflow", "choose another word, for example champion")
    if _VERSION_LIKE_ALIAS.fullmatch(alias.lower()):
        raise InvalidNameError(what, alias, "reads like a version number", "choose a word, for example champion")
    if alias != alias.lower():
        raise InvalidNameError(
            what, alias, "has capital letters, which Unity Catalog does not keep", f"write {alias.lower()!r}"
        )
    if not _ALIAS.fullmatch(alias):
        raise InvalidNameError(
            what, alias, "has characters that an alias cannot have", "use letters, digits, dash, underscore"
        )
    return alias


def check_version(version: str | int) -> str:
    """The number of a model version, as text.

    Raises:
        InvalidNameError: it is not a whole number from 1. An alias is not a version: a served entity takes
            numbers only.
    """
    what = "version"
    if isinstance(version, bool) or not isinstance(version, str | int):
        raise InvalidNameError(what, version, "is not a version number", 'write digits, for example "15"')
    if not _VERSION.fullmatch(str(version)):
        raise InvalidNameError(
            what,
            version,
            "is not a whole number from 1",
            'write digits, for example "15"; an alias is resolved to its number first',
        )
    return str(version)


def check_online_table(text: str, *, what: str = "online_table") -> str:
    """The three-part name of a table's online copy, if it can be one.

    Args:
        what: what the name is called in messages.

    Raises:
        InvalidNameError: it has not three parts, or one of them is longer than Postgres takes.
    """
    name = ThreePartName.parse(text, what=what)
    for position, part in (("catalog", name.catalog), ("schema", name.schema), ("name", name.name)):
        if (size := len(part.encode())) > MAX_ONLINE_BYTES:
            fix = "name the copy itself, shorter" if position == "name" else f"publish it to another {position}"
            raise InvalidNameError(
                what, text, f"has a {position} of {size} bytes, and Postgres takes {MAX_ONLINE_BYTES}", fix
            )
    return str(name)


def check_store_name(name: str) -> str:
    """The name of an online store, if it is one. Raises InvalidNameError."""
    if not _STORE_NAME.fullmatch(name):
        raise InvalidNameError(
            "online store name",
            name,
            "cannot be one",
            f"use letters, digits and hyphens, a letter first, at most {MAX_ONLINE_BYTES}",
        )
    return name


def check_endpoint_name(name: str) -> str:
    """The name of a serving endpoint, if it is one. Raises InvalidNameError."""
    return _check_serving_name("endpoint name", name)


def check_served_entity_name(name: str) -> str:
    """The name of a served entity, if it is one. Raises InvalidNameError."""
    return _check_serving_name("served entity name", name)


def _is_filled(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _check_serving_name(what: str, name: str) -> str:
    # Model Serving caps the length too; the number is not documented, so the cap is left to the service.
    if not _is_filled(name):
        raise InvalidNameError(what, name, "is empty", "name it, with letters, digits, dash and underscore")
    if not _SERVING_NAME.fullmatch(name):
        raise InvalidNameError(
            what, name, "has characters that Model Serving refuses", "use letters, digits, dash and underscore only"
        )
    return name


def _check_identifier(what: str, text: str, position: str, part: str) -> None:
    if not part:
        raise InvalidNameError(what, text, f"has an empty {position}", "write catalog.schema.name")
    if len(part) > MAX_IDENTIFIER_LENGTH:
        raise InvalidNameError(
            what, text, f"has a {position} of {len(part)} characters", f"use at most {MAX_IDENTIFIER_LENGTH}"
        )
    found = _FORBIDDEN_IN_IDENTIFIER.search(part)
    if found is not None:
        raise InvalidNameError(what, text, f"has {found.group()!r} in its {position}", "remove it")
