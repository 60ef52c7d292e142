"""MLflow's tracking messages over HTTP: JSON or a query in, a protobuf message to a handler, JSON out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import ParseError
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_STATE, ErrorCode
from mlflow.utils import proto_json_utils
from starlette.responses import Response
from starlette.routing import Route

from workspace.errors import ApiError, invalid
from workspace.http import Call, api

# MLflow ships these without types.
_parse_dict: Callable[[dict[str, Any], Any], None] = proto_json_utils.parse_dict
_message_to_json: Callable[[Any], str] = proto_json_utils.message_to_json

PREFIX = "/api/2.0/mlflow"


def rpc(method: str, path: str, request_type: Any, handler: Callable[[Any], Any]) -> Route:
    """A route that answers `handler(request message)`, which returns a response message or raises MlflowException."""

    def run(call: Call) -> Response:
        message = _parse(call, request_type)
        try:
            answer = handler(message)
        except MlflowException as error:
            raise _api_error(error) from error
        return Response(_message_to_json(answer), media_type="application/json")

    return api(method, PREFIX + path, run)


def _parse(call: Call, request_type: Any) -> Any:
    """The request message of a call: its path's and query's fields, and its body's. Unknown fields are ignored."""
    message = request_type()
    fields = {field.name: field for field in message.DESCRIPTOR.fields}
    given = {**call.query, **call.path}
    try:
        from_url = {name: _from_url(fields[name], value) for name, value in given.items() if name in fields}
        _parse_dict({**call.body, **from_url}, message)
    except ParseError as error:
        raise invalid(f"Invalid value in the request: {error}") from error
    return message


def _from_url(field: Any, value: str) -> Any:
    if field.type == FieldDescriptor.TYPE_BOOL:
        if value.lower() not in ("true", "false"):
            raise invalid(f"Invalid boolean value: {value!r} for {field.name}, must be 'true' or 'false'.")
        return value.lower() == "true"
    return [value] if field.label == FieldDescriptor.LABEL_REPEATED else value


def _api_error(error: Any) -> ApiError:
    # MLflow answers INVALID_STATE with 500, which clients retry; Databricks answers 400.
    status = 400 if error.error_code == ErrorCode.Name(INVALID_STATE) else error.get_http_status_code()
    return ApiError(status, str(error.error_code), error.message)
