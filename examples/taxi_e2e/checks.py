"""What this project refuses at preview: taking down what serves by its stage, and requests that fit no version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pulumi

from components.dynamic.errors import AbsentError, ProviderError, asking
from components.dynamic.registry_calls import version_facts
from components.serving_stack import ServingPlan
from examples.taxi_e2e.config import TaxiE2eConfig

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

INPUTS_TAG, LABEL_TAG = "required_inputs", "label"


class StageError(pulumi.RunError):
    """The stage of the stack file would take down what serves. Shown without a traceback."""


class PayloadError(pulumi.RunError):
    """A test payload does not fit the version that it is to prove. Shown without a traceback."""


def check_nothing_is_served(config: TaxiE2eConfig, client: WorkspaceClient, found: str, fix: str) -> None:
    """Raises StageError where the endpoint is there: without its section the engine would delete it.

    Args:
        found: why only the jobs are to be there.
        fix: what keeps the endpoint, as a sentence without its end.
    """
    name = config.endpoint.name
    try:
        with asking(f"reading endpoint {name}"):
            client.serving_endpoints.get(name)
    except AbsentError:
        return
    except ProviderError as error:
        raise StageError(str(error)) from None
    raise StageError(
        f"{found}, and endpoint {name} is there: it would be deleted, with its online tables and monitors. "
        f"{fix}; to take it down on purpose, run `pulumi destroy`"
    )


def check_payloads(config: TaxiE2eConfig, plan: ServingPlan) -> None:
    """Raises PayloadError for a smoke query that lacks an input of a version, or tells it the answer.

    Versions say what they need in tags that training writes; one without them is left to what its endpoint answers.
    """
    problems = []
    for version in sorted({entity.version for entity in plan.entities}):
        try:
            tags = version_facts(plan.client, config.model.name, version).tags
        except ProviderError as error:
            raise PayloadError(str(error)) from None
        if INPUTS_TAG not in tags:
            continue
        for query in config.smoke.queries:
            problems += [
                f"smoke query {query.name}, version {version}: {problem}"
                for problem in payload_problems(query.payload, tags[INPUTS_TAG].split(","), tags.get(LABEL_TAG, ""))
            ]
    if problems:
        raise PayloadError("\n".join(problems))


def payload_problems(payload: Mapping[str, Any], required: Sequence[str], label: str) -> list[str]:
    """Inputs that a record lacks, and a label among them.

    Args:
        required: names that a request must have.
        label: what the model predicts; empty where nobody said.
    """
    problems = []
    records = payload.get("dataframe_records")
    for number, record in enumerate(records if isinstance(records, list) else []):
        if missing := [name for name in required if name not in record]:
            problems.append(f"record {number} lacks {', '.join(missing)}; add them to the payload")
        if label and label in record:
            problems.append(f"record {number} has {label}, which is what the model predicts; remove it")
    return problems
