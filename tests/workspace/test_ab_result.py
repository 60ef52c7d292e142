"""An A/B test on a warehouse: labelled answers of both versions in the monitored table, and the verdict as tags."""

from __future__ import annotations

import pytest
from databricks.sdk import WorkspaceClient

from pipelines.ab_test import AbPolicy, AbRequest, Arm, compare_versions
from pipelines.ab_test.task import read_arms
from pipelines.errors import PipelineError
from pipelines.sql import Warehouse as Runner
from pipelines.versions import version_tags
from tests.support.models import new_model, ready_version
from tests.support.warehouse import Warehouse

COST = "CASE WHEN prediction <> churn AND churn = 'Yes' THEN monthly_charges ELSE 0 END"


@pytest.fixture
def model(client: WorkspaceClient, sql: Warehouse) -> str:
    """Two versions, the older one in production."""
    name = new_model(client, "churn", catalog=sql.catalog, schema=sql.schema)
    for alias in ("production", "champion"):
        client.registered_models.set_alias(name, alias, ready_version(client, name))
    return name


def answers(sql: Warehouse) -> None:
    """Version 1 from September on, 3 of 12 wrong; version 2 beside it from the 5th on. Of the 13th nothing is known."""
    sql.execute(
        "CREATE TABLE answers (model_version STRING, inference_timestamp TIMESTAMP, prediction STRING, churn STRING, "
        "monthly_charges DOUBLE)"
    )
    rows = []
    for day in range(1, 13):
        rows.append(f"('1', TIMESTAMP'2024-09-{day:02}', 'No', '{'Yes' if day % 4 == 0 else 'No'}', {day}.5)")
        if day >= 5:
            rows.append(f"('2', TIMESTAMP'2024-09-{day:02}', 'Yes', '{'Yes' if day % 2 == 0 else 'No'}', {day}.5)")
    rows += [f"('{version}', TIMESTAMP'2024-09-13', 'No', NULL, 1.0)" for version in (1, 2)]
    rows += ["('2', TIMESTAMP'2024-09-13', NULL, 'No', 1.0)", "('3', TIMESTAMP'2024-09-06', 'No', 'Yes', 1.0)"]
    sql.execute(f"INSERT INTO answers VALUES {', '.join(rows)}")


def request(model: str, sql: Warehouse, **policy: float) -> AbRequest:
    return AbRequest(
        model=model,
        incumbent_alias="production",
        contender_alias="champion",
        table=sql.full("answers"),
        label="churn",
        loss=COST,
        policy=AbPolicy(**policy),  # type: ignore[arg-type]
        warehouse_id="local",
    )


def test_only_labelled_answers_of_the_time_in_which_both_answered_count(
    client: WorkspaceClient, sql: Warehouse, model: str
) -> None:
    answers(sql)
    arms = read_arms(Runner(client, "local", sql.catalog, sql.schema), request(model, sql), "1", "2")
    # From the 5th on: version 1 missed the 8th and the 12th, version 2 was wrong about odd days, which costs nothing.
    assert arms["1"] == Arm(version="1", rows=8, mistakes=2, loss=21.0, loss_squares=8.5**2 + 12.5**2)
    assert arms["2"] == Arm(version="2", rows=8, mistakes=4, loss=0.0, loss_squares=0.0)


def test_the_verdict_is_a_tag_of_the_contender_and_moves_no_alias(
    client: WorkspaceClient, sql: Warehouse, model: str
) -> None:
    answers(sql)
    few = compare_versions(request(model, sql), client)
    assert (few.outcome, version_tags(client, model, "2")["ab_result"]) == ("no data", "no data")
    sql.execute(
        "INSERT INTO answers SELECT a.* FROM answers AS a CROSS JOIN (SELECT explode(sequence(1, 200)) AS n) AS t"
    )
    many = compare_versions(request(model, sql, error_margin=0.3), client)
    assert many.outcome == "passed", many
    tags = version_tags(client, model, "2")
    assert (tags["ab_result"], tags["ab_against"], tags["ab_rows"]) == ("passed", "1", "1608 against 1608")
    assert compare_versions(request(model, sql), client).outcome == "failed"
    assert version_tags(client, model, "2")["ab_result"] == "failed"
    assert "ab_result" not in version_tags(client, model, "1")
    aliases = {
        one.alias_name: one.version_num
        for one in client.registered_models.get(model, include_aliases=True).aliases or []
    }
    assert aliases == {"production": 1, "champion": 2}


def test_one_version_under_both_aliases_is_compared_with_nobody(
    client: WorkspaceClient, sql: Warehouse, model: str
) -> None:
    client.registered_models.set_alias(model, "production", 2)
    result = compare_versions(request(model, sql), client)
    assert (result.outcome, result.tags) == ("one version", {})
    assert "ab_result" not in version_tags(client, model, "2")
    client.registered_models.delete_alias(model, "champion")
    with pytest.raises(PipelineError, match="has no alias champion"):
        compare_versions(request(model, sql), client)
