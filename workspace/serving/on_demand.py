"""On-demand features: Python functions of Unity Catalog, carried out in the model's process for each request.

Sources: the page "On-demand feature computation" (Python UDFs, inputs bound to columns of the request or to other
features); `OnDemandColumnInfo` of databricks-feature-engineering 0.18.2 (the form in feature_spec.yaml).
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_NUMBERS = {"tinyint": int, "smallint": int, "int": int, "bigint": int, "float": float, "double": float}


class FunctionError(Exception):
    """A function cannot be carried out; the message says which and why."""


@dataclass(frozen=True)
class OnDemandColumn:
    """A column that a function makes of others."""

    output_name: str
    function: str
    arguments: Mapping[str, str]
    """Parameter to column."""
    order: int

    @property
    def needs(self) -> tuple[str, ...]:
        return tuple(self.arguments.values())


class PythonFunction:
    """A function of the catalog, compiled once."""

    def __init__(self, described: Mapping[str, Any]) -> None:
        """`described` is the function as its catalog keeps it: full_name, language, parameters, returns, definition.

        Raises FunctionError for one that is not in Python, or that is none.
        """
        self._full_name = str(described["full_name"])
        if described["language"] != "PYTHON":
            raise FunctionError(
                f"function '{self._full_name}' is in {described['language']}; on-demand features are Python"
            )
        self._types = {str(one["name"]): str(one["type"]).lower() for one in described["parameters"]}
        self._returns = str(described["returns"]).lower()
        name = self._full_name.rpartition(".")[2]
        body = textwrap.indent(textwrap.dedent(described["definition"]).strip("\n"), "    ")
        made: dict[str, Any] = {"__name__": name}
        try:
            exec(compile(f"def {name}({', '.join(self._types)}):\n{body}\n", self._full_name, "exec"), made)  # noqa: S102
        except SyntaxError as error:
            raise FunctionError(f"function '{self._full_name}' cannot be compiled: {error}") from error
        self._call: Callable[..., Any] = made[name]

    def require(self, parameters: Mapping[str, str]) -> None:
        """Raises FunctionError where other parameters are bound than it has."""
        if set(parameters) != set(self._types):
            raise FunctionError(
                f"function '{self._full_name}' takes {list(self._types)}; the feature spec binds {sorted(parameters)}"
            )

    def __call__(self, arguments: Mapping[str, object]) -> object:
        """The value, of the type that is declared; what the function raises passes."""
        given = {name: _as(self._types[name], value) for name, value in arguments.items()}
        return _as(self._returns, self._call(**given))


def _as(kind: str, value: Any) -> object:
    number = _NUMBERS.get(kind)
    return value if value is None or number is None or isinstance(value, bool) else number(value)
