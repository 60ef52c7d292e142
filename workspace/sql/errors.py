"""Failures of SQL statements, in Databricks' words: an error class in brackets, then the sentence.

Source: https://docs.databricks.com/error-messages/error-classes.html
"""

from __future__ import annotations

import re

import duckdb
from sqlglot import exp


class SqlError(Exception):
    """A statement that fails. `error_class` is one of Databricks'."""

    def __init__(self, error_class: str, message: str, *, sql_state: str | None = None) -> None:
        suffix = f" SQLSTATE: {sql_state}" if sql_state else ""
        super().__init__(f"[{error_class}] {message}{suffix}")
        self.error_class = error_class


def unsupported(construct: str, advice: str = "") -> SqlError:
    """For Databricks SQL that the workspace knows of and does not carry out: refused by name, never left out."""
    more = f"; {advice}" if advice else ""
    return SqlError(
        "UNSUPPORTED_FEATURE", f"the embedded workspace does not carry out {construct}{more}.", sql_state="0A000"
    )


def shown(node: exp.Expr) -> str:
    """A part of a statement as text, cut short; its kind where it has no text of its own."""
    try:
        text = str(node.sql("databricks"))
    except (AttributeError, KeyError, NameError, NotImplementedError, TypeError, ValueError):
        text = type(node).__name__
    return text if len(text) <= 80 else text[:77] + "..."


def syntax_error(message: str) -> SqlError:
    return SqlError("PARSE_SYNTAX_ERROR", message, sql_state="42601")


_COLUMN = re.compile(r'Referenced column "([^"]+)" (?:not found|was not found)|does not have a column named "([^"]+)"')
_CANDIDATES = re.compile(r"Candidate bindings: (.*)")
_FUNCTION = re.compile(r"(?:Scalar|Aggregate|Table|Macro)? ?Function with name ([^ ]+) does not exist", re.IGNORECASE)
_OWN = re.compile(r"\[([A-Z_.]+)\] (.*)", re.DOTALL)


def from_duckdb(error: duckdb.Error) -> SqlError:
    """DuckDB's refusal, under the class that Databricks would name."""
    text = str(error).split("\n\nLINE ")[0].strip()
    text = re.sub(r"^[A-Za-z ]+ Error: ", "", text)
    own = _OWN.search(text)
    if own is not None:
        return SqlError(own.group(1), own.group(2).strip())
    column = _COLUMN.search(text)
    if column is not None:
        name = column.group(1) or column.group(2)
        candidates = _CANDIDATES.search(text)
        hint = f" Did you mean one of the following? {candidates.group(1)}." if candidates else ""
        message = f"A column, variable, or function parameter with name `{name}` cannot be resolved.{hint}"
        return SqlError("UNRESOLVED_COLUMN.WITH_SUGGESTION", message, sql_state="42703")
    function = _FUNCTION.search(text)
    if function is not None:
        return SqlError("UNRESOLVED_ROUTINE", f"Cannot resolve routine `{function.group(1)}`.", sql_state="42883")
    if "Division by zero" in text or "division by zero" in text:
        message = "Division by zero. Use try_divide to tolerate divisor being 0 and return NULL instead."
        return SqlError("DIVIDE_BY_ZERO", message, sql_state="22012")
    if isinstance(error, duckdb.ConversionException):
        return SqlError("CAST_INVALID_INPUT", text, sql_state="22018")
    if isinstance(error, duckdb.OutOfRangeException):
        return SqlError("ARITHMETIC_OVERFLOW", text, sql_state="22003")
    if "must appear in the GROUP BY clause" in text:
        return SqlError("MISSING_AGGREGATION", text, sql_state="42803")
    if isinstance(error, duckdb.BinderException | duckdb.ParserException | duckdb.CatalogException):
        return SqlError("DATATYPE_MISMATCH" if "type" in text.lower() else "INVALID_SQL_SYNTAX", text)
    return SqlError("INTERNAL_ERROR", text)
