"""An endpoint's JSON becomes a stack file's sections: all of it, or a refusal that says what to change."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.config import EndpointConfig, ModelConfig
from components.config.serving_json import ServingJsonError, load_serving_json, main, merged, sections_of

DOCUMENT: dict[str, Any] = json.loads(
    '{"name":"mlops-taxi-fare-endpoint","config":{"served_entities":[{"entity_name":'
    '"p03.e2e_demo_simon.dev_mlops_stacks_gcp_fs_model","entity_version":"18","workload_size":"Small",'
    '"scale_to_zero_enabled":true,"workload_type":"CPU"}],"auto_capture_config":{"catalog_name":"p03",'
    '"schema_name":"e2e_demo_simon","table_name_prefix":"taxi_fare_endpoint"}}}'
)


def changed(path: str, value: Any) -> dict[str, Any]:
    """The document with another value at `a.b.0.c`; one that is missing is added, None takes it away."""
    document = deepcopy(DOCUMENT)
    *parents, last = path.split(".")
    place: Any = document
    for part in parents:
        place = place[int(part) if part.isdigit() else part]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return document


def test_the_documents_json_gives_name_entity_version_size_and_inference_table() -> None:
    sections = sections_of(DOCUMENT)
    model = ModelConfig.model_validate(sections["model"])
    endpoint = EndpointConfig.model_validate(sections["endpoint"])
    assert (model.name, model.aliases) == ("p03.e2e_demo_simon.dev_mlops_stacks_gcp_fs_model", {"champion": "18"})
    assert endpoint.name == "mlops-taxi-fare-endpoint"
    (entity,) = endpoint.entities
    assert (entity.alias, entity.traffic, entity.workload_size, entity.workload_type) == (
        "champion",
        100,
        "Small",
        "CPU",
    )
    assert endpoint.scale_to_zero is True
    table = endpoint.inference_table
    assert table is not None
    # Legacy payload logging becomes the AI Gateway's table: no key of the stack file is called auto_capture_config.
    assert (table.catalog, table.schema_name, table.prefix) == ("p03", "e2e_demo_simon", "taxi_fare_endpoint")


def test_the_gateways_own_table_means_the_same() -> None:
    document = changed("config.auto_capture_config", None)
    document["ai_gateway"] = {"inference_table_config": {**DOCUMENT["config"]["auto_capture_config"], "enabled": True}}
    assert sections_of(document) == sections_of(DOCUMENT)


def test_a_table_that_is_switched_off_is_none() -> None:
    document = changed("config.auto_capture_config.enabled", False)
    assert "inferenceTable" not in sections_of(document)["endpoint"]


def test_routes_share_the_traffic_and_the_largest_share_has_the_alias() -> None:
    document = deepcopy(DOCUMENT)
    document["config"]["served_entities"].append(
        {**DOCUMENT["config"]["served_entities"][0], "entity_version": "19", "scale_to_zero_enabled": False}
    )
    name = "dev_mlops_stacks_gcp_fs_model"
    document["config"]["traffic_config"] = {
        "routes": [
            {"served_model_name": f"{name}-18", "traffic_percentage": 20},
            {"served_model_name": f"{name}-19", "traffic_percentage": 80},
        ]
    }
    sections = sections_of(document)
    assert sections["model"]["aliases"] == {"champion": "19"}
    served = EndpointConfig.model_validate(sections["endpoint"]).entities
    assert [(one.version, one.alias, one.traffic, one.scale_to_zero) for one in served] == [
        ("18", None, 20, True),
        (None, "champion", 80, False),
    ]


def test_a_route_of_nothing_is_meant() -> None:
    document = deepcopy(DOCUMENT)
    document["config"]["served_entities"].append({**DOCUMENT["config"]["served_entities"][0], "entity_version": "19"})
    name = "dev_mlops_stacks_gcp_fs_model"
    document["config"]["traffic_config"] = {
        "routes": [
            {"served_model_name": f"{name}-18", "traffic_percentage": 100},
            {"served_model_name": f"{name}-19", "traffic_percentage": 0},
        ]
    }
    served = EndpointConfig.model_validate(sections_of(document)["endpoint"]).entities
    assert [(one.traffic, one.dark) for one in served] == [(100, False), (0, True)]


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ([], "is list, not an object"),
        (changed("name", None), "name"),
        (changed("name", "taxi fares"), "name: "),
        (changed("config", None), "config: is missing"),
        (changed("config.served_entities", []), "name at least one entity"),
        (changed("config.served_entities.0.entity_name", "model"), "entity_name: "),
        (changed("config.served_entities.0.entity_version", "champion"), r"entity_version: .*champion"),
        (changed("config.served_entities.0.entity_version", None), "entity_version: "),
        (changed("config.served_entities.0.scale_to_zero_enabled", "true"), "write true or false"),
        (changed("config.served_entities.0.gpu", 1), r"served_entities\[0\]\.gpu: is unknown"),
        (changed("config.served_models", []), "was replaced by served_entities"),
        (changed("rate_limits", []), "rate_limits: is retired"),
        (changed("config.auto_capture_config.table_name_prefix", None), "lacks table_name_prefix"),
        (changed("ai_gateway", {"guardrails": {}}), "may have inference_table_config here"),
        (
            changed(
                "ai_gateway",
                {"inference_table_config": {"catalog_name": "p03", "schema_name": "x", "table_name_prefix": "y"}},
            ),
            "keep one",
        ),
        (changed("config.traffic_config", {"routes": []}), "has routes to "),
        (
            changed(
                "config.traffic_config",
                {"routes": [{"served_model_name": "dev_mlops_stacks_gcp_fs_model-18", "traffic_percentage": 90}]},
            ),
            "90",
        ),
        (
            changed("config.served_entities", [*DOCUMENT["config"]["served_entities"] * 2]),
            "2 entities need routes",
        ),
        (
            changed(
                "config.served_entities",
                [DOCUMENT["config"]["served_entities"][0], {"entity_name": "a.b.c", "entity_version": "1"}],
            ),
            "a stack is for one model",
        ),
    ],
)
def test_what_cannot_be_a_stack_is_refused_with_its_place(document: Any, says: str) -> None:
    with pytest.raises(ServingJsonError, match=says):
        sections_of(document)


def test_all_reasons_are_given_at_once() -> None:
    document = changed("config.served_entities.0.entity_version", "latest")
    document["config"]["auto_capture_config"].pop("schema_name")
    with pytest.raises(ServingJsonError, match=r"(?s)latest.*lacks schema_name"):
        sections_of(document)


def test_what_a_stack_file_says_itself_counts_and_the_rest_is_the_jsons() -> None:
    values = merged(
        sections_of(DOCUMENT), {"endpoint": {"name": "mlops-taxi-fare-endpoint-staging", "tags": {"a": "b"}}}
    )
    assert values["endpoint"]["name"] == "mlops-taxi-fare-endpoint-staging"
    assert values["endpoint"]["entities"] == sections_of(DOCUMENT)["endpoint"]["entities"]
    assert values["endpoint"]["tags"] == {"a": "b"}
    assert values["model"]["aliases"] == {"champion": "18"}


def test_the_command_prints_sections_and_a_broken_file_is_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(DOCUMENT))
    bad.write_text("{")
    assert main([str(good)]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == sections_of(DOCUMENT)
    assert main([str(bad)]) == 2
    assert "is no JSON" in capsys.readouterr().err
    assert main([str(tmp_path / "none.json")]) == 2
    assert "cannot be read" in capsys.readouterr().err
    with pytest.raises(ServingJsonError, match=r"bad\.json is no JSON"):
        load_serving_json(bad)
