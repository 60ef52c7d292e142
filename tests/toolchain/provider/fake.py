"""A workspace for tests: answers like the one the official plugin was recorded against, and keeps every request."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.toolchain.provider.fake_routes import route
from tests.toolchain.provider.fake_state import WORKSPACE_ID, Fake, RefusedError, Request


class _Handler(BaseHTTPRequestHandler):
    server: "Server"

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.loads(content) if content else {}
        request = Request(self.command, unquote(parts.path), dict(parse_qsl(parts.query)), body)
        status, answer = 200, "{}"
        with self.server.fake.lock:
            try:
                answer = json.dumps(self.server.fake.answer(request))
            except RefusedError as error:
                status, answer = error.status, json.dumps({"error_code": error.code, "message": str(error)})
        payload = answer.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.send_header("X-Databricks-Org-Id", str(WORKSPACE_ID))
        self.end_headers()
        self.wfile.write(payload)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815  the base class looks for these names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it so
        """Silent: the requests are kept."""


class Server(ThreadingHTTPServer):
    """The fake on a free loopback port; a context manager."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fake = Fake(route=route)
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def close(self) -> None:
        self.shutdown()
        self.server_close()
