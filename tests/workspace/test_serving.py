"""Endpoints over their life: what is shown, what is refused, what goes on serving."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from databricks.sdk import errors
from databricks.sdk.errors import (
    InvalidParameterValue,
    InvalidState,
    NotFound,
    OperationFailed,
    ResourceAlreadyExists,
    ResourceConflict,
)
from databricks.sdk.service.serving import (
    AutoCaptureConfigInput,
    EndpointCoreConfigInput,
    EndpointTag,
    Route,
    ServedEntityInput,
    ServedModelInput,
    ServingEndpointDetailed,
    TrafficConfig,
)

from tests.support.feature_serving import World, entity, eventually, save_model, world

MODEL = "main.ml.numbers"
ONES, TWOS, BROKEN, RAISES, ENVIRONMENT, SLOW_TO_LOAD = 1, 2, 3, 4, 5, 6
WAIT = "import os, time\n        while not os.path.exists('{}'): time.sleep(0.01)"
RECORD = {"dataframe_records": [{"a": 1.0}]}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("serving")
    versions = {
        ONES: ("return [1.0] * len(model_input)", "pass"),
        TWOS: ("return [2.0] * len(model_input)", "pass"),
        BROKEN: ("return []", "raise ValueError('weights are missing')"),
        RAISES: ("raise RuntimeError('cannot predict this')", "pass"),
        ENVIRONMENT: ("import os; return [os.environ.get('SHOWN'), os.environ.get('DATABRICKS_TOKEN')]", "pass"),
        SLOW_TO_LOAD: (
            "return [6.0]",
            f"import os, time\n        while not os.path.exists('{folder}/go'): time.sleep(0.01)",
        ),
    }
    with world(folder) as made:
        for version, (predict, load) in versions.items():
            made.models.add(MODEL, version, save_model(folder / f"saved-{version}", predict, load))
        yield made


def create(shop: World, name: str, *entities: ServedEntityInput, **split: int) -> ServingEndpointDetailed:
    routes = [Route(served_model_name=key, traffic_percentage=share) for key, share in split.items()]
    config = EndpointCoreConfigInput(
        name=name, served_entities=list(entities), traffic_config=TrafficConfig(routes) if routes else None
    )
    return shop.client.serving_endpoints.create(name, config=config).result()


def http(shop: World) -> httpx.Client:
    return httpx.Client(base_url=shop.client.config.host or "", headers={"Authorization": f"Bearer {shop.state.token}"})


def ask(shop: World, name: str) -> Any:
    return shop.client.serving_endpoints.query(name, dataframe_records=[{"a": 1.0}]).predictions


def state_of(endpoint: ServingEndpointDetailed) -> tuple[str, str]:
    assert endpoint.state is not None
    assert endpoint.state.ready is not None
    assert endpoint.state.config_update is not None
    return endpoint.state.ready.value, endpoint.state.config_update.value


def test_endpoint_is_created_not_ready_then_serves(shop: World) -> None:
    config = EndpointCoreConfigInput(name="life", served_entities=[entity(MODEL, ONES)])
    waiter = shop.client.serving_endpoints.create("life", config=config, description="told")
    created: ServingEndpointDetailed = waiter.response
    assert state_of(created) == ("NOT_READY", "IN_PROGRESS")
    assert created.config is None
    assert created.pending_config is not None
    assert created.pending_config.config_version == 1
    with http(shop) as client:
        early = client.post("/serving-endpoints/life/invocations", json=RECORD)
    assert (early.status_code, early.headers["retry-after"]) == (503, "1")
    endpoint = waiter.result()
    assert state_of(endpoint) == ("READY", "NOT_UPDATING")
    assert endpoint.pending_config is None
    assert endpoint.config is not None
    assert endpoint.config.served_entities is not None
    assert endpoint.config.served_models is not None
    served = endpoint.config.served_entities[0]
    assert (served.name, served.workload_size, str(served.workload_type)) == (
        "numbers-1",
        "Small",
        "ServingModelWorkloadType.CPU",
    )
    model = endpoint.config.served_models[0]
    assert (model.name, model.model_name, model.model_version) == ("numbers-1", MODEL, "1")
    assert endpoint.config.traffic_config is not None
    assert endpoint.config.traffic_config.routes == [
        Route(traffic_percentage=100, served_model_name="numbers-1", served_entity_name="numbers-1")
    ]
    assert (endpoint.description, endpoint.route_optimized) == ("told", False)
    assert endpoint.id
    assert endpoint.id != "life"
    assert endpoint.endpoint_url == f"{shop.client.config.host}/serving-endpoints/life/invocations"
    assert ask(shop, "life") == [1.0]
    assert "life" in [one.name for one in shop.client.serving_endpoints.list()]


def test_deleted_endpoint_is_gone_with_its_processes(shop: World) -> None:
    create(shop, "gone", entity(MODEL, ONES, "e"))
    live = shop.serving.deployments.live("gone")
    assert live is not None
    process = live.entities["e"]
    assert process.pid is not None
    shop.client.serving_endpoints.delete("gone")
    with pytest.raises(NotFound):
        shop.client.serving_endpoints.get("gone")
    with pytest.raises(NotFound, match="does not exist, please retry"):
        ask(shop, "gone")
    eventually(lambda: process.pid is None)
    endpoints = shop.state.subfolder("serving", "endpoints")
    eventually(lambda: not any(path.name == live.endpoint_id for path in endpoints.iterdir()))


def test_failed_first_deployment_says_why_and_is_not_ready(shop: World) -> None:
    with pytest.raises(OperationFailed):
        create(shop, "neverup", entity(MODEL, BROKEN, "e"))
    endpoint = shop.client.serving_endpoints.get("neverup")
    assert state_of(endpoint) == ("NOT_READY", "UPDATE_FAILED")
    assert endpoint.config is None
    with pytest.raises(InvalidState, match="not ready"):
        ask(shop, "neverup")


def test_broken_model_leaves_the_old_config_serving(shop: World) -> None:
    create(shop, "steady", entity(MODEL, ONES, "old"))
    with pytest.raises(OperationFailed, match="UPDATE_FAILED"):
        shop.client.serving_endpoints.update_config(
            "steady",
            served_entities=[entity(MODEL, BROKEN, "new"), entity(MODEL, TWOS, "fine")],
            traffic_config=_split(new=100, fine=0),
        ).result()
    endpoint = shop.client.serving_endpoints.get("steady")
    assert state_of(endpoint) == ("READY", "UPDATE_FAILED")
    assert endpoint.config is not None
    assert endpoint.config.config_version == 1
    assert endpoint.pending_config is not None
    assert endpoint.pending_config.config_version == 2
    states = {one.name: one.state for one in endpoint.pending_config.served_entities or []}
    assert states["new"] is not None
    assert states["fine"] is not None
    assert str(states["new"].deployment) == "ServedModelStateDeployment.DEPLOYMENT_FAILED"
    assert "ValueError: weights are missing" in str(states["new"].deployment_state_message)
    assert str(states["fine"].deployment) == "ServedModelStateDeployment.DEPLOYMENT_ABORTED"
    assert "weights are missing" in shop.client.serving_endpoints.build_logs("steady", "new").logs
    assert "weights are missing" in shop.client.serving_endpoints.logs("steady", "new").logs
    assert ask(shop, "steady") == [1.0]
    repaired = shop.client.serving_endpoints.update_config(
        "steady", served_entities=[entity(MODEL, TWOS, "new")]
    ).result()
    assert state_of(repaired) == ("READY", "NOT_UPDATING")
    assert repaired.config is not None
    assert (repaired.config.config_version, repaired.pending_config) == (3, None)
    assert ask(shop, "steady") == [2.0]


def _split(**shares: int) -> TrafficConfig:
    return TrafficConfig([Route(served_model_name=name, traffic_percentage=share) for name, share in shares.items()])


def test_old_config_serves_while_the_new_one_loads_and_updates_do_not_cross(shop: World, tmp_path: Path) -> None:
    create(shop, "busy", entity(MODEL, ONES, "e"))
    waiter = shop.client.serving_endpoints.update_config("busy", served_entities=[entity(MODEL, SLOW_TO_LOAD, "e")])
    assert state_of(shop.client.serving_endpoints.get("busy")) == ("READY", "IN_PROGRESS")
    assert ask(shop, "busy") == [1.0]
    with pytest.raises(ResourceConflict, match="currently being updated"):
        shop.client.serving_endpoints.update_config("busy", served_entities=[entity(MODEL, TWOS, "e")])
    saved = Path(shop.models.model_version(MODEL, str(SLOW_TO_LOAD)).folder)
    (saved.parents[2] / "go").touch()
    waiter.result()
    assert ask(shop, "busy") == [6.0]


def test_requests_in_flight_are_all_answered_through_an_update(shop: World) -> None:
    create(shop, "rolling", entity(MODEL, ONES, "e"))
    answers: Counter[float] = Counter()
    stop = threading.Event()

    def keep_asking() -> None:
        with http(shop) as client:
            while not stop.is_set():
                answer = client.post("/serving-endpoints/rolling/invocations", json=RECORD)
                answers[answer.json()["predictions"][0] if answer.status_code == 200 else -answer.status_code] += 1

    threads = [threading.Thread(target=keep_asking) for _ in range(4)]
    for thread in threads:
        thread.start()
    shop.client.serving_endpoints.update_config("rolling", served_entities=[entity(MODEL, TWOS, "e")]).result()
    eventually(lambda: answers[2.0] > 20)
    stop.set()
    for thread in threads:
        thread.join()
    assert set(answers) == {1.0, 2.0}


def test_traffic_change_keeps_the_processes(shop: World) -> None:
    create(shop, "shift", entity(MODEL, ONES, "a"), entity(MODEL, TWOS, "b"), a=100, b=0)
    before = _pids(shop, "shift")
    shop.client.serving_endpoints.update_config(
        "shift",
        served_entities=[entity(MODEL, ONES, "a"), entity(MODEL, TWOS, "b")],
        traffic_config=_split(a=0, b=100),
    ).result()
    assert _pids(shop, "shift") == before
    assert [ask(shop, "shift") for _ in range(20)] == [[2.0]] * 20
    with http(shop) as client:
        direct = client.post("/serving-endpoints/shift/served-models/a/invocations", json=RECORD)
        assert (direct.json(), direct.headers["served-model-name"]) == ({"predictions": [1.0]}, "a")
        missing = client.post("/serving-endpoints/shift/served-models/c/invocations", json=RECORD)
        assert missing.status_code == 404


def _pids(shop: World, name: str) -> dict[str, int | None]:
    live = shop.serving.deployments.live(name)
    assert live is not None
    return {key: one.pid for key, one in live.entities.items()}


def test_requests_follow_the_split(shop: World) -> None:
    create(shop, "split", entity(MODEL, ONES, "a"), entity(MODEL, TWOS, "b"), a=80, b=20)
    seen: Counter[str] = Counter()
    with http(shop) as client:
        for _ in range(2000):
            answer = client.post("/serving-endpoints/split/invocations", json=RECORD)
            seen[answer.headers["served-model-name"]] += 1
            assert answer.json() == {"predictions": [1.0 if answer.headers["served-model-name"] == "a" else 2.0]}
    # Four standard deviations of a binomial distribution with n = 2000 and p = 0.2: one false alarm in 16,000 runs.
    assert abs(seen["b"] - 400) < 4 * (2000 * 0.8 * 0.2) ** 0.5


def test_environment_reaches_that_entity_and_nothing_of_the_server_does(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABRICKS_TOKEN", "of the server")
    create(
        shop,
        "env",
        entity(MODEL, ENVIRONMENT, "a", environment_vars={"SHOWN": "told"}),
        entity(MODEL, ENVIRONMENT, "b"),
        a=100,
        b=0,
    )
    with http(shop) as client:
        answers = {
            name: client.post(f"/serving-endpoints/env/served-models/{name}/invocations", json=RECORD).json()
            for name in ("a", "b")
        }
    assert answers == {"a": {"predictions": ["told", None]}, "b": {"predictions": [None, None]}}


def test_idle_entity_scales_to_zero_and_wakes_for_the_next_request(shop: World) -> None:
    create(
        shop,
        "sleepy",
        entity(MODEL, ONES, "z"),
        entity(MODEL, TWOS, "always", scale_to_zero_enabled=False),
        z=100,
        always=0,
    )
    before = _pids(shop, "sleepy")
    shop.set(scale_to_zero_idle_seconds=0.1)
    try:
        eventually(lambda: _pids(shop, "sleepy")["z"] is None)
    finally:
        shop.set(scale_to_zero_idle_seconds=1800)
    entities = shop.client.serving_endpoints.get("sleepy").config
    assert entities is not None
    messages = {one.name: one.state.deployment_state_message for one in entities.served_entities or [] if one.state}
    assert messages == {"z": "Scaled to zero", "always": ""}
    assert ask(shop, "sleepy") == [1.0]
    after = _pids(shop, "sleepy")
    assert after["z"] not in (None, before["z"])
    assert after["always"] == before["always"]


def test_version_deleted_in_the_registry_goes_on_serving(shop: World, tmp_path: Path) -> None:
    shop.models.add(MODEL, 77, shop.models.model_version(MODEL, str(ONES)).folder)
    create(shop, "outlives", entity(MODEL, 77, "e"))
    shop.models.remove(MODEL, 77)
    shop.set(scale_to_zero_idle_seconds=0)
    try:
        eventually(lambda: _pids(shop, "outlives")["e"] is None)
    finally:
        shop.set(scale_to_zero_idle_seconds=1800)
    assert ask(shop, "outlives") == [1.0]


def test_process_that_dies_is_replaced(shop: World) -> None:
    create(shop, "phoenix", entity(MODEL, ONES, "e"))
    first = _pids(shop, "phoenix")["e"]
    assert first is not None
    os.kill(first, signal.SIGKILL)
    eventually(lambda: _pids(shop, "phoenix")["e"] is None)
    assert ask(shop, "phoenix") == [1.0]
    assert _pids(shop, "phoenix")["e"] not in (None, first)


def test_tags_notifications_and_limits_change_at_once(shop: World) -> None:
    create(shop, "tagged", entity(MODEL, ONES, "e"))
    api = shop.client.api_client
    tags = api.do("PATCH", "/api/2.0/serving-endpoints/tagged/tags", body={"add_tags": [{"key": "a", "value": "1"}]})
    assert tags == {"tags": [{"key": "a", "value": "1"}]}
    shop.client.serving_endpoints.patch("tagged", add_tags=[EndpointTag("b", "2")], delete_tags=["a"])
    assert shop.client.serving_endpoints.get("tagged").tags == [EndpointTag("b", "2")]
    shop.client.serving_endpoints.put_ai_gateway("tagged", rate_limits=_calls(2))
    ask(shop, "tagged")
    ask(shop, "tagged")
    with http(shop) as client:
        refused = client.post("/serving-endpoints/tagged/invocations", json=RECORD)
    assert (refused.status_code, refused.json()["error_code"]) == (429, "REQUEST_LIMIT_EXCEEDED")
    assert int(refused.headers["retry-after"]) > 0
    shop.client.serving_endpoints.put_ai_gateway("tagged")
    assert shop.client.serving_endpoints.get("tagged").ai_gateway is None
    ask(shop, "tagged")


def _calls(count: int) -> list[Any]:
    from databricks.sdk.service.serving import AiGatewayRateLimit, AiGatewayRateLimitRenewalPeriod

    return [AiGatewayRateLimit(renewal_period=AiGatewayRateLimitRenewalPeriod.MINUTE, calls=count)]


def test_metrics_count_requests_by_entity_and_outcome(shop: World) -> None:
    create(shop, "counted", entity(MODEL, ONES, "good"), entity(MODEL, RAISES, "bad"), good=100, bad=0)
    with http(shop) as client:
        for name, times in (("good", 3), ("bad", 2)):
            for _ in range(times):
                client.post(f"/serving-endpoints/counted/served-models/{name}/invocations", json=RECORD)
    contents = shop.client.serving_endpoints.export_metrics("counted").contents
    assert contents is not None
    lines = contents.read().decode().splitlines()
    assert 'request_count_total{endpoint_name="counted",served_model_name="good"} 3' in lines
    assert 'request_4xx_count_total{endpoint_name="counted",served_model_name="bad"} 2' in lines
    assert 'request_latency_ms_count{endpoint_name="counted",served_model_name="good"} 3' in lines


def test_endpoint_without_config_takes_one_later(shop: World) -> None:
    created = shop.client.serving_endpoints.create("later").result()
    assert state_of(created) == ("NOT_READY", "NOT_UPDATING")
    assert (created.config, created.pending_config) == (None, None)
    shop.client.serving_endpoints.update_config("later", served_entities=[entity(MODEL, ONES)]).result()
    assert ask(shop, "later") == [1.0]
    with pytest.raises(ResourceAlreadyExists):
        shop.client.serving_endpoints.create("later")


def test_openapi_describes_the_signature(shop: World) -> None:
    create(shop, "described", entity(MODEL, ONES, "e"))
    contents = shop.client.serving_endpoints.get_open_api("described").contents
    assert contents is not None
    assert '"a":{"type":"number","format":"double"}' in contents.read().decode().replace(" ", "")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"served_entities": []}, "at least one"),
        ({"entities": ["a"] * 11}, "at most 10"),
        ({"entities": ["a", "a"], "routes": {"a": 100}}, "unique across"),
        ({"entities": ["a", "b"]}, "traffic_config is required"),
        ({"entities": ["a", "b"], "routes": {"a": 50, "b": 40}}, "sum to 100; these sum to 90"),
        ({"entities": ["a"], "routes": {"c": 100}}, "names 'c'"),
        ({"entities": ["a", "b"], "routes": {"a": 150, "b": -50}}, "0 to 100"),
        ({"entities": ["not valid"]}, "letters, digits, dashes"),
        ({"entities": ["a"], "entity": {"scale_to_zero_enabled": None}}, "scale_to_zero_enabled"),
        ({"entities": ["a"], "entity": {"entity_version": "champion"}}, "no alias"),
        ({"entities": ["a"], "entity": {"workload_size": "Huge"}}, "Small, Medium, Large"),
        ({"entities": ["a"], "entity": {"min_provisioned_concurrency": 4}}, "only one of them"),
    ],
)
def test_config_that_cannot_be_is_refused_and_nothing_is_made(
    shop: World, config: dict[str, Any], message: str
) -> None:
    base = {"entity_name": MODEL, "entity_version": "1", "workload_size": "Small", "scale_to_zero_enabled": True}
    body: dict[str, Any] = {
        "served_entities": [{**base, **config.get("entity", {}), "name": name} for name in config.get("entities", [])]
    }
    if "routes" in config:
        routes = [{"served_model_name": name, "traffic_percentage": share} for name, share in config["routes"].items()]
        body["traffic_config"] = {"routes": routes}
    if config == {"served_entities": []}:
        body = {"served_entities": [], "traffic_config": {"routes": []}}
    with pytest.raises(InvalidParameterValue, match=message):
        shop.client.api_client.do("POST", "/api/2.0/serving-endpoints", body={"name": "refused", "config": body})
    with pytest.raises(NotFound):
        shop.client.serving_endpoints.get("refused")


def test_unknown_versions_legacy_tables_and_other_models_are_refused(shop: World) -> None:
    with pytest.raises(NotFound, match="99"):
        create(shop, "refused", entity(MODEL, 99))
    capture = AutoCaptureConfigInput(catalog_name="main", schema_name="ml", enabled=True)
    with pytest.raises(InvalidParameterValue, match="inference_table_config"):
        shop.client.serving_endpoints.create(
            "refused",
            config=EndpointCoreConfigInput(
                name="refused", served_entities=[entity(MODEL, ONES)], auto_capture_config=capture
            ),
        )
    with pytest.raises(InvalidParameterValue, match="not valid"):
        shop.client.serving_endpoints.create("has space")
    with pytest.raises(errors.NotImplemented, match="provisioned throughput"):
        create(shop, "refused", entity(MODEL, ONES, min_provisioned_throughput=10))
    with pytest.raises(NotFound):
        shop.client.serving_endpoints.update_config("refused", served_entities=[entity(MODEL, ONES)])


def test_served_models_are_entities_by_their_old_name(shop: World) -> None:
    old = ServedModelInput(scale_to_zero_enabled=True, model_name=MODEL, model_version=str(ONES), workload_size="Small")
    config = EndpointCoreConfigInput(name="oldname", served_models=[old])
    endpoint = shop.client.serving_endpoints.create("oldname", config=config).result()
    assert endpoint.config is not None
    assert [one.entity_name for one in endpoint.config.served_entities or []] == [MODEL]
