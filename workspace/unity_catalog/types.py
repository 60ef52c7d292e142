"""Databricks SQL types as text, as Delta's schema JSON, and as Unity Catalog's `type_name`.

Sources: the Delta protocol's "Schema Serialization Format"; `databricks.sdk.service.catalog.ColumnTypeName`;
https://docs.databricks.com/sql/language-manual/sql-ref-datatypes.html
"""

from __future__ import annotations

import re
from typing import Any

# A Delta type is a name, or a JSON object for arrays, maps and structs.
DeltaType = str | dict[str, Any]

# Databricks SQL name (first: the one that DESCRIBE prints) -> Delta name, Unity Catalog type_name.
_SIMPLE: dict[str, tuple[str, str]] = {
    "boolean": ("boolean", "BOOLEAN"),
    "tinyint": ("byte", "BYTE"),
    "smallint": ("short", "SHORT"),
    "int": ("integer", "INT"),
    "bigint": ("long", "LONG"),
    "float": ("float", "FLOAT"),
    "double": ("double", "DOUBLE"),
    "string": ("string", "STRING"),
    "binary": ("binary", "BINARY"),
    "date": ("date", "DATE"),
    "timestamp": ("timestamp", "TIMESTAMP"),
    "timestamp_ntz": ("timestamp_ntz", "TIMESTAMP_NTZ"),
}
_SYNONYMS = {"byte": "tinyint", "short": "smallint", "integer": "int", "long": "bigint", "real": "float"}
_DECIMALS = ("decimal", "dec", "numeric")
_TEXT_OF_DELTA = {delta: text for text, (delta, _) in _SIMPLE.items()}
_TOKEN = re.compile(
    r"\s*(?:(?P<word>[A-Za-z_]\w*|\d+)|`(?P<quoted>(?:[^`]|``)+)`|(?P<mark>[<>(),:])|(?P<text>'[^']*'))"
)


class TypeTextError(ValueError):
    """A text that is no Databricks SQL type, or one that the workspace does not store."""


def parse(text: str) -> DeltaType:
    """The Delta type of a Databricks SQL type such as `bigint`, `decimal(10,2)` or `array<struct<a:int>>`.

    Raises TypeTextError naming the text and what is wrong with it.
    """
    return _Parser(text).whole()


def text_of(delta: DeltaType) -> str:
    """The Databricks SQL type of a Delta type, as DESCRIBE and `type_text` have it: lower case, no spaces."""
    if isinstance(delta, str):
        return delta if delta.startswith("decimal") else _TEXT_OF_DELTA[delta]
    if delta["type"] == "array":
        return f"array<{text_of(delta['elementType'])}>"
    if delta["type"] == "map":
        return f"map<{text_of(delta['keyType'])},{text_of(delta['valueType'])}>"
    return "struct<" + ",".join(f"{_quoted(field['name'])}:{text_of(field['type'])}" for field in delta["fields"]) + ">"


def normalised(text: str) -> str:
    """`BIGINT` -> `bigint`, `INTEGER` -> `int`, `Decimal(10, 2)` -> `decimal(10,2)`."""
    return text_of(parse(text))


def type_name(delta: DeltaType) -> str:
    """Unity Catalog's `type_name`."""
    if isinstance(delta, dict):
        return str(delta["type"]).upper()
    return "DECIMAL" if delta.startswith("decimal") else _SIMPLE[_TEXT_OF_DELTA[delta]][1]


def precision_and_scale(delta: DeltaType) -> tuple[int, int]:
    """Of a decimal; zeros for every other type, as Unity Catalog answers."""
    if isinstance(delta, str) and delta.startswith("decimal"):
        precision, scale = delta[len("decimal(") : -1].split(",")
        return int(precision), int(scale)
    return 0, 0


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) else "`" + name.replace("`", "``") + "`"


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, str]] = []
        position = 0
        stripped = text.rstrip()
        while position < len(stripped):
            match = _TOKEN.match(stripped, position)
            if match is None:
                raise self._error(f"unexpected {stripped[position:]!r}")
            kind = match.lastgroup or ""
            self._tokens.append((kind, match.group(kind)))
            position = match.end()

    def whole(self) -> DeltaType:
        delta = self._type()
        if self._tokens:
            raise self._error(f"unexpected {self._tokens[0][1]!r}")
        return delta

    def _type(self) -> DeltaType:
        kind, word = self._next("a type")
        name = word.lower()
        if kind != "word":
            raise self._error(f"unexpected {word!r}")
        name = _SYNONYMS.get(name, name)
        if name in _SIMPLE:
            return _SIMPLE[name][0]
        if name in _DECIMALS:
            return self._decimal()
        if name == "array":
            self._mark("<")
            element = self._type()
            self._mark(">")
            return {"type": "array", "elementType": element, "containsNull": True}
        if name == "map":
            self._mark("<")
            key = self._type()
            self._mark(",")
            value = self._type()
            self._mark(">")
            return {"type": "map", "keyType": key, "valueType": value, "valueContainsNull": True}
        if name == "struct":
            return self._struct()
        raise self._error(f"{word!r} is not a type that the workspace stores")

    def _decimal(self) -> str:
        precision, scale = 10, 0
        if self._peek("("):
            self._mark("(")
            precision = self._number()
            if self._peek(","):
                self._mark(",")
                scale = self._number()
            self._mark(")")
        if not 1 <= precision <= 38 or not 0 <= scale <= precision:
            raise self._error("a decimal has a precision from 1 to 38 and a scale from 0 to the precision")
        return f"decimal({precision},{scale})"

    def _struct(self) -> DeltaType:
        fields: list[dict[str, Any]] = []
        self._mark("<")
        while not self._peek(">"):
            if fields:
                self._mark(",")
            kind, word = self._next("a field name")
            if kind not in ("word", "quoted"):
                raise self._error(f"unexpected {word!r}")
            if self._peek(":"):
                self._mark(":")
            name = word.replace("``", "`")
            delta, nullable = self._type(), True
            metadata: dict[str, str] = {}
            if self._words("not", "null"):
                nullable = False
            if self._words("comment"):
                metadata["comment"] = self._next("a comment")[1].strip("'")
            fields.append({"name": name, "type": delta, "nullable": nullable, "metadata": metadata})
        self._mark(">")
        return {"type": "struct", "fields": fields}

    def _words(self, *expected: str) -> bool:
        found = [(kind, word.lower()) for kind, word in self._tokens[: len(expected)]]
        if found != [("word", word) for word in expected]:
            return False
        del self._tokens[: len(expected)]
        return True

    def _number(self) -> int:
        word = self._next("a number")[1]
        if not word.isdigit():
            raise self._error(f"expected a number, found {word!r}")
        return int(word)

    def _peek(self, mark: str) -> bool:
        return bool(self._tokens) and self._tokens[0] == ("mark", mark)

    def _mark(self, mark: str) -> None:
        found = self._next(repr(mark))
        if found != ("mark", mark):
            raise self._error(f"expected {mark!r}, found {found[1]!r}")

    def _next(self, expected: str) -> tuple[str, str]:
        if not self._tokens:
            raise self._error(f"ends where {expected} is expected")
        return self._tokens.pop(0)

    def _error(self, what: str) -> TypeTextError:
        return TypeTextError(f"'{self._text}' is not a Databricks SQL type: {what}")
