"""Faults on demand, as clients meet them: what a rule does to a call, when, how often, and what it leaves alone."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import (
    BadRequest,
    DeadlineExceeded,
    InternalError,
    InvalidParameterValue,
    NotFound,
    RequestLimitExceeded,
    TemporarilyUnavailable,
)

from tests.support.server import WorkspaceServer

SCHEMAS = "/api/2.1/unity-catalog/schemas"
ONE_SCHEMA = f"{SCHEMAS}/*"
Faulty = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def faulty_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceServer]:
    """A server of this module's own: rules meet every client of a server."""
    running = WorkspaceServer(tmp_path_factory.mktemp("faulty"))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def client(faulty_server: WorkspaceServer) -> WorkspaceClient:
    """A client that gives up at once, so that a test sees the first answer."""
    return faulty_server.client(retry_timeout_seconds=1)


@pytest.fixture
def fault(client: WorkspaceClient) -> Iterator[Faulty]:
    """Makes rules, which are gone when the test ends."""

    def make(**rule: Any) -> dict[str, Any]:
        made = client.api_client.do("POST", "/_workspace/faults", body=rule)
        assert isinstance(made, dict)
        return made

    yield make
    client.api_client.do("DELETE", "/_workspace/faults")


def schema_names(client: WorkspaceClient) -> set[str | None]:
    return {schema.name for schema in client.schemas.list("main")}


def raw(server: WorkspaceServer, method: str, path: str, body: Any = None) -> tuple[http.client.HTTPResponse, Any]:
    """One request without a client that retries."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    headers = {"Authorization": f"Bearer {server.token}"}
    connection.request(method, path, body=json.dumps(body) if body is not None else None, headers=headers)
    answer = connection.getresponse()
    return answer, json.loads(answer.read() or b"null")


def logged(server: WorkspaceServer, method: str, path: str) -> list[dict[str, Any]]:
    _, body = raw(server, "GET", "/_workspace/requests")
    return [entry for entry in body["requests"] if (entry["method"], entry["path"]) == (method, path)]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, RequestLimitExceeded),
        (500, InternalError),
        (503, TemporarilyUnavailable),
        (504, DeadlineExceeded),
    ],
)
def test_a_refused_call_raises_the_clients_own_error_and_has_no_effect(
    client: WorkspaceClient, fault: Faulty, status: int, error: type[Exception]
) -> None:
    fault(method="POST", path=SCHEMAS, status=status)
    with pytest.raises((error, TimeoutError)) as caught:
        client.schemas.create(f"never_{status}", "main")
    # A status that the client retries ends in its time-out, which carries the last answer.
    assert isinstance(caught.value, error) or isinstance(caught.value.__cause__, error)
    assert f"never_{status}" not in schema_names(client)


def test_a_refusal_carries_the_services_shape_and_retry_after(faulty_server: WorkspaceServer, fault: Faulty) -> None:
    fault(path=SCHEMAS, status=429, retry_after=7, times=1)
    answer, body = raw(faulty_server, "GET", f"{SCHEMAS}?catalog_name=main")
    assert (answer.status, answer.getheader("Retry-After")) == (429, "7")
    assert answer.getheader("x-databricks-org-id") is not None
    assert body["error_code"] == "REQUEST_LIMIT_EXCEEDED"
    assert "rate limit" in body["message"]
    assert raw(faulty_server, "GET", f"{SCHEMAS}?catalog_name=main")[0].status == 200


def test_the_client_gets_through_once_the_rules_count_is_used_up(faulty_server: WorkspaceServer, fault: Faulty) -> None:
    rule = fault(method="POST", path=SCHEMAS, status=503, retry_after=0, times=2)
    patient = faulty_server.client(retry_timeout_seconds=30)
    patient.schemas.create("patience", "main")
    (shown,) = raw(faulty_server, "GET", "/_workspace/faults")[1]["faults"]
    assert (shown["id"], shown["hits"], shown["calls"]) == (rule["id"], 2, 3)
    assert [entry["status"] for entry in logged(faulty_server, "POST", SCHEMAS)][-3:] == [503, 503, 200]


def test_a_rule_starts_after_so_many_calls(faulty_server: WorkspaceServer, fault: Faulty) -> None:
    fault(method="GET", path=SCHEMAS, status=500, after_calls=2, times=1)
    statuses = [raw(faulty_server, "GET", f"{SCHEMAS}?catalog_name=main")[0].status for _ in range(4)]
    assert statuses == [200, 200, 500, 200]


def test_a_failure_after_the_write_leaves_what_was_written(client: WorkspaceClient, fault: Faulty) -> None:
    fault(method="POST", path=SCHEMAS, status=500, when="after", times=1)
    with pytest.raises(InternalError):
        client.schemas.create("written_all_the_same", "main")
    assert "written_all_the_same" in schema_names(client)


def test_a_deletion_that_took_effect_can_be_answered_with_503(
    faulty_server: WorkspaceServer, client: WorkspaceClient, fault: Faulty
) -> None:
    client.schemas.create("half_deleted", "main")
    fault(method="DELETE", path=ONE_SCHEMA, status=503, retry_after=0, when="after", times=1)
    # The client tries again, and meets the effect of the call that it was told had failed.
    with pytest.raises(NotFound):
        faulty_server.client(retry_timeout_seconds=20).schemas.delete("main.half_deleted")
    statuses = [entry["status"] for entry in logged(faulty_server, "DELETE", f"{SCHEMAS}/main.half_deleted")]
    assert statuses == [503, 404]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_reset_cuts_the_connection_and_says_nothing(
    faulty_server: WorkspaceServer, client: WorkspaceClient, fault: Faulty, when: str
) -> None:
    name = f"cut_{when}"
    rule = fault(method="POST", path=SCHEMAS, reset=True, when=when, times=1)
    with pytest.raises(ConnectionResetError):
        raw(faulty_server, "POST", SCHEMAS, {"name": name, "catalog_name": "main"})
    assert (name in schema_names(client)) is (when == "after")
    entry = logged(faulty_server, "POST", SCHEMAS)[-1]
    assert (entry["status"], entry["fault"]) == (None, rule["id"])


def test_a_client_that_tries_again_meets_what_its_lost_call_had_made(
    faulty_server: WorkspaceServer, fault: Faulty
) -> None:
    patient = faulty_server.client(retry_timeout_seconds=20)
    fault(method="POST", path=SCHEMAS, reset=True, times=1)
    patient.schemas.create("second_try", "main")
    fault(method="POST", path=SCHEMAS, reset=True, when="after", times=1)
    with pytest.raises(BadRequest, match="already exists"):
        patient.schemas.create("made_unseen", "main")
    assert {"second_try", "made_unseen"} <= schema_names(patient)


def test_a_reset_meets_only_the_connection_it_came_by(faulty_server: WorkspaceServer, fault: Faulty) -> None:
    other = http.client.HTTPConnection("127.0.0.1", faulty_server.port, timeout=20)
    other.request("GET", "/health")
    other.getresponse().read()
    kept = other.sock
    fault(path=SCHEMAS, reset=True, times=1)
    with pytest.raises(ConnectionResetError):
        raw(faulty_server, "GET", SCHEMAS)
    other.request("GET", "/health")
    assert other.getresponse().status == 200
    assert other.sock is kept


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_delay_keeps_the_answer_and_costs_its_time(faulty_server: WorkspaceServer, fault: Faulty, when: str) -> None:
    fault(path=SCHEMAS, delay_ms=300, when=when, times=1)
    started = time.monotonic()
    answer, body = raw(faulty_server, "GET", f"{SCHEMAS}?catalog_name=main")
    assert time.monotonic() - started >= 0.3
    assert answer.status == 200
    assert "schemas" in body
    assert logged(faulty_server, "GET", SCHEMAS)[-1]["duration_ms"] >= 300


def test_a_delayed_call_holds_up_no_other(faulty_server: WorkspaceServer, fault: Faulty) -> None:
    fault(path=SCHEMAS, delay_ms=3_000, status=500, times=1)
    slow = http.client.HTTPConnection("127.0.0.1", faulty_server.port, timeout=20)
    started = time.monotonic()
    slow.request("GET", SCHEMAS, headers={"Authorization": f"Bearer {faulty_server.token}"})
    assert raw(faulty_server, "GET", "/api/2.1/unity-catalog/catalogs")[0].status == 200
    assert time.monotonic() - started < 2
    slow.close()


def test_invocations_are_faulted_like_any_other_path(client: WorkspaceClient, fault: Faulty) -> None:
    fault(method="POST", path="/serving-endpoints/*/invocations", status=500, message="the model is on fire", times=1)
    with pytest.raises(InternalError, match="the model is on fire"):
        client.serving_endpoints.query("anything", inputs=[1])
    with pytest.raises(NotFound):
        client.serving_endpoints.query("anything", inputs=[1])


@pytest.mark.parametrize(
    ("pattern", "path", "met"),
    [
        ("/api/2.0/serving-endpoints/*", "/api/2.0/serving-endpoints/a", True),
        ("/api/2.0/serving-endpoints/*", "/api/2.0/serving-endpoints/a/config", False),
        ("/api/2.0/serving-endpoints/**", "/api/2.0/serving-endpoints/a/config", True),
        ("/api/2.0/serving-endpoints/*/config", "/api/2.0/serving-endpoints/a/config", True),
        ("/api/2.0/serving-endpoints/a?", "/api/2.0/serving-endpoints/ab", True),
        ("/api/2.0/serving-endpoints/a.b", "/api/2.0/serving-endpoints/axb", False),
        ("**", "/api/2.0/anything", True),
    ],
)
def test_stars_stay_within_a_segment_unless_doubled(
    faulty_server: WorkspaceServer, fault: Faulty, pattern: str, path: str, met: bool
) -> None:
    fault(path=pattern, status=503)
    assert (raw(faulty_server, "GET", path)[0].status == 503) is met


def test_the_first_rule_whose_turn_it_is_is_applied_alone(faulty_server: WorkspaceServer, fault: Faulty) -> None:
    fault(path=SCHEMAS, status=503, times=1)
    fault(path="**", status=500, times=1)
    statuses = [raw(faulty_server, "GET", f"{SCHEMAS}?catalog_name=main")[0].status for _ in range(3)]
    assert statuses == [503, 500, 200]


def test_rules_cannot_lock_their_maker_out(faulty_server: WorkspaceServer, fault: Faulty) -> None:
    fault(path="**", status=500)
    assert raw(faulty_server, "GET", "/health")[0].status == 200
    assert raw(faulty_server, "GET", "/_workspace/faults")[0].status == 200
    assert raw(faulty_server, "DELETE", "/_workspace/faults")[1] == {"removed": 1}
    assert raw(faulty_server, "GET", f"{SCHEMAS}?catalog_name=main")[0].status == 200


def test_one_rule_is_removed_by_its_id(client: WorkspaceClient, faulty_server: WorkspaceServer, fault: Faulty) -> None:
    first, second = fault(path=SCHEMAS, status=503), fault(path=SCHEMAS, status=500)
    client.api_client.do("DELETE", f"/_workspace/faults/{first['id']}")
    assert [rule["id"] for rule in raw(faulty_server, "GET", "/_workspace/faults")[1]["faults"]] == [second["id"]]
    with pytest.raises(NotFound, match=f"the rules are: {second['id']}"):
        client.api_client.do("DELETE", f"/_workspace/faults/{first['id']}")


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"status": 500}, "path is a pattern"),
        ({"path": "/x"}, "would do nothing"),
        ({"path": "/x", "status": 418}, "status is one of 429, 500, 503, 504; received 418"),
        ({"path": "/x", "status": 500, "reset": True}, "not both"),
        ({"path": "/x", "status": 500, "method": "FETCH"}, "received 'FETCH'"),
        ({"path": "/x", "status": 500, "times": 0}, "times is a whole number, 1 or more; received 0"),
        ({"path": "/x", "status": 500, "after_calls": -1}, "after_calls is a whole number, 0 or more"),
        ({"path": "/x", "status": 500, "retry_after": 3}, "retry_after goes with status 429 or 503"),
        ({"path": "/x", "delay_ms": "long"}, "delay_ms is a number of milliseconds"),
        ({"path": "/x", "status": 500, "when": "during"}, "before or after"),
        ({"path": "/x", "reset": True, "message": "bye"}, "goes with a status"),
        ({"path": "/_workspace/faults", "status": 500}, "never faulted"),
        ({"path": "/x", "status": 500, "count": 1}, "unknown field 'count'"),
    ],
)
def test_a_rule_that_is_none_is_refused_in_words(client: WorkspaceClient, rule: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidParameterValue, match=words):
        client.api_client.do("POST", "/_workspace/faults", body=rule)


def test_faults_take_a_token_and_leave_no_trace_of_themselves_in_the_log(
    faulty_server: WorkspaceServer, fault: Faulty
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", faulty_server.port, timeout=20)
    connection.request("POST", "/_workspace/faults", body=json.dumps({"path": "**", "status": 500}))
    assert connection.getresponse().status == 401
    fault(path=SCHEMAS, status=503)
    raw(faulty_server, "GET", SCHEMAS)
    entries = raw(faulty_server, "GET", "/_workspace/requests")[1]["requests"]
    assert not [entry for entry in entries if entry["path"].startswith("/_workspace")]
    assert (entries[-1]["path"], entries[-1]["status"]) == (SCHEMAS, 503)


def test_an_unknown_token_is_refused_and_counts_for_no_rule(faulty_server: WorkspaceServer, fault: Faulty) -> None:
    fault(path=SCHEMAS, status=503)
    connection = http.client.HTTPConnection("127.0.0.1", faulty_server.port, timeout=20)
    connection.request("GET", SCHEMAS, headers={"Authorization": "Bearer someone"})
    assert connection.getresponse().status in (401, 403)
    assert raw(faulty_server, "GET", "/_workspace/faults")[1]["faults"][0]["calls"] == 0


def test_a_restart_starts_without_faults(start_server: Callable[[], WorkspaceServer]) -> None:
    server = start_server()
    raw(server, "POST", "/_workspace/faults", {"path": "**", "status": 500})
    assert raw(server, "GET", SCHEMAS + "?catalog_name=main")[0].status == 500
    server.restart()
    assert raw(server, "GET", "/_workspace/faults")[1] == {"faults": []}
    assert raw(server, "GET", SCHEMAS + "?catalog_name=main")[0].status == 200
