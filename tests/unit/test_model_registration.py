"""A registered model says what it is, and does not go with a stack by accident."""

from __future__ import annotations

from typing import Any

import pytest

from components.model_registration import ModelRegistration, ModelRegistrationArgs, RungArgs
from tests.unit.recording import record


def args(**changes: Any) -> ModelRegistrationArgs:
    values: dict[str, Any] = {
        "model": "main.ml.rag_chatbot",
        "comment": "Answers questions from the handbook. Ask the ML platform team.",
        "grants": {"sp-serving": ["EXECUTE"], "grp-ml": ["EXECUTE", "APPLY_TAG"]},
        "experiment": "/Shared/rag_chatbot",
        **changes,
    }
    return ModelRegistrationArgs(**values)


def test_model_grants_and_experiment_are_made() -> None:
    recording = record(lambda: ModelRegistration("rag", args()).model_name)
    model = recording.one(":RegisteredModel")
    assert (model["catalogName"], model["schemaName"], model["name"]) == ("main", "ml", "rag_chatbot")
    assert "aliases" not in model
    assert recording.one(":Grants")["grants"] == [
        {"principal": "grp-ml", "privileges": ["APPLY_TAG", "EXECUTE"]},
        {"principal": "sp-serving", "privileges": ["EXECUTE"]},
    ]
    assert recording.one(":MlflowExperiment")["name"] == "/Shared/rag_chatbot"


def test_without_grants_and_experiment_there_is_the_model_alone() -> None:
    recording = record(lambda: ModelRegistration("rag", args(grants={}, experiment=None)).model_name)
    assert [one.typ for one in recording.resources if one.typ.startswith("databricks:")] == [
        "databricks:index/registeredModel:RegisteredModel"
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "ml.rag"}, "2 parts instead of three"),
        ({"comment": " "}, "has no comment"),
        ({"grants": {"grp": ["SELECT"]}}, r"grants\['grp'\]\[0\] is 'SELECT'; use one of 'EXECUTE'"),
        ({"ladder": [RungArgs(alias="Champion", version="3")]}, "has capital letters"),
        ({"ladder": [RungArgs(alias="champion", version="champion")]}, "'champion' is not a whole number from 1"),
        ({"ladder": [RungArgs(alias="champion", version="3")] * 2}, "names an alias twice: champion, champion"),
        ({"experiment": "rag"}, "experiment 'rag' of model .* is no workspace path"),
    ],
)
def test_a_broken_rule_is_refused_before_anything_is_registered(changes: dict[str, Any], message: str) -> None:
    def broken() -> None:
        with pytest.raises(ValueError, match=message):
            ModelRegistration("rag", args(**changes))

    assert record(broken).resources == []


def test_the_ladder_is_climbed_rung_by_rung_and_asks_for_the_tags_of_every_version() -> None:
    ladder = [
        RungArgs(alias="challenger", version="4", on_delete="remove"),
        RungArgs(alias="champion", version="3", requires={"validation": "passed"}, bootstrap=True),
    ]
    made = record(
        lambda: (
            ModelRegistration(
                "rag", args(ladder=ladder, version_tags=["git_sha", "training_date"], evidence="sha256:0")
            )
            .aliases["champion"]
            .version
        )
    )
    below, above = made.of_type(":ModelAlias")
    tags = {"git_sha": "", "training_date": ""}
    assert (below["model"], below["alias"], below["version"]) == ("main.ml.rag_chatbot", "challenger", "4")
    assert (below["requires"], below["on_delete"]) == (tags, "remove")
    assert "after" not in below
    assert (above["after"], above["after_version"], above["bootstrap"]) == ("challenger", "4", True)
    assert above["requires"] == {**tags, "validation": "passed"}
    assert all(one["require_evidence"] and one["evidence"] == "sha256:0" for one in (below, above))
