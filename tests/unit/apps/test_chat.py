"""The sample app of the chatbot: what it prints, and how it ends."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from apps.chat.__main__ import DONE, FAILED, REFUSED, main
from apps.client import CredentialsError

ANSWER = {"answer": "A unified governance solution.", "sources": ["doc1.pdf", "doc2.pdf"]}


class Endpoint:
    """A chatbot's endpoint over HTTP."""

    def __init__(self) -> None:
        self.status = 200
        self.prediction: Any = ANSWER
        self.asked: list[Any] = []
        self.url = ""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            body = json.dumps({"predictions": [made.prediction]}).encode()
            self.send_response(made.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        made.url = f"http://127.0.0.1:{server.server_port}/serving-endpoints/rag/invocations"
        yield made
        server.shutdown()


@pytest.fixture
def outputs(endpoint: Endpoint, tmp_path: Path) -> Path:
    file = tmp_path / "outputs.json"
    document = {"contractVersion": "1.2", "endpointName": "rag", "endpointUrl": endpoint.url}
    file.write_text(json.dumps(document))
    return file


def test_the_answer_and_its_sources_are_printed(
    endpoint: Endpoint, outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["What is Unity Catalog?", "--outputs", str(outputs)], headers=dict) == DONE
    assert capsys.readouterr().out == "A unified governance solution.\n  - doc1.pdf\n  - doc2.pdf\n"
    assert endpoint.asked == [{"dataframe_records": [{"query": "What is Unity Catalog?"}]}]


@pytest.mark.parametrize(("status", "prediction"), [(400, ANSWER), (200, "a text"), (200, {"sources": []})])
def test_what_is_no_answer_ends_in_an_error(
    status: int, prediction: Any, endpoint: Endpoint, outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint.status, endpoint.prediction = status, prediction
    assert main(["Why?", "--outputs", str(outputs)], headers=dict) == FAILED
    said = capsys.readouterr()
    assert (said.out, "error: " in said.err) == ("", True)


def test_a_token_that_is_not_renewed_ends_in_an_error(
    endpoint: Endpoint, outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def expired() -> dict[str, str]:
        raise CredentialsError("the workspace gives no token")

    assert main(["Why?", "--outputs", str(outputs)], headers=expired) == FAILED
    assert "gives no token" in capsys.readouterr().err
    assert endpoint.asked == []


def test_without_a_stack_nothing_is_asked(
    endpoint: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.json").write_text("{}")
    assert main(["Why?", "--outputs", str(tmp_path / "empty.json")], headers=dict) == REFUSED
    assert "has the stack been deployed?" in capsys.readouterr().err
    assert endpoint.asked == []
