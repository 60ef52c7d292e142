"""A served entity: one process that loads one registered model and answers requests on an inherited socket.

    python -m workspace.serving.model_server <socket fd> <lifeline fd>

The first frame says what to load; the answer to it says whether that went well. The process ends when its server does,
also when that is killed: the lifeline is a pipe that only the server holds open.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.exceptions import ERROR_CODE_TO_HTTP_STATUS, MlflowException
from mlflow.models import Model
from mlflow.pyfunc import PyFuncModel, load_model, scoring_server
from mlflow.pyfunc.scoring_server import CONTENT_TYPE_JSON

from workspace.feature_store.keyed import KeyedReader
from workspace.serving import framing
from workspace.serving.feature_spec import RAW_MODEL, FeatureLookup, feature_data, read_spec

# Not passed to the model, and not part of what the scoring server reads.
SERVICE_FIELDS = ("client_request_id", "usage_context")
# The parameter that every model with feature lookups has in its signature, and what it holds when nobody set it
# (databricks-feature-lookup, `mlflow_model_constants`).
RESULT_TYPE, NO_RESULT_TYPE = "result_type", "NO_RESULT_TYPE"
TRACEBACK_LINES = 12


class LookupModel:
    """The pyfunc of a model with feature lookups: the outer model's input in, the raw model's predictions out."""

    def __init__(self, lookup: FeatureLookup, columns: tuple[str, ...], raw_model: PyFuncModel) -> None:
        self._lookup = lookup
        self._columns = list(columns)
        self._raw_model = raw_model

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:
        rows = self._lookup.model_rows(model_input.to_dict(orient="records"))
        if params and params.get(RESULT_TYPE, NO_RESULT_TYPE) == NO_RESULT_TYPE:
            params = {name: value for name, value in params.items() if name != RESULT_TYPE}
        return self._raw_model.predict(pd.DataFrame(rows, columns=self._columns), params=params or None)


def load(model_folder: Path, online: dict[str, str]) -> PyFuncModel:
    """The model, with its feature lookups where it has them. `online` are keyed stores by feature table."""
    data = feature_data(model_folder)
    if data is None:
        return load_model(str(model_folder))
    spec = read_spec(data)
    readers = {table: KeyedReader(Path(path)) for table, path in online.items()}
    wrapped = LookupModel(FeatureLookup(spec, readers), spec.model_columns, load_model(str(data / RAW_MODEL)))
    return PyFuncModel(model_meta=Model.load(str(model_folder)), model_impl=wrapped)


class ModelServer:
    """Answers the frames of one connection; `concurrency` requests at a time."""

    def __init__(self, connection: socket.socket, model: PyFuncModel, concurrency: int) -> None:
        self._connection = connection
        self._model = model
        # MLflow's scoring server has no types.
        metadata: Any = model.metadata
        self._schema = metadata.get_input_schema()
        self._invocations: Any = scoring_server.invocations
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="predict")
        self._sending = threading.Lock()

    def run(self) -> None:
        """Until the server closes the connection."""
        while (frame := framing.read(self._connection)) is not None:
            self._pool.submit(self._answer, *frame)

    def _answer(self, number: int, meta: framing.Meta, body: bytes) -> None:
        started = time.perf_counter()
        answer, text = self._score(meta["content_type"], body)
        answer["ms"] = (time.perf_counter() - started) * 1000
        packed = framing.pack(number, answer, text.encode())
        with self._sending:
            self._connection.sendall(packed)

    def _score(self, content_type: str, body: bytes) -> tuple[framing.Meta, str]:
        answer: framing.Meta = {"content_type": CONTENT_TYPE_JSON}
        try:
            data: Any = body
            if content_type.partition(";")[0].strip() == CONTENT_TYPE_JSON:
                data = _parsed(body)
                if isinstance(data, dict):
                    answer["client_request_id"] = data.get("client_request_id")
                    data = {name: value for name, value in data.items() if name not in SERVICE_FIELDS}
            result = self._invocations(data, content_type, self._model, self._schema)
            return {**answer, "status": result.status, "content_type": result.mimetype}, result.response
        except MlflowException as error:
            print(traceback.format_exc(), file=sys.stderr, flush=True)
            status = ERROR_CODE_TO_HTTP_STATUS.get(error.error_code, 500)
            return {**answer, "status": status}, _error("BAD_REQUEST" if status == 400 else error.error_code, error)
        except Exception as error:  # noqa: BLE001 - a model may raise anything, and the caller must get an answer
            print(traceback.format_exc(), file=sys.stderr, flush=True)
            return {**answer, "status": 500}, _error("INTERNAL_ERROR", error)


def _parsed(body: bytes) -> Any:
    """The JSON of a body; the body itself where it is none, for MLflow to refuse in its own words."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return body
    return parsed if isinstance(parsed, dict) else body


def _error(code: str, error: Exception) -> str:
    message = error.message if isinstance(error, MlflowException) else str(error)
    if error.__context__ is not None and str(error.__context__) not in message:
        message = f"{message} Error '{error.__context__}'"
    return json.dumps({"error_code": code, "message": message})


def _end_with_server(lifeline: int) -> None:
    """Blocks until the server's end of the lifeline is closed, by the server or its death; then ends the group."""
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)


def main() -> int:
    connection = socket.socket(fileno=int(sys.argv[1]))
    threading.Thread(target=_end_with_server, args=(int(sys.argv[2]),), daemon=True).start()
    # The model gets a fresh import path: what it needs comes with it or from the environment, never from this project.
    sys.path[:] = [entry for entry in sys.path if entry not in ("", os.getcwd())]
    frame = framing.read(connection)
    if frame is None:
        return 0
    _, config, _ = frame
    os.chdir(config["folder"])
    try:
        model = load(Path(config["model"]), config["online"])
    except Exception as error:  # noqa: BLE001 - a model may raise anything while it loads
        text = traceback.format_exc()
        print(text, file=sys.stderr, flush=True)
        last = "\n".join(text.strip().splitlines()[-TRACEBACK_LINES:])
        connection.sendall(framing.pack(framing.LOAD, {"error": f"{type(error).__name__}: {error}", "traceback": last}))
        return 1
    # What is loaded stays: the collector need not look at it again, which evens out latency.
    gc.collect()
    gc.freeze()
    server = ModelServer(connection, model, config["concurrency"])
    connection.sendall(framing.pack(framing.LOAD, {"ready": True}))
    print(f"Model {config['model_name']} loaded; serving.", file=sys.stderr, flush=True)
    server.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
