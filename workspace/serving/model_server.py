"""A served entity: one process that loads one registered model and answers requests on an inherited socket.

    python -m workspace.serving.model_server <socket fd> <lifeline fd>

The first frame says what to load; the answer to it says whether that went well. The process ends when its server does,
also when that is killed: the lifeline is a pipe that only the server holds open.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from workspace.collection import without_collection

with without_collection():
    import pandas as pd
    from mlflow.models import Model
    from mlflow.pyfunc import PyFuncModel, load_model

    from workspace.feature_store.keyed import KeyedReader
    from workspace.serving import framing
    from workspace.serving.feature_spec import RAW_MODEL, FeatureLookup, OnlineRows, feature_data, read_spec
    from workspace.serving.scoring import Scorer, failure

# The parameter that every model with feature lookups has in its signature, and what it holds when nobody set it
# (databricks-feature-lookup, `mlflow_model_constants`).
RESULT_TYPE, NO_RESULT_TYPE = "result_type", "NO_RESULT_TYPE"
TRACEBACK_LINES = 12
# Objects between two collections. Python's 700 are less than what pandas makes for one small request.
GARBAGE_THRESHOLD = 20_000


class LookupModel:
    """The pyfunc of a model with feature lookups: the outer model's input in, the raw model's predictions out."""

    def __init__(self, lookup: FeatureLookup, columns: tuple[str, ...], raw_model: PyFuncModel) -> None:
        self._lookup = lookup
        self._columns = list(columns)
        self._raw_model = raw_model

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:
        rows = self._lookup.model_rows(_records(model_input))
        if params and params.get(RESULT_TYPE, NO_RESULT_TYPE) == NO_RESULT_TYPE:
            params = {name: value for name, value in params.items() if name != RESULT_TYPE}
        # In the model's order already: naming the columns once more would make pandas align them, for 0.2 ms.
        columns = {name: [row[name] for row in rows] for name in self._columns}
        return self._raw_model.predict(pd.DataFrame(columns), params=params or None)


def _records(frame: pd.DataFrame) -> list[dict[Any, Any]]:
    """Rows by column name, as `to_dict(orient="records")` gives them, in a fraction of the time for the usual few."""
    columns = list(frame.columns)
    values = (frame.iloc[:, position].tolist() for position in range(len(columns)))
    return [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]


class SlowRows:
    """An online table each of whose reads takes a time besides."""

    def __init__(self, rows: KeyedReader, seconds: float) -> None:
        self._rows = rows
        self._seconds = seconds

    def lookup(self, keys: Mapping[str, object], columns: Sequence[str]) -> dict[str, Any]:
        time.sleep(self._seconds)
        return self._rows.lookup(keys, columns)

    def layout(self) -> Any:
        return self._rows.layout()


def load(
    model_folder: Path,
    online: dict[str, str],
    lookup_seconds: float = 0.0,
    functions: Mapping[str, Mapping[str, Any]] | None = None,
) -> PyFuncModel:
    """The model, with its feature lookups where it has them.

    Args:
        online: keyed stores by feature table.
        lookup_seconds: what one read of them takes besides.
        functions: of on-demand features, by name, as their catalog describes them.
    """
    data = feature_data(model_folder)
    if data is None:
        return load_model(str(model_folder))
    spec = read_spec(data)
    readers: dict[str, OnlineRows] = {table: KeyedReader(Path(path)) for table, path in online.items()}
    if lookup_seconds:
        readers = {table: SlowRows(KeyedReader(Path(path)), lookup_seconds) for table, path in online.items()}
    lookup = FeatureLookup(spec, readers, functions)
    wrapped = LookupModel(lookup, spec.model_columns, load_model(str(data / RAW_MODEL)))
    return PyFuncModel(model_meta=Model.load(str(model_folder)), model_impl=wrapped)


class ModelServer:
    """Answers the frames of one connection; `concurrency` requests at a time."""

    def __init__(self, connection: socket.socket, frames: framing.Frames, model: PyFuncModel, concurrency: int) -> None:
        self._connection = connection
        self._frames = frames
        self._scorer = Scorer(model)
        self._concurrency = concurrency
        self._reading = threading.Lock()
        self._sending = threading.Lock()

    def run(self) -> None:
        """Until the server closes the connection."""
        threads = [
            threading.Thread(target=self._work, name=f"predict-{number}", daemon=True)
            for number in range(1, self._concurrency)
        ]
        for thread in threads:
            thread.start()
        self._work()

    def _work(self) -> None:
        """Read a request and answer it. Whoever reads also answers: handing it to another thread takes longer than
        a small model's prediction does."""
        while True:
            with self._reading:
                frame = self._frames.read()
            if frame is None:
                return
            self._answer(*frame)

    def _answer(self, number: int, meta: framing.Meta, body: bytes) -> None:
        started = time.perf_counter()
        answer, content = self._scorer.score(meta["content_type"], body)
        if not isinstance(content, str):
            self._send(number, {**answer, framing.MORE: True})
            content = self._stream(number, content)
        answer["ms"] = (time.perf_counter() - started) * 1000
        self._send(number, answer, content)

    def _stream(self, number: int, chunks: Iterator[str]) -> str:
        """Send what the model streams; the error that ended it, empty where there was none."""
        try:
            for chunk in chunks:
                self._send(number, {framing.MORE: True}, chunk)
        except Exception as error:  # noqa: BLE001 - a model may raise anything, also in the middle
            print(traceback.format_exc(), file=sys.stderr, flush=True)
            return failure(error)
        return ""

    def _send(self, number: int, meta: framing.Meta, body: str = "") -> None:
        packed = framing.pack(number, meta, body.encode())
        with self._sending:
            self._connection.sendall(packed)


def _end_with_server(lifeline: int) -> None:
    """Blocks until the server's end of the lifeline is closed, by the server or its death; then ends the group."""
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)


def main() -> int:
    connection = socket.socket(fileno=int(sys.argv[1]))
    threading.Thread(target=_end_with_server, args=(int(sys.argv[2]),), daemon=True).start()
    # The model gets a fresh import path: what it needs comes with it or from the environment, never from this project.
    sys.path[:] = [entry for entry in sys.path if entry not in ("", os.getcwd())]
    frames = framing.Frames(connection)
    frame = frames.read()
    if frame is None:
        return 0
    _, config, _ = frame
    os.chdir(config["folder"])
    try:
        model = load(Path(config["model"]), config["online"], config["lookup_seconds"], config["functions"])
    except Exception as error:  # noqa: BLE001 - a model may raise anything while it loads
        text = traceback.format_exc()
        print(text, file=sys.stderr, flush=True)
        last = "\n".join(text.strip().splitlines()[-TRACEBACK_LINES:])
        connection.sendall(framing.pack(framing.LOAD, {"error": f"{type(error).__name__}: {error}", "traceback": last}))
        return 1
    # What is loaded stays: the collector need not look at it again, which evens out latency.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
    server = ModelServer(connection, frames, model, config["concurrency"])
    connection.sendall(framing.pack(framing.LOAD, {"ready": True}))
    print(f"Model {config['model_name']} loaded; serving.", file=sys.stderr, flush=True)
    server.run()
    # The server is gone, or done with this process: what the model started ends too, whoever notices it first.
    os.killpg(0, signal.SIGKILL)
    return 0


if __name__ == "__main__":
    sys.exit(main())
