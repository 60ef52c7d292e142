"""Endpoints under change and under load: updates given up, machines that take time, sleep by the clock, queues."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import mlflow
import pytest
from databricks.sdk.errors import InvalidState, NotFound, OperationFailed
from databricks.sdk.service.serving import (
    EmailNotifications,
    EndpointCoreConfigInput,
    ServedEntityInput,
    ServingEndpointDetailed,
)

from tests.support.feature_serving import World, entity, eventually, save_model, world
from workspace.serving.entity import Entity
from workspace.serving.process import ModelProcess

MODEL = "main.ml.numbers"
ONES, TWOS, STUCK, SLOW, PACKAGED, SECRET = 1, 2, 3, 4, 5, 6
RECORD = {"dataframe_records": [{"a": 1.0}]}
PACKAGED_CODE = """
import mlflow
from helper_of_this_model import ANSWER

class Packaged(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [ANSWER] * len(model_input)

mlflow.models.set_model(Packaged())
"""


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What slow models wait for."""
    return tmp_path_factory.mktemp("gate") / "open"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, gate: Path) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("updates")
    wait = f"import os, time\n        while not os.path.exists('{gate}'): time.sleep(0.01)"
    versions = {
        ONES: ("return [1.0] * len(model_input)", "pass"),
        TWOS: ("return [2.0] * len(model_input)", "pass"),
        STUCK: ("return [3.0]", "import time; time.sleep(3600)"),
        SLOW: (f"{wait}\n        return [4.0]", "pass"),
        SECRET: ("import os; return [os.environ['KEY'], os.environ.get('PLAIN')]", "pass"),
    }
    with world(folder) as made:
        for version, (predict, load) in versions.items():
            made.models.add(MODEL, version, save_model(folder / f"saved-{version}", predict, load))
        made.models.add(MODEL, PACKAGED, packaged(folder / "packaged"))
        yield made


def packaged(folder: Path) -> Path:
    """A model that comes with code of its own, and asks for a package that nobody has."""
    folder.mkdir()
    helper = folder / "helper_of_this_model.py"
    helper.write_text("ANSWER = 5.0\n")
    (folder / "code.py").write_text(PACKAGED_CODE)
    # MLflow imports the code that it saves; the helper is found here, and by the model process in the saved model only.
    sys.path.insert(0, str(folder))
    try:
        mlflow.pyfunc.save_model(
            str(folder / "model"),
            python_model=str(folder / "code.py"),
            code_paths=[str(helper)],
            pip_requirements=["mlflow<2", "no-such-package-anywhere==1.0"],
        )
    finally:
        sys.path.remove(str(folder))
    return folder / "model"


def create(shop: World, name: str, *entities: ServedEntityInput) -> ServingEndpointDetailed:
    config = EndpointCoreConfigInput(name=name, served_entities=list(entities))
    return shop.client.serving_endpoints.create(name, config=config).result()


def ask(shop: World, name: str) -> Any:
    return shop.client.serving_endpoints.query(name, dataframe_records=[{"a": 1.0}]).predictions


def cancel(shop: World, name: str) -> Any:
    return shop.client.api_client.do("POST", f"/_workspace/serving-endpoints/{name}/cancel-update")


def pid(shop: World, name: str) -> int | None:
    live = shop.serving.deployments.live(name)
    assert live is not None
    return live.entities["e"].pid


def test_update_that_is_given_up_leaves_the_old_config_and_can_be_followed_by_another(shop: World) -> None:
    create(shop, "given-up", entity(MODEL, ONES, "e"))
    waiter = shop.client.serving_endpoints.update_config("given-up", served_entities=[entity(MODEL, STUCK, "e")])
    shown = cancel(shop, "given-up")
    assert shown["state"] == {"ready": "READY", "config_update": "UPDATE_CANCELED"}
    assert shown["config"]["config_version"] == 1
    aborted = shown["pending_config"]["served_entities"][0]["state"]
    assert aborted["deployment"] == "DEPLOYMENT_ABORTED"
    with pytest.raises(OperationFailed, match="UPDATE_CANCELED"):
        waiter.result()
    assert ask(shop, "given-up") == [1.0]
    with pytest.raises(InvalidState, match="no update in progress"):
        cancel(shop, "given-up")
    updated = shop.client.serving_endpoints.update_config(
        "given-up", served_entities=[entity(MODEL, TWOS, "e")]
    ).result()
    assert updated.config is not None
    assert (updated.config.config_version, updated.pending_config) == (3, None)
    assert ask(shop, "given-up") == [2.0]
    with pytest.raises(NotFound):
        cancel(shop, "nobody")


def test_deletion_ends_what_an_update_has_started(shop: World) -> None:
    create(shop, "dropped", entity(MODEL, ONES, "e"))
    live = shop.serving.deployments.live("dropped")
    assert live is not None
    shop.client.serving_endpoints.update_config("dropped", served_entities=[entity(MODEL, STUCK, "e")])
    shop.client.serving_endpoints.delete("dropped")
    folder = shop.state.subfolder("serving", "endpoints") / live.endpoint_id
    eventually(lambda: not folder.exists())


def test_machines_are_provisioned_by_the_clock(shop: World) -> None:
    shop.set(endpoint_provisioning_seconds=600)
    try:
        config = EndpointCoreConfigInput(name="machines", served_entities=[entity(MODEL, ONES, "e")])
        waiter = shop.client.serving_endpoints.create("machines", config=config)
        created: ServingEndpointDetailed = waiter.response
        assert shop.client.serving_endpoints.get("machines").config is None
        shop.client.api_client.do("PUT", "/_workspace/clock", body={"advance_seconds": 601})
        served = waiter.result()
    finally:
        shop.set(endpoint_provisioning_seconds=0)
    assert served.last_updated_timestamp is not None
    assert created.creation_timestamp is not None
    assert served.last_updated_timestamp - created.creation_timestamp >= 601_000


def test_half_an_hour_of_the_clock_without_requests_scales_to_zero_and_the_next_request_starts_cold(
    shop: World,
) -> None:
    create(shop, "idle", entity(MODEL, ONES, "e"))
    first = pid(shop, "idle")
    assert first is not None
    shop.client.api_client.do("PUT", "/_workspace/clock", body={"advance_seconds": 1700})
    ask(shop, "idle")
    shop.client.api_client.do("PUT", "/_workspace/clock", body={"advance_seconds": 1700})
    assert pid(shop, "idle") == first
    shop.client.api_client.do("PUT", "/_workspace/clock", body={"advance_seconds": 101})
    eventually(lambda: pid(shop, "idle") is None)
    metrics = shop.client.serving_endpoints.export_metrics("idle").contents
    assert metrics is not None
    text = metrics.read().decode()
    assert 'provisioned_concurrent_requests_total{endpoint_name="idle",served_model_name="e"} 0' in text
    assert ask(shop, "idle") == [1.0]
    assert pid(shop, "idle") not in (None, first)


def test_a_request_that_comes_while_its_model_is_put_to_sleep_is_answered_by_the_next_process(
    shop: World, gate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six hours pass at once: whoever has not been asked meanwhile goes to sleep, and then somebody asks."""
    gate.unlink(missing_ok=True)
    create(shop, "drowsy", entity(MODEL, SLOW, "e"))
    first = pid(shop, "drowsy")
    begun, let = threading.Event(), threading.Event()
    end = ModelProcess.end

    def held(process: ModelProcess) -> None:
        if process.pid == first:
            begun.set()
            assert let.wait(60)
        end(process)

    monkeypatch.setattr(ModelProcess, "end", held)
    shop.client.api_client.do("PUT", "/_workspace/clock", body={"advance_seconds": 21_600})
    assert begun.wait(60)
    answers: list[httpx.Response] = []
    url = f"{shop.client.config.host}/serving-endpoints/drowsy/invocations"
    headers = {"Authorization": f"Bearer {shop.state.token}"}
    asking = threading.Thread(target=lambda: answers.append(httpx.post(url, json=RECORD, headers=headers, timeout=60)))
    asking.start()
    live = shop.serving.deployments.live("drowsy")
    assert live is not None
    # The request is with the entity; had it been given to the old process, its end would be the request's.
    eventually(lambda: cast("Entity", live.entities["e"]).in_flight == 1)
    let.set()
    gate.touch()
    asking.join()
    assert [(answer.status_code, answer.text) for answer in answers] == [(200, '{"predictions": [4.0]}')]
    assert pid(shop, "drowsy") not in (None, first)
    gate.unlink()


def test_more_requests_than_wait_in_line_are_refused_and_all_others_answered(shop: World, gate: Path) -> None:
    create(shop, "queue", entity(MODEL, SLOW, "e"))
    headers = {"Authorization": f"Bearer {shop.state.token}"}
    url = f"{shop.client.config.host}/serving-endpoints/queue/invocations"
    seen: Counter[int] = Counter()

    def post() -> None:
        answer = httpx.post(url, json=RECORD, headers=headers, timeout=60)
        seen[answer.status_code] += 1
        if answer.status_code == 429:
            assert answer.json()["error_code"] == "RESOURCE_EXHAUSTED"
            assert answer.headers["retry-after"] == "1"

    # Small answers 4 at a time and lets 64 wait.
    threads = [threading.Thread(target=post) for _ in range(80)]
    for thread in threads:
        thread.start()
    eventually(lambda: seen[429] == 12)
    assert seen[200] == 0
    gate.touch()
    for thread in threads:
        thread.join()
    assert seen == {200: 68, 429: 12}


def test_metrics_have_the_documented_names(shop: World) -> None:
    create(shop, "measured", entity(MODEL, ONES, "e"))
    for _ in range(3):
        ask(shop, "measured")
    contents = shop.client.serving_endpoints.export_metrics("measured").contents
    assert contents is not None
    values = {}
    for line in contents.read().decode().splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            values[name.replace('endpoint_name="measured",served_model_name="e"', "")] = float(value)
    assert values["request_count_total{}"] == values["request_latency_ms_count{}"] == 3
    assert values['request_latency_ms_bucket{,le="+Inf"}'] == 3
    assert values["provisioned_concurrent_requests_total{}"] == 4
    assert 0 < values["mem_usage_percentage{}"] < 100
    assert values["cpu_usage_percentage{}"] > 0
    assert values["model_queue_time_ms_sum{}"] <= values["request_latency_ms_sum{}"]


def test_model_brings_its_own_code_and_the_build_log_tells_what_it_does_not_get(shop: World) -> None:
    create(shop, "packaged", entity(MODEL, PACKAGED, "e"))
    assert ask(shop, "packaged") == [5.0]
    log = shop.client.serving_endpoints.build_logs("packaged", "e").logs
    assert "requirement 'no-such-package-anywhere==1.0' is not installed" in log
    assert f"the model runs with mlflow {mlflow.__version__}" in log


def test_secret_reaches_the_model_and_nobody_else_and_a_missing_one_fails_the_deployment(shop: World) -> None:
    shop.secrets[("scope", "key")] = "of the model only"
    variables = {"KEY": "{{secrets/scope/key}}", "PLAIN": "told"}
    shown = create(shop, "secret", entity(MODEL, SECRET, "e", environment_vars=variables))
    assert ask(shop, "secret") == ["of the model only", "told"]
    assert "of the model only" not in str(shown.as_dict())
    missing = {"KEY": "{{secrets/scope/missing}}"}
    with pytest.raises(OperationFailed):
        create(shop, "lacking", entity(MODEL, SECRET, "e", environment_vars=missing))
    pending = shop.client.serving_endpoints.get("lacking").pending_config
    assert pending is not None
    assert "scope/missing, which does not exist" in str(pending.as_dict())


def test_notifications_are_kept_and_shown(shop: World) -> None:
    shop.client.serving_endpoints.create("notified")
    given = EmailNotifications(on_update_failure=["ops@example.com"])
    answered = shop.client.serving_endpoints.update_notifications("notified", email_notifications=given)
    assert (answered.name, answered.email_notifications) == ("notified", given)
    assert shop.client.serving_endpoints.get("notified").email_notifications == given
