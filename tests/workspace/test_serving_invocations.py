"""What a request may look like, and what comes back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import mlflow
import pytest
from databricks.sdk.service.serving import DataframeSplitInput, EndpointCoreConfigInput
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

from tests.support.feature_serving import World, entity, world

SCRIPT = """
import mlflow

class Sums(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        if (model_input["a"] < 0).any():
            raise RuntimeError("negative numbers are not summed")
        return ((model_input["a"] + model_input["b"]) * params["factor"]).tolist()

mlflow.models.set_model(Sums())
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("invocations")
    (folder / "code.py").write_text(SCRIPT)
    signature = ModelSignature(
        inputs=Schema([ColSpec("double", "a"), ColSpec("long", "b")]),
        outputs=Schema([ColSpec("double")]),
        params=ParamSchema([ParamSpec("factor", "double", 1.0)]),
    )
    mlflow.pyfunc.save_model(
        str(folder / "saved"),
        python_model=str(folder / "code.py"),
        signature=signature,
        pip_requirements=["mlflow"],
    )
    with world(folder) as made:
        made.models.add("main.ml.sums", 1, folder / "saved")
        config = EndpointCoreConfigInput(name="sums", served_entities=[entity("main.ml.sums", 1, "s")])
        made.client.serving_endpoints.create("sums", config=config).result()
        yield made


@pytest.fixture
def http(shop: World) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {shop.state.token}"}
    with httpx.Client(base_url=str(shop.client.config.host), headers=headers) as client:
        yield client


def post(http: httpx.Client, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return http.post("/serving-endpoints/sums/invocations", content=content, headers=sent)


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_records": [{"a": 1.5, "b": 2}, {"a": 10, "b": 20}]},
        {"dataframe_split": {"columns": ["b", "a"], "index": [5, 6], "data": [[2, 1.5], [20, 10]]}},
        {"dataframe_split": {"columns": ["a", "b"], "data": [[1.5, 2], [10, 20]]}},
        {"instances": [{"a": 1.5, "b": 2}, {"a": 10, "b": 20}]},
        {"inputs": {"a": [1.5, 10], "b": [2, 20]}},
        {"inputs": [{"a": 1.5, "b": 2}, {"a": 10, "b": 20}]},
    ],
)
def test_every_input_format_gives_the_same_predictions(http: httpx.Client, body: Any) -> None:
    answer = post(http, body)
    assert (answer.status_code, answer.json()) == (200, {"predictions": [3.5, 30.0]})
    assert answer.headers["content-type"] == "application/json"


def test_csv_is_taken_too(http: httpx.Client) -> None:
    answer = post(http, b"a,b\n1.5,2\n", content_type="text/csv")
    assert answer.json() == {"predictions": [3.5]}


def test_sdk_queries_by_split_records_and_instances(shop: World) -> None:
    query = shop.client.serving_endpoints.query
    split = DataframeSplitInput(columns=["a", "b"], data=[[1.5, 2]])
    assert query("sums", dataframe_split=split).predictions == [3.5]
    assert query("sums", instances=[{"a": 1.5, "b": 2}]).predictions == [3.5]
    answer = query("sums", dataframe_records=[{"a": 1.5, "b": 2}], client_request_id="mine")
    assert (answer.predictions, answer.served_model_name) == ([3.5], "s")


def test_parameters_reach_the_model(http: httpx.Client) -> None:
    body = {"dataframe_records": [{"a": 1.5, "b": 2}], "params": {"factor": 10}}
    assert post(http, body).json() == {"predictions": [35.0]}


def test_answer_names_the_request_and_the_entity(http: httpx.Client) -> None:
    first, second = (post(http, {"dataframe_records": [{"a": 1, "b": 2}]}) for _ in range(2))
    assert first.headers["served-model-name"] == "s"
    assert first.headers["databricks-request-id"] != second.headers["databricks-request-id"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"dataframe_records": [{"a": 1.5}]}, "missing inputs ['b']"),
        ({"dataframe_records": [{"a": "many", "b": 2}]}, "could not convert string to float"),
        ({"rows": [1]}, "exactly one of the input fields"),
        ({"dataframe_records": [], "inputs": []}, "exactly one of the input fields"),
        ([1, 2], "Received a list"),
        (b"{broken", "valid JSON"),
        (b"", "valid JSON"),
        ({"dataframe_records": [{"a": -1, "b": 2}]}, "negative numbers are not summed"),
    ],
)
def test_bad_input_is_400_bad_request_in_the_scoring_servers_words(http: httpx.Client, body: Any, words: str) -> None:
    answer = post(http, body)
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "BAD_REQUEST"
    assert words in answer.json()["message"]
    assert answer.headers["served-model-name"] == "s"


def test_unknown_content_type_and_oversize_are_refused(http: httpx.Client) -> None:
    assert post(http, b"a", content_type="application/xml").status_code == 415
    assert post(http, b"x" * (16 * 1024 * 1024 + 1)).status_code == 413


def test_wrong_token_is_refused_before_anything_else(shop: World) -> None:
    url = f"{shop.client.config.host}/serving-endpoints/sums/invocations"
    answer = httpx.post(url, json={"dataframe_records": []}, headers={"Authorization": "Bearer wrong"})
    assert (answer.status_code, answer.json()["error_code"]) == (401, "UNAUTHENTICATED")
