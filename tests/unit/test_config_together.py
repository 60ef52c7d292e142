"""All that is wrong with a stack file is said at once, whatever is wrong beside it; a secret is never repeated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.config.errors import StackConfigError, parse_stack_config
from tests.unit.stack_values import stack_values

Values = dict[str, Any]
PASSWORD = "correct-horse-battery"


def refusal(values: Values) -> str:
    with pytest.raises(StackConfigError) as caught:
        parse_stack_config(values, where="the stack file")
    return str(caught.value)


def put(value: Any, *path: str | int) -> Callable[[Values], None]:
    def change(values: Values) -> None:
        target: Any = values
        for part in path[:-1]:
            target = target.setdefault(part, {}) if isinstance(part, str) else target[part]
        target[path[-1]] = value

    return change


# Each breaks one rule and no other's fields. The first half are wrong values, the second half rules between fields.
MISTAKES: dict[str, tuple[Callable[[Values], None], str]] = {
    "type": (put(5, "warehouseId"), "warehouseId: input should be a valid string, received 5"),
    "unknown key": (put(1, "endpoint", "typo"), "endpoint.typo: unknown key 'typo'"),
    "unknown in a list": (put(1, "endpoint", "entities", 1, "size"), "endpoint.entities[1].size: unknown key 'size'"),
    "choice": (put("CU_3", "onlineStore", "capacity"), "onlineStore.capacity: input should be 'CU_1', 'CU_2'"),
    "name": (put("a b", "endpoint", "entities", 0, "name"), "endpoint.entities[0].name: served entity name 'a b'"),
    "monitor key": (put(1, "monitor", "colour"), "monitor.colour: unknown key"),
    "smoke type": (put("x", "smoke", "retries"), "smoke.retries: input should be a valid integer, received 'x'"),
    "sum": (put(70, "endpoint", "entities", 1, "traffic"), "endpoint.entities: traffic adds up to 90"),
    "two sources": (put("3", "endpoint", "entities", 1, "version"), "endpoint.entities[1]: names its version twice"),
    "literal": (
        put({"API_TOKEN": PASSWORD}, "endpoint", "entities", 1, "environmentVars"),
        "endpoint.entities[1]: served entity of version",
    ),
    "alias": (put("none", "endpoint", "entities", 0, "alias"), "endpoint.entities: unknown alias 'none'"),
    "same table": (
        put({"source": "trip_pickup_features", "primaryKeys": ["a"], "onlineName": "another"}, "featureTables", 1),
        "featureTables[1].source: p03.e2e_demo_simon.trip_pickup_features is featureTables[0].source already",
    ),
    "two limits": (put([{"calls": 1}, {"calls": 2}], "endpoint", "limits"), "endpoint.limits: has more than one limit"),
    "admins": (
        put([{"group": "admins", "level": "CAN_VIEW"}], "endpoint", "permissions"),
        "endpoint.permissions: names group admins",
    ),
    "silent alerts": (put(0.5, "alerts", "maxErrorShare"), "alerts: tells nobody"),
    "version column": (put("model_version", "monitor", "modelId"), "monitor.modelId: model_version is read from"),
    "consumers": (put({"batch": "nobody"}, "model", "consumers"), "model: consumers has batch: nobody"),
}


@given(st.sets(st.sampled_from(sorted(MISTAKES)), min_size=1))
def test_any_mistakes_together_are_all_said_once(names: set[str]) -> None:
    values = stack_values()
    for name in sorted(names):
        MISTAKES[name][0](values)
    message = refusal(values)
    assert f"has {len(names)} mistake" in message, message
    for name in names:
        assert message.count(MISTAKES[name][1]) == 1, (name, message)
    assert PASSWORD not in message


@pytest.mark.parametrize(
    "change",
    [
        put(PASSWORD, "password"),
        put(PASSWORD, "model", "apiKey"),
        put({"DB_PASSWORD": [PASSWORD]}, "endpoint", "entities", 0, "environmentVars"),
        put([{"password": PASSWORD}], "monitor"),
        put({"clientSecret": PASSWORD, "name": "x"}, "catalog"),
    ],
)
def test_what_is_called_a_secret_is_refused_and_not_repeated(change: Callable[[Values], None]) -> None:
    values = stack_values()
    change(values)
    assert PASSWORD not in refusal(values)


def test_a_secret_as_a_key_is_told_where_secrets_belong() -> None:
    values = stack_values()
    values["password"] = PASSWORD
    assert "credentials are Pulumi secrets of their own" in refusal(values)


def test_a_number_of_tokens_is_no_secret() -> None:
    values = stack_values()
    values["alerts"] = {"maxTokens": "many", "emails": ["a@b.example"]}
    assert "received 'many'" in refusal(values)


def test_a_rule_that_needs_a_wrong_field_says_nothing() -> None:
    values = stack_values()
    values["endpoint"]["inferenceTable"] = {"prefix": "a-b"}
    message = refusal(values)
    assert "has 1 mistake" in message
    assert "there is no inference table" not in message


QUIET = {"emails": ["ml@b.example"], "maxErrorShare": 0.1}
DRIFT = {"columns": ["PICKUP_zip", "prediction"], "measure": "js_distance", "limit": 0.1}
QUALITY = {"measure": "r2_score", "limit": 0.5, "comparison": "LESS_THAN", "needsLabels": False}


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        (
            "drift",
            {"columns": ["pickup_zap"]},
            "alerts.drift.x.columns: pickup_zap is no column of the monitored table",
        ),
        ("drift", {"driftType": "BASELINE"}, "alerts.drift.x.driftType: BASELINE compares with monitor.baselineTable"),
        ("drift", {"granularity": "1 hour"}, "alerts.drift.x.granularity: '1 hour' is no window of the monitor"),
        ("drift", {"sliced": True}, "alerts.drift.x.sliced: the monitor cuts no slices"),
        ("quality", {"needsLabels": True}, "alerts.quality.x.needsLabels: only windows whose labels have arrived"),
        ("quality", {"granularity": "2 weeks"}, "alerts.quality.x.granularity: '2 weeks' is no window"),
    ],
)
def test_an_alert_that_could_never_fire_is_refused(kind: str, changes: Values, message: str) -> None:
    values = stack_values()
    values["alerts"] = {**QUIET, "drift": {"x": DRIFT}, "quality": {"x": QUALITY}}
    parse_stack_config(values, where="the stack file")
    values["alerts"][kind] = {"x": {**values["alerts"][kind]["x"], **changes}}
    said = refusal(values)
    assert "has 1 mistake" in said
    assert message in said
