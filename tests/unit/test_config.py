"""A stack file is read whole or refused with every mistake named: path, value, fix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from components.config import StackConfig
from components.config.errors import StackConfigError, parse_stack_config
from tests.unit.stack_values import stack_values

ROOT = Path(__file__).parents[2]


def refusal(values: dict[str, Any]) -> str:
    with pytest.raises(StackConfigError) as caught:
        parse_stack_config(values, where="taxi-serving:serving in Pulumi.staging.yaml")
    return str(caught.value)


def parse(values: dict[str, Any]) -> StackConfig:
    return parse_stack_config(values, where="the test")


@pytest.mark.parametrize("stack", ["local", "staging", "prod"])
def test_the_stack_files_that_ship_are_valid(stack: str) -> None:
    content = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())
    config = parse({"environment": stack, **content["config"]["taxi-serving:serving"]})
    assert config.endpoint.name == f"taxi-fare-regressor-{stack}"


def test_staging_and_prod_ship_with_a_pinned_host_and_local_with_none() -> None:
    hosts = {
        stack: yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"].get("databricks:host")
        for stack in ("local", "staging", "prod")
    }
    assert hosts["local"] is None
    assert hosts["staging"]
    assert hosts["prod"]
    assert hosts["staging"] != hosts["prod"]


def test_a_split_of_90_is_refused_with_the_path_and_the_total() -> None:
    values = stack_values()
    values["endpoint"]["entities"][1]["traffic"] = 70
    assert "endpoint.entities: traffic adds up to 90 (champion 20, production 70)" in refusal(values)


def test_an_unknown_alias_is_refused_with_the_known_ones() -> None:
    values = stack_values()
    values["endpoint"]["entities"][0]["alias"] = "chalenger"
    assert "unknown alias 'chalenger'; model.aliases has champion, production" in refusal(values)


def test_a_two_part_model_name_is_refused_with_the_value() -> None:
    values = stack_values()
    values["model"]["name"] = "e2e_demo_simon.taxi_fare_regressor"
    message = refusal(values)
    assert "model.name: " in message
    assert "'e2e_demo_simon.taxi_fare_regressor'" in message


@pytest.mark.parametrize("key", ["autoCaptureConfig", "auto_capture_config"])
def test_auto_capture_config_is_refused_with_the_way_out(key: str) -> None:
    values = stack_values()
    values["endpoint"][key] = {"catalogName": "p03"}
    message = refusal(values)
    assert f"endpoint.{key}" in message
    assert "use endpoint.inferenceTable" in message


def test_a_misspelt_key_is_refused_with_the_nearest_one() -> None:
    values = stack_values()
    values["endpoint"]["entities"][0]["workloadsize"] = "Small"
    assert "endpoint.entities[0].workloadsize: unknown key 'workloadsize'; did you mean 'workloadSize'?" in refusal(
        values
    )


@pytest.mark.parametrize("size", ["small", "XLarge", "4", ""])
def test_any_size_but_small_medium_and_large_is_refused_with_the_three(size: str) -> None:
    values = stack_values()
    for known in ("Small", "Medium", "Large"):
        assert parse(put(values, ("endpoint", "entities", 0, "workloadSize"), known)).endpoint.entities[0].sizing
    text = refusal(put(values, ("endpoint", "entities", 0, "workloadSize"), size))
    assert "endpoint.entities[0].workloadSize: " in text
    assert "'Small', 'Medium' or 'Large'" in text
    assert repr(size) in text


def test_all_mistakes_are_named_at_once() -> None:
    values = stack_values()
    values["onlineStore"]["capacity"] = "CU_3"
    values["model"]["aliases"]["Latest"] = "1"
    del values["catalog"]
    message = refusal(values)
    assert "has 3 mistakes" in message
    assert "onlineStore.capacity" in message
    assert "'CU_3'" in message
    assert "model.aliases" in message
    assert "catalog: is missing" in message


def test_prod_refuses_the_newest_version_and_staging_takes_it() -> None:
    values = stack_values()
    values["model"]["aliases"]["champion"] = ""
    assert parse(values).model.aliases["champion"] == ""
    values["environment"] = "prod"
    assert "model.aliases.champion: an empty version means the newest one, which prod does not allow" in refusal(values)


def test_an_unknown_environment_is_refused_with_the_known_ones() -> None:
    values = stack_values()
    values["environment"] = "dev"
    message = refusal(values)
    assert "environment" in message
    assert "'dev'" in message
    assert "staging" in message


def test_a_version_written_as_a_number_is_taken_as_its_digits() -> None:
    values = stack_values()
    values["model"]["aliases"]["champion"] = 15
    assert parse(values).model.aliases["champion"] == "15"


def test_an_entity_with_both_alias_and_version_is_refused() -> None:
    values = stack_values()
    values["endpoint"]["entities"][0]["version"] = "15"
    assert "exactly one of `alias` and `version`" in refusal(values)


def test_a_monitor_without_an_inference_table_is_refused() -> None:
    values = stack_values()
    del values["endpoint"]["inferenceTable"]
    assert "monitor: there is no inference table to watch" in refusal(values)


def test_scale_to_zero_follows_the_environment_unless_the_file_says_otherwise() -> None:
    values = stack_values()
    assert parse(values).scale_to_zero is True
    values["environment"] = "prod"
    assert parse(values).scale_to_zero is False
    values["endpoint"]["scaleToZero"] = True
    assert parse(values).scale_to_zero is True


def test_a_table_named_by_its_last_part_lies_in_the_stacks_schema() -> None:
    config = parse(stack_values())
    assert config.qualified("trips") == "p03.e2e_demo_simon.trips"
    assert config.qualified("a.b.c") == "a.b.c"


def put(values: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    place: Any = values
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return values


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("catalog",), "a.b", "catalog: catalog 'a.b' has '.' in its name"),
        (("schema",), "", "schema: schema '' is empty"),
        (("warehouseId",), " ", "warehouseId: is empty"),
        (("servingPrincipal",), "", "servingPrincipal: is empty"),
        (("featureTables", 0, "source"), "ml.trips", "featureTables[0].source: name 'ml.trips' has 2 parts"),
        (("featureTables", 0, "onlineName"), "ml.copy", "featureTables[0].onlineName: name 'ml.copy' has 2 parts"),
        (
            ("featureTables", 1, "source"),
            "P03.e2e_demo_simon.trip_pickup_features",
            "featureTables[1].source: P03.e2e_demo_simon.trip_pickup_features is featureTables[0].source already",
        ),
        (
            ("featureTables", 1, "onlineName"),
            "trip_pickup_features",
            "featureTables[1].onlineName: p03.e2e_demo_simon.trip_pickup_features is featureTables[0].source already",
        ),
        (("endpoint", "inferenceTable", "prefix"), "taxi-fare", "endpoint.inferenceTable.prefix: 'taxi-fare' cannot"),
        (("endpoint", "inferenceTable", "catalog"), "a.b", "endpoint.inferenceTable.catalog: catalog 'a.b' has '.'"),
        (("endpoint", "inferenceTable", "schema"), "", "endpoint.inferenceTable.schema: schema '' is empty"),
        (("endpoint", "tags"), {"cost_center": 7}, "endpoint.tags.cost_center: input should be a valid string, re"),
        (("endpoint", "tags"), {"cost_center": 7}, 'put it in quotes: "7"'),
        (("endpoint", "entities", 0, "traffic"), "20", "write a number without quotes"),
        (("endpoint", "entities"), [], "endpoint.entities: list should have at least 1 item"),
        (("endpoint", "permissions"), [{"group": "", "level": "CAN_VIEW"}], "endpoint.permissions[0].group: is empty"),
        (
            ("endpoint", "permissions"),
            [{"group": "apps", "level": "CAN_VIEW"}, {"group": "Apps", "level": "CAN_QUERY"}],
            "endpoint.permissions: names group apps more than once",
        ),
        (("endpoint", "permissions"), [{"group": "admins", "level": "CAN_MANAGE"}], "names group admins"),
        (("monitor", "recordColumns"), {"zip": "inty"}, "monitor: the type of record column 'zip', 'inty'"),
        (("monitor", "recordColumns"), {"zip": "int", "ZIP": "int"}, "differ in case only"),
        (("monitor", "labelColumn"), "fare amount", "monitor: label column 'fare amount' is no column name"),
        (("monitor", "granularities"), ["1 day", "daily"], "monitor.granularities: 'daily' is no window"),
        (("monitor", "unpackCron"), "0 * * * *", "monitor.unpackCron: '0 * * * *' is no Quartz expression"),
        (("monitor", "monitorCron"), "hourly", "monitor.monitorCron: 'hourly' is no Quartz expression"),
        (("monitor", "baselineTable"), "baseline", "monitor.baselineTable: name 'baseline' has 1 part"),
        (("monitor", "assetsDir"), "taxi", "monitor.assetsDir: string should match pattern '^/', received 'taxi'"),
        (("smoke", "queries", 0, "expect"), {"predictions": -1}, "expect.predictions: input should be greater"),
    ],
)
def test_what_would_fail_later_is_refused_here_with_path_value_and_fix(
    path: tuple[str | int, ...], value: Any, says: str
) -> None:
    assert says in refusal(put(stack_values(), path, value))


def test_sizes_variables_limits_and_addresses_are_checked_where_they_stand() -> None:
    values = stack_values()
    values["endpoint"]["entities"][0].update(
        minProvisionedConcurrency=6, maxProvisionedConcurrency=8, environmentVars={"API_KEY": "hunter2"}
    )
    values["endpoint"]["entities"][1].update(environmentVars={"API_KEY": "hunter2"})
    values["endpoint"]["limits"] = [{"calls": 5, "key": "user_group"}]
    values["endpoint"]["notifications"] = {"onFailure": ["nobody"]}
    text = refusal(values)
    assert "endpoint.entities[0]: served entity" in text
    assert "use multiples of 4" in text
    assert "endpoint.entities[1]: served entity" in text
    assert "{{secrets/<scope>/<key>}}" in text
    assert "hunter2" not in text
    assert "endpoint.limits[0]: the rate limit for user_group has principal None; name the principal" in text
    assert "endpoint.notifications.onFailure[0]" in text


def test_an_entity_without_traffic_is_meant_to_be_dark_and_says_so() -> None:
    values = stack_values()
    first = values["endpoint"]["entities"][0]
    model = first.get("alias")
    values["endpoint"]["entities"] = [{**first, "traffic": 100}, {"version": "1", "name": "dark", "traffic": 0}]
    assert "endpoint.entities[1].traffic: is 0 for dark" in refusal(values)
    values["endpoint"]["entities"][1]["dark"] = True
    config = parse_stack_config(values, StackConfig, where="the test")
    assert [(one.alias, one.traffic, one.dark) for one in config.endpoint.entities] == [
        (model, 100, False),
        (None, 0, True),
    ]
    values["endpoint"]["entities"] = [{**first, "traffic": 100, "dark": True}]
    assert "endpoint.entities[0].traffic: is 100" in refusal(values)


def test_one_key_has_one_limit_in_the_stack_file() -> None:
    values = stack_values()
    values["endpoint"]["limits"] = [{"calls": 5}, {"calls": 6}]
    assert "endpoint.limits: has more than one limit for endpoint" in refusal(values)


def test_alerts_that_have_nothing_to_ask_are_refused_with_what_is_missing() -> None:
    values = stack_values()
    del values["endpoint"]["inferenceTable"], values["monitor"]
    values["alerts"] = {
        "emails": ["a@example.com"],
        "maxErrorShare": 0.01,
        "drift": {"x": {"columns": ["prediction"], "measure": "js_distance", "limit": 0.2}},
    }
    text = refusal(values)
    assert "alerts: limits on errors, latency and tokens are read from the inference table" in text
    assert "alerts: drift and quality are read from the monitor's tables" in text


@pytest.mark.parametrize(
    ("alerts", "message"),
    [
        ({"maxErrorShare": 0.01}, "alerts: tells nobody; add emails or destinations"),
        ({"emails": ["a@example.com"]}, "alerts: has no limit"),
        ({"emails": ["a@example.com"], "maxErrorShare": 1.0}, "alerts.maxErrorShare"),
        ({"emails": ["a@example.com"], "maxTokens": 1, "cron": "hourly"}, "is no Quartz expression"),
    ],
)
def test_alerts_that_nobody_hears_or_that_never_ask_are_refused(alerts: dict[str, Any], message: str) -> None:
    assert message in refusal({**stack_values(), "alerts": alerts})


def test_versions_as_model_ids_need_the_system_table_that_usage_tracking_fills() -> None:
    values = stack_values()
    values["monitor"]["modelId"] = "model_version"
    assert "monitor.modelId: model_version is read from system.serving.served_entities" in refusal(values)
    values["endpoint"]["usageTracking"] = True
    assert parse(values).monitor is not None


def test_labels_and_metrics_of_a_monitor_are_checked_against_its_columns() -> None:
    values = stack_values()
    values["monitor"].update(
        labelColumn="fare",
        labels={"table": "rides", "column": "fare", "keys": {"zip": "nowhere"}},
        customMetrics=[{"name": "a b", "definition": "avg(x)"}],
    )
    text = refusal(values)
    assert "monitor.customMetrics[0]: custom metric 'a b' becomes a column" in text
    del values["monitor"]["customMetrics"]
    assert "found by nowhere, which the unpacked table does not have" in refusal(values)
    values["monitor"]["labels"]["keys"] = {"zip": "pickup_zip"}
    assert parse(values).monitor is not None
