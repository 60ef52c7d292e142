"""An embedding model outside of the workspace, on loopback: what an external model endpoint passes requests on to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WORDS = ("cat", "dog", "fish", "car", "train", "plane")


def embedded(text: str) -> list[float]:
    """How often each of the known words is in the text."""
    words = text.lower().split()
    return [float(words.count(word)) for word in WORDS]


@contextmanager
def embedding_provider() -> Iterator[tuple[str, list[Sequence[str]]]]:
    """Its address, and the texts of every request that it got."""
    asked: list[Sequence[str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name that http.server gives
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            asked.append(body["input"])
            data = [{"index": n, "object": "embedding", "embedding": embedded(t)} for n, t in enumerate(body["input"])]
            answer = json.dumps({"object": "list", "model": body["model"], "data": data}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
