"""What a model process does with one request: the scoring server's parsing and errors, and streams of agents.

Formats and words are MLflow's own (`mlflow.pyfunc.scoring_server`), as on Databricks, whose containers run it.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterator
from typing import Any

from mlflow.exceptions import ERROR_CODE_TO_HTTP_STATUS, MlflowException
from mlflow.pyfunc import PyFuncModel, scoring_server
from mlflow.pyfunc.scoring_server import CONTENT_TYPE_JSON
from mlflow.utils.proto_json_utils import NumpyEncoder

from workspace.serving.framing import Meta

# Not passed to the model, and not part of what the scoring server reads.
SERVICE_FIELDS = ("client_request_id", "usage_context", "databricks_options")
STREAM = "stream"
# Keys of the formats that are no requests of agents: a model cannot stream its answer to those.
TABULAR_FIELDS = ("dataframe_split", "dataframe_records", "instances", "inputs")


class Scorer:
    """Answers requests with one loaded model. Thread-safe as far as the model is."""

    def __init__(self, model: PyFuncModel) -> None:
        self._model = model
        # MLflow's scoring server has no types.
        metadata: Any = model.metadata
        self._schema = metadata.get_input_schema()
        self._params = {param.name for param in (metadata.get_params_schema() or [])}
        self._invocations: Any = scoring_server.invocations
        self._streamable = bool(metadata.flavors.get("python_function", {}).get("streamable"))

    def score(self, content_type: str, body: bytes) -> tuple[Meta, str | Iterator[str]]:
        """What to say of the answer (status, content type, the caller's own request id), and the answer.

        An answer to `"stream": true` of a model with `predict_stream` is its chunks, each as JSON; what goes wrong in
        the middle ends them with an exception.
        """
        answer: Meta = {"content_type": CONTENT_TYPE_JSON}
        try:
            data: Any = body
            if content_type.partition(";")[0].strip() == CONTENT_TYPE_JSON:
                data = _parsed(body)
                if isinstance(data, dict):
                    answer["client_request_id"] = _text(data.get("client_request_id"))
                    answer["usage_context"] = _texts(data.get("usage_context"))
                    data = {name: value for name, value in data.items() if name not in SERVICE_FIELDS}
                    if data.get(STREAM) is True and not any(field in data for field in TABULAR_FIELDS):
                        return {**answer, "status": 200, "content_type": "text/event-stream"}, self._stream(data)
            result = self._invocations(data, content_type, self._model, self._schema)
            return {**answer, "status": result.status, "content_type": result.mimetype}, result.response
        except MlflowException as error:
            print(traceback.format_exc(), file=sys.stderr, flush=True)
            status = ERROR_CODE_TO_HTTP_STATUS.get(error.error_code, 500)
            return {**answer, "status": status}, _error("BAD_REQUEST" if status == 400 else error.error_code, error)
        except Exception as error:  # noqa: BLE001 - a model may raise anything, and the caller must get an answer
            print(traceback.format_exc(), file=sys.stderr, flush=True)
            return {**answer, "status": 500}, _error("INTERNAL_ERROR", error)

    def _stream(self, data: dict[str, Any]) -> Iterator[str]:
        """The chunks, the first of them made already: what fails before it is an ordinary error."""
        if not self._streamable:
            raise MlflowException.invalid_parameter_value(
                'This model does not support streaming: it has no predict_stream. Ask without "stream": true.'
            )
        params = {name: value for name, value in data.items() if name in self._params}
        given = {name: value for name, value in data.items() if name not in self._params}
        chunks = iter(self._model.predict_stream(given, params=params or None))
        first = next(chunks, None)
        return _encoded(first, chunks)


def _encoded(first: Any, rest: Iterator[Any]) -> Iterator[str]:
    if first is not None:
        yield json.dumps(first, cls=NumpyEncoder)
    for chunk in rest:
        yield json.dumps(chunk, cls=NumpyEncoder)


def _parsed(body: bytes) -> Any:
    """The JSON of a body; the body itself where it is none, for MLflow to refuse in its own words."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return body
    return parsed if isinstance(parsed, dict) else body


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _texts(value: object) -> dict[str, str]:
    return {str(name): str(text) for name, text in value.items()} if isinstance(value, dict) else {}


def _error(code: str, error: Exception) -> str:
    message = error.message if isinstance(error, MlflowException) else str(error)
    if error.__context__ is not None and str(error.__context__) not in message:
        message = f"{message} Error '{error.__context__}'"
    return json.dumps({"error_code": code, "message": message})


def failure(error: Exception) -> str:
    """The error that ends a stream."""
    return _error("INTERNAL_ERROR", error)
