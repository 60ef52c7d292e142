"""The chatbot's stack files say what the document says."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from components.config.errors import parse_stack_config
from examples.rag.config import RagConfig
from tests.support.engine import PROJECT


def config_of(stack: str) -> RagConfig:
    content = yaml.safe_load((PROJECT / "examples" / "rag" / f"Pulumi.{stack}.yaml").read_text())
    return parse_stack_config(
        {"environment": stack, **content["config"]["rag-serving:serving"]}, RagConfig, where=stack
    )


@pytest.mark.parametrize(
    ("stack", "wanted"),
    [
        (
            "staging",
            {"name": "rag-chatbot-endpoint", "size": "Small", "to_zero": True, "prefix": "rag_inference"},
        ),
        (
            "prod",
            {"name": "rag-chatbot-production", "size": "Medium", "to_zero": False, "prefix": "rag_inference_prod"},
        ),
    ],
)
def test_the_stack_files_have_the_documented_names_and_sizes(stack: str, wanted: dict[str, Any]) -> None:
    config = config_of(stack)
    (entity,) = config.endpoint.entities
    table = config.endpoint.inference_table
    assert table is not None
    assert {
        "name": config.endpoint.name,
        "size": entity.workload_size,
        "to_zero": config.scale_to_zero,
        "prefix": table.prefix,
    } == wanted
    assert config.model.name == "main.ml_models.rag_chatbot"
    assert (table.catalog or config.catalog, table.schema_name) == ("main", "monitoring")
    for query in config.smoke.queries:
        assert set(query.expect.required_fields) == {"answer", "sources"}


def test_production_serves_version_3_by_its_alias_releases_by_steps_and_keeps_the_version_before() -> None:
    config = config_of("prod")
    assert config.model.aliases == {"staging": "observed", "production": "3"}
    assert config.model.ladder == ["staging", "production"]
    asked = {"training_date", "git_commit", "retrieval_hit_rate", "approved_by"}
    assert set(config.model.promotion["production"].requires) == asked
    assert config.endpoint.rollout is not None
    assert config.endpoint.rollout.plan.steps == (10, 50, 100)
    assert config.endpoint.rollout.standby == "keep"
