"""The workspace's own switches: settings, and the request log."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient, errors
from databricks.sdk.errors import InvalidParameterValue, NotFound
from databricks.sdk.service.ml import OnlineStore

from tests.support.feature_serving import World, world
from workspace.settings import DEFAULTS, Settings
from workspace.state import State


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def ask(client: WorkspaceClient, method: str, path: str, **body: Any) -> dict[str, Any]:
    answer = client.api_client.do(method, path, body=body or None)
    assert isinstance(answer, dict)
    return answer


def test_a_change_leaves_the_other_settings_alone(shop: World) -> None:
    before = ask(shop.client, "GET", "/_workspace/settings")
    assert set(before) == set(DEFAULTS)
    changed = ask(shop.client, "PUT", "/_workspace/settings", scale_to_zero_idle_seconds=7)
    assert changed == {**before, "scale_to_zero_idle_seconds": 7.0}
    assert ask(shop.client, "GET", "/_workspace/settings") == changed


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"unknown": 1}, "unknown setting 'unknown'; the settings are"),
        ({"scale_to_zero_idle_seconds": -1}, "0 or more; received -1"),
        ({"scale_to_zero_idle_seconds": "soon"}, "received 'soon'"),
        ({"scale_to_zero_idle_seconds": True}, "received True"),
        ({"scale_to_zero_idle_seconds": 1, "unknown": 1}, "unknown setting"),
    ],
)
def test_what_is_no_setting_or_no_time_is_refused_whole(shop: World, body: dict[str, Any], words: str) -> None:
    before = ask(shop.client, "GET", "/_workspace/settings")
    with pytest.raises(InvalidParameterValue, match=words):
        ask(shop.client, "PUT", "/_workspace/settings", **body)
    assert ask(shop.client, "GET", "/_workspace/settings") == before


def test_settings_outlive_the_server(tmp_path: Path) -> None:
    state = State(tmp_path)
    Settings(state).change({"endpoint_provisioning_seconds": 12})
    state.close()
    reopened = State(tmp_path)
    assert Settings(reopened).get("endpoint_provisioning_seconds") == 12
    reopened.close()


def test_every_setting_is_described() -> None:
    page = (Path(__file__).parents[2] / "docs" / "workspace.md").read_text()
    assert [name for name in DEFAULTS if f"| `{name}` |" not in page] == []


def test_provisioning_goes_by_the_clock_of_the_workspace(shop: World) -> None:
    shop.set(online_store_provisioning_seconds=3600)
    created = shop.client.feature_store.create_online_store(OnlineStore(name="slow", capacity="CU_1"))
    assert str(created.state).endswith("STARTING")
    shop.clock.advance(3599)
    assert str(shop.client.feature_store.get_online_store("slow").state).endswith("STARTING")
    shop.clock.advance(1)
    assert str(shop.client.feature_store.get_online_store("slow").state).endswith("AVAILABLE")


def test_the_request_log_shows_what_was_asked_and_how_it_ended(shop: World) -> None:
    with pytest.raises(NotFound):
        shop.client.feature_store.get_online_store("absent")
    list(shop.client.feature_store.list_online_stores())
    with pytest.raises(errors.NotImplemented):
        shop.client.api_client.do("GET", "/api/2.0/nowhere", query={"secret": "x"})
    stores = "/api/2.0/feature-store/online-stores"
    entries = ask(shop.client, "GET", "/_workspace/requests")["requests"]
    assert [(one["method"], one["path"], one["status"]) for one in entries][-3:] == [
        ("GET", f"{stores}/absent", 404),
        ("GET", stores, 200),
        ("GET", "/api/2.0/nowhere", 501),
    ]
    assert "secret" not in str(entries)
    last = entries[-1]["number"]
    list(shop.client.feature_store.list_online_stores())
    since: Any = shop.client.api_client.do("GET", "/_workspace/requests", query={"since": str(last)})
    assert [one["path"] for one in since["requests"]] == [stores]


def test_the_request_log_is_searched_by_method_path_and_status(shop: World) -> None:
    stores = "/api/2.0/feature-store/online-stores"
    for name in ("a", "b"):
        with pytest.raises(NotFound):
            shop.client.feature_store.delete_online_store(name)
    list(shop.client.feature_store.list_online_stores())

    def found(**query: str) -> list[str]:
        answer: Any = shop.client.api_client.do("GET", "/_workspace/requests", query=query)
        return [f"{one['method']} {one['path']}" for one in answer["requests"]]

    assert found(method="DELETE") == [f"DELETE {stores}/a", f"DELETE {stores}/b"]
    assert found(path=f"{stores}/*") == [f"DELETE {stores}/a", f"DELETE {stores}/b"]
    assert found(path="/api/2.0/feature-store/**", status="200") == [f"GET {stores}"]
    with pytest.raises(InvalidParameterValue, match="received 'yesterday'"):
        found(since="yesterday")


def test_the_switches_take_a_token_and_are_not_in_the_log(shop: World) -> None:
    host = shop.client.config.host
    assert host is not None
    for path in ("settings", "requests", "clock"):
        connection = http.client.HTTPConnection(host.removeprefix("http://"), timeout=20)
        connection.request("GET", f"/_workspace/{path}")
        assert connection.getresponse().status == 401
        connection.close()
        ask(shop.client, "GET", f"/_workspace/{path}")
    entries = ask(shop.client, "GET", "/_workspace/requests")["requests"]
    assert [one for one in entries if one["path"].startswith("/_workspace")] == []
