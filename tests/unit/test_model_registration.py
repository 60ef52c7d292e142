"""A registered model says what it is, and does not go with a stack by accident."""

from __future__ import annotations

from typing import Any

import pytest

from components.model_registration import ModelRegistration, ModelRegistrationArgs
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
        ({"experiment": "rag"}, "experiment 'rag' of model .* is no workspace path"),
    ],
)
def test_a_broken_rule_is_refused_before_anything_is_registered(changes: dict[str, Any], message: str) -> None:
    def broken() -> None:
        with pytest.raises(ValueError, match=message):
            ModelRegistration("rag", args(**changes))

    assert record(broken).resources == []
