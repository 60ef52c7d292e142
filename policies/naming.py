"""Names: what the service takes, what tells stacks apart, what is there only once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from policies import sources
from policies.endpoints import DECLARES_ENTITIES, ENDPOINTS, declared
from policies.features import PUBLISHED_TABLE
from policies.monitoring import QUALITY_MONITOR
from policies.registry import MODEL_ALIAS
from policies.rule import ADVISORY, HIGH, MANDATORY, MEDIUM, ResourceRule, StackRule
from policies.security import GRANT, GRANTS
from policies.subject import Stack, Subject

_ENDPOINT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
# Properties that name an object of Unity Catalog in full, by the type that has them.
_FULL_NAMES = {
    QUALITY_MONITOR: ("tableName", "baselineTableName"),
    PUBLISHED_TABLE: ("source_table", "online_table"),
    MODEL_ALIAS: ("model",),
    GRANT: ("table", "model", "function", "volume"),
    GRANTS: ("table", "model", "function", "volume"),
}


def _three_parts(subject: Subject) -> Iterator[str]:
    named = [(field, subject.text(field)) for field in _FULL_NAMES.get(subject.type, ())]
    if subject.type in DECLARES_ENTITIES:
        # Only a registered model has a version; foundation models of the service are named by one part.
        named += [
            (f"{entity.path}.{'modelName' if 'servedModels' in entity.path else 'entityName'}", entity.model)
            for entity in declared(subject).entities
            if entity.is_custom and isinstance(entity.model, str)
        ]
    for field, name in named:
        if name is not None and (len(parts := name.split(".")) != 3 or not all(part.strip() for part in parts)):
            yield f"{field} is '{name}'; write all three parts of the name: catalog.schema.name."


unity_catalog_names_are_complete = ResourceRule(
    id="POL-14",
    name="unity-catalog-names-are-complete",
    description="Refuse names of Unity Catalog objects without all three parts.",
    remediation="Write catalog.schema.name.",
    staging=MANDATORY,
    prod=MANDATORY,
    severity=HIGH,
    source=sources.UNITY_CATALOG_NAMES,
    types=DECLARES_ENTITIES | frozenset(_FULL_NAMES),
    check=_three_parts,
)


def _stack_name(subject: Subject) -> Iterator[str]:
    stack = subject.urn.partition("::")[0].rpartition(":")[2]
    if subject.option("separate_workspaces"):
        return
    name = subject.text("name")
    wanted = [stack, *subject.option("also").get(stack, [])]
    if name is not None and not any(part.casefold() in name.casefold() for part in wanted):
        yield (
            f"endpoint '{name}' does not say that it is of stack {stack}, and another stack of the program "
            "would take it "
            f"over: name it such as '{name}-{stack}', or set the option separate_workspaces."
        )


endpoint_names_tell_stacks_apart = ResourceRule(
    id="POL-22",
    name="endpoint-names-tell-stacks-apart",
    description="Require the stack's name in the names of its endpoints, unless each stack has a workspace of its own.",
    remediation="Add the stack's name to the endpoint's, or set the option separate_workspaces.",
    staging=ADVISORY,
    prod=MANDATORY,
    severity=MEDIUM,
    source=sources.CREATE_ENDPOINTS,
    options={
        "separate_workspaces": {
            "type": "boolean",
            "description": "Whether each stack has a workspace of its own.",
            "default": False,
        },
        "also": {
            "type": "object",
            "description": "Other words for a stack that may stand in names, by the stack's name.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
            "default": {},
        },
    },
    types=frozenset(ENDPOINTS),
    check=_stack_name,
)


def _valid(subject: Subject) -> Iterator[str]:
    names = [("name", subject.text("name"))]
    names += [(f"{entity.path}.name", entity.declared_name) for entity in declared(subject).entities]
    for field, name in names:
        if isinstance(name, str) and not _ENDPOINT_NAME.fullmatch(name):
            yield f"{field} is '{name}'; use up to 63 letters, digits, dashes and underscores, a letter or digit first."


serving_names_are_valid = ResourceRule(
    id="POL-53",
    name="serving-names-are-valid",
    description="Refuse names of endpoints and served entities that the service refuses.",
    remediation="Use letters, digits, dashes and underscores.",
    staging=MANDATORY,
    prod=MANDATORY,
    severity=MEDIUM,
    source=sources.CREATE_ENDPOINTS,
    types=DECLARES_ENTITIES,
    check=_valid,
)


def _once(stack: Stack) -> Iterator[tuple[Subject, str]]:
    endpoints = list(stack.of(*ENDPOINTS))
    counts = Counter(name for one in endpoints if (name := one.text("name")))
    for endpoint in endpoints:
        name = endpoint.text("name")
        if name is not None and counts[name] > 1:
            yield (endpoint, f"{counts[name]} endpoints of the stack are named '{name}': give each a name of its own.")


endpoint_names_are_unique = StackRule(
    id="POL-54",
    name="endpoint-names-are-unique",
    description="Refuse two endpoints of one name in a stack: the second creation fails, half of the stack is made.",
    remediation="Give each endpoint a name of its own.",
    staging=MANDATORY,
    prod=MANDATORY,
    severity=HIGH,
    source=sources.CREATE_ENDPOINTS,
    check=_once,
)

RULES = (
    unity_catalog_names_are_complete,
    endpoint_names_tell_stacks_apart,
    serving_names_are_valid,
    endpoint_names_are_unique,
)
