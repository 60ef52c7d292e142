"""On-demand features: Unity Catalog functions in Python, for training, on Spark and in tests as they run in serving.

A function's text is Unity Catalog's (`GET /functions/{name}`, which needs EXECUTE), so that nothing is computed in two
ways. Source: the pages "On-demand feature computation" and "User-defined functions (UDFs) in Unity Catalog".
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from databricks.sdk.service.catalog import FunctionInfo, FunctionInfoRoutineBody

from pipelines.errors import PipelineError

if TYPE_CHECKING:
    from pyspark.sql import Column


def python_function(info: FunctionInfo) -> Callable[..., Any]:
    """The function, by its parameters' names. Raises PipelineError for one in SQL, or that is no Python."""
    name = info.full_name or info.name or ""
    if info.routine_body is not FunctionInfoRoutineBody.EXTERNAL or (info.external_language or "").upper() != "PYTHON":
        raise PipelineError(
            f"Function {name} is not in Python: on-demand features are Python functions (LANGUAGE PYTHON)."
        )
    parameters = parameters_of(info)
    body = textwrap.indent(textwrap.dedent(info.routine_definition or "").strip("\n"), "    ")
    text = f"def {info.name}({', '.join(parameters)}):\n{body}\n"
    # By value, so that workers need not import where it came from.
    made: dict[str, Any] = {"__name__": "__main__"}
    try:
        exec(compile(text, name, "exec"), made)  # noqa: S102  # a function of the catalog is code to be run
    except SyntaxError as error:
        raise PipelineError(f"Function {name} cannot be compiled: {error}") from error
    function: Callable[..., Any] = made[info.name or ""]
    return function


def parameters_of(info: FunctionInfo) -> list[str]:
    """Names of the parameters, in order."""
    given = info.input_params.parameters if info.input_params and info.input_params.parameters else []
    return [parameter.name for parameter in sorted(given, key=lambda one: one.position)]


def spark_function(info: FunctionInfo) -> Callable[..., Column]:
    """The function on columns, by its parameters' names; of the type that it is declared with."""
    from pyspark.sql import functions as fn

    function, parameters = python_function(info), parameters_of(info)
    udf = fn.udf(function, (info.full_data_type or "string").lower())

    def call(**columns: Column) -> Column:
        if set(columns) != set(parameters):
            raise PipelineError(
                f"Function {info.full_name} takes {', '.join(parameters)}; bound are {', '.join(columns)}."
            )
        return udf(*(columns[name] for name in parameters))

    return call
