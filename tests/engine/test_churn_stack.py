"""The churn stack, whole: two versions behind one endpoint, what is watched, and what drift sets going."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from components.outputs import StackOutputs
from tests.support.churn import ENDPOINT, MODEL, MONITORED, PAYLOAD, Churn, train
from tests.support.reads import only_reads
from tests.support.server import WorkspaceServer


@pytest.fixture
def churn(tmp_path: Path) -> Iterator[Churn]:
    server = WorkspaceServer(tmp_path / "workspace")
    server.start()
    train(server)
    yield Churn.new(server, tmp_path / "project")
    server.kill()


def test_both_versions_answer_and_drift_alone_makes_a_new_version_that_serves_nobody(churn: Churn) -> None:
    with only_reads(churn.server):
        planned = churn.project.preview()
    assert planned.ok, planned
    made = churn.project.up()
    assert made.ok, made
    with only_reads(churn.server):
        again = churn.project.up()
    assert again.ok, again
    assert again.operations() == []

    outputs = StackOutputs.model_validate(churn.project.outputs())
    split = {entity.name: entity.traffic_percentage for entity in outputs.served_entities}
    assert split == {"advanced_mlops_churn-1": 80, "advanced_mlops_churn-2": 20}
    assert outputs.aliases == {"production": "1", "champion": "2"}
    assert outputs.smoke_result.answered_by == dict.fromkeys(split, "ok")
    assert outputs.online_table_names == ["main.churn.advanced_churn_feature_table_online_table"]
    assert (outputs.payload_table, outputs.monitor_table) == ("main.churn.advanced_churn_served_payload", MONITORED)

    client = churn.server.client()
    routes = client.serving_endpoints.get(ENDPOINT).config.traffic_config.routes  # type: ignore[union-attr]
    assert {route.served_model_name: route.traffic_percentage for route in routes or []} == split
    for answers in (churn.ask(PAYLOAD), *(churn.ask(PAYLOAD, entity) for entity in split)):
        assert len(answers) == 2
        assert set(answers) <= {"Yes", "No"}

    job, unpack = outputs.job_ids["drift-response"], outputs.job_ids["unpack"]
    assert churn.run(job) == {"Drift_detection": "SUCCESS", "Check_Violations": "SUCCESS", "Model_training": "EXCLUDED"}

    for label, retrained in (("No", "EXCLUDED"), ("Yes", "SUCCESS")):
        day = churn.next_noon()
        churn.settle()
        churn.ask_about(churn.customers(label, 100), "advanced_mlops_churn-1")
        churn.measure(unpack, day, 100)
        if label == "No":
            assert churn.alert_states()["drift-answers"] != "TRIGGERED"
        assert churn.run(job)["Model_training"] == retrained

    churn.advance(1_800)
    assert churn.alert_states()["drift-answers"] == "TRIGGERED"

    sliced = churn.sql(
        "SELECT DISTINCT slice_key, slice_value FROM main.churn.advanced_churn_inference_table_profile_metrics"
    )
    assert {"contract", "senior_citizen='Yes'"} <= {str(row[0]) for row in sliced.rows}
    assert sorted(str(one.version) for one in client.model_versions.list(MODEL)) == ["1", "2", "3"]
    aliases = {name: str(client.model_versions.get_by_alias(MODEL, name).version) for name in outputs.aliases}
    assert aliases == outputs.aliases
    assert client.model_versions.get_by_alias(MODEL, "challenger").version == 3

    gone = churn.project.destroy()
    assert gone.ok, gone
    assert [endpoint.name for endpoint in client.serving_endpoints.list()] == []
    assert list(client.jobs.list()) == []
