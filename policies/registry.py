"""Registered models and their aliases."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from policies import sources
from policies.endpoints import ENDPOINTS, TRAFFIC_ROLLOUT, as_text, declared
from policies.reading import UNKNOWN
from policies.rule import ADVISORY, HIGH, MANDATORY, MEDIUM, OFF, ResourceRule, StackRule
from policies.subject import Stack, Subject

MODEL_ALIAS = "pulumi-python:dynamic/serving:ModelAlias"
REGISTERED_MODEL = "databricks:index/registeredModel:RegisteredModel"
WORKSPACE_MODEL = "databricks:index/mlflowModel:MlflowModel"
WORKSPACE_WEBHOOK = "databricks:index/mlflowWebhook:MlflowWebhook"
_VERSION_LIKE = re.compile(r"v\d+", re.IGNORECASE)


def _ladder(subject: Subject) -> Iterator[str]:
    alias, ladder = subject.text("alias"), subject.option("ladder")
    if alias is None:
        return
    if alias.casefold() == "latest" or _VERSION_LIKE.fullmatch(alias):
        yield f"alias '{alias}' is reserved by MLflow: name what the version is for, such as '{ladder[-1]}'."
    elif alias.casefold() not in {rung.casefold() for rung in ladder}:
        yield (
            f"alias '{alias}' is none of {', '.join(ladder)}: use one of them, or add it to the option ladder of "
            f"{alias_is_of_the_ladder.name}."
        )


alias_is_of_the_ladder = ResourceRule(
    id="POL-15",
    name="alias-is-of-the-ladder",
    description="Refuse an alias that is reserved, or that is not among those agreed on.",
    remediation="Use an alias of the ladder, or add a new one to the option ladder.",
    staging=MANDATORY,
    prod=MANDATORY,
    severity=MEDIUM,
    source=sources.MODEL_ALIASES,
    options={
        "ladder": {
            "type": "array",
            "items": {"type": "string"},
            "minItems": 1,
            "description": "The aliases that models may have, from the first to the one that serves.",
            "default": ["candidate", "challenger", "staging", "champion", "production"],
        }
    },
    types=frozenset({MODEL_ALIAS}),
    check=_ladder,
)


def _proven(stack: Stack) -> Iterator[tuple[Subject, str]]:
    aliases = list(stack.of(MODEL_ALIAS))
    rungs = {(one.text("model"), one.text("after")) for one in aliases}
    for alias in aliases:
        model, name, version = alias.text("model"), alias.text("alias"), alias.text("version")
        # Evidence comes from a resource that runs during the update; in preview it is enough to see where from.
        if alias.get("evidence") is None and "evidence" not in alias.sources:
            yield (
                alias,
                f"alias '{name}' of {model} moves to version {version} without evidence: set evidence to the "
                "digest of a "
                "SmokeQuery, or the evidence of a TrafficRollout, so that it moves after a passed gate.",
            )
        # A rung that another alias of the stack climbs from is on the way; the one at the end is what somebody answers
        # for.
        if stack.option("approval_required") and (model, name) not in rungs:
            yield from _unapproved(stack, alias)


def _unapproved(stack: Stack, alias: Subject) -> Iterator[tuple[Subject, str]]:
    """Approved is an alias that waits for the tag of whoever approves, or a version that is named in the options."""
    tag, requires = stack.option("approval_tag"), alias.get("requires")
    if requires is UNKNOWN or (isinstance(requires, Mapping) and tag in requires):
        return
    model, name, version = alias.text("model"), alias.text("alias"), alias.text("version")
    approval = stack.option("approvals").get(f"{model}@{name}")
    if version is None or (approval is not None and approval["version"] == version):
        return
    found = f"the options approve version {approval['version']}" if approval else "nobody has to approve it"
    yield (
        alias,
        f"alias '{name}' of {model} moves to version {version}, and {found}: add {tag} to requires of the alias "
        f"(model.promotion.{name}.requires: {{{tag}: ''}}), so that it waits for that tag of the version, or add to "
        f'the option approvals {{"{model}@{name}": {{"version": "{version}", "by": "who"}}}}.',
    )


production_alias_is_approved_and_proven = StackRule(
    id="POL-18",
    name="production-alias-is-approved-and-proven",
    description="Require evidence of a passed gate, and somebody's approval of the version, before an alias moves.",
    remediation="Set evidence of the ModelAlias to the digest of its SmokeQuery; have it require the tag approved_by.",
    staging=OFF,
    prod=MANDATORY,
    severity=HIGH,
    source=sources.MODEL_ALIASES,
    options={
        "approval_required": {
            "type": "boolean",
            "description": "Whether each version that an alias moves to has to be approved. An alias that is the rung "
            "below another one of the stack is not asked.",
            "default": True,
        },
        "approval_tag": {
            "type": "string",
            "minLength": 1,
            "description": "Tag of a model version that says who approved it.",
            "default": "approved_by",
        },
        "approvals": {
            "type": "object",
            "description": "Or approved versions, by `<model>@<alias>`, where no tag can be set.",
            "additionalProperties": {
                "type": "object",
                "properties": {
                    "version": {"type": "string", "pattern": "^[0-9]+$"},
                    "by": {"type": "string", "minLength": 1},
                },
                "required": ["version", "by"],
                "additionalProperties": False,
            },
            "default": {},
        },
    },
    check=_proven,
)


def _ignored(subject: Subject) -> Iterator[str]:
    if subject.blocks("aliases").known:
        yield (
            f"aliases of {subject.shown} is dropped by the service in silence: declare a ModelAlias for each, "
            "or set it "
            "with registered_models.set_alias."
        )


no_aliases_on_the_registered_model = ResourceRule(
    id="POL-36",
    name="no-aliases-on-the-registered-model",
    description="Refuse aliases on a RegisteredModel: the service ignores them.",
    remediation="Declare a ModelAlias.",
    staging=MANDATORY,
    prod=MANDATORY,
    severity=HIGH,
    source=sources.MODEL_ALIASES_IGNORED,
    types=frozenset({REGISTERED_MODEL}),
    check=_ignored,
)


def _workspace_registry(subject: Subject) -> Iterator[str]:
    yield (
        f"{subject.shown} lives in the workspace model registry, which has stages and no Unity Catalog governance: "
        "declare a RegisteredModel in a catalog and schema instead."
    )


no_workspace_registry = ResourceRule(
    id="POL-37",
    name="no-workspace-registry",
    description="Refuse models of the workspace registry; Unity Catalog has taken its place.",
    remediation="Declare a RegisteredModel, and Grants for it.",
    staging=ADVISORY,
    prod=MANDATORY,
    severity=MEDIUM,
    source=sources.MODEL_ALIASES,
    types=frozenset({WORKSPACE_MODEL, WORKSPACE_WEBHOOK}),
    check=_workspace_registry,
)


def _agree(stack: Stack) -> Iterator[tuple[Subject, str]]:
    served: dict[str, set[str]] = {}
    undecided: set[str] = set()
    for declaring in stack.of(*ENDPOINTS, TRAFFIC_ROLLOUT):
        for entity in declared(declaring).entities:
            if isinstance(entity.model, str) and isinstance(entity.version, str | int | float):
                served.setdefault(entity.model, set()).add(as_text(entity.version))
            elif isinstance(entity.model, str) and entity.version is UNKNOWN:
                undecided.add(entity.model)
    for alias in stack.of(MODEL_ALIAS):
        model, version = alias.text("model"), alias.text("version")
        if alias.option("serving_aliases") and alias.text("alias") not in alias.option("serving_aliases"):
            continue
        if model in served and model not in undecided and version and version not in served[model]:
            yield (
                alias,
                f"alias '{alias.text('alias')}' of {model} points to version {version}, and the stack serves "
                f"{', '.join(sorted(served[model]))}: serve version {version}, or leave the alias where it is.",
            )


alias_and_endpoint_agree = StackRule(
    id="POL-38",
    name="alias-and-endpoint-agree",
    description="Refuse an alias that points to a version which no endpoint of the stack serves, though the "
    "model is served.",
    remediation="Serve the version that the alias points to.",
    staging=ADVISORY,
    prod=MANDATORY,
    severity=MEDIUM,
    source=sources.MODEL_ALIASES,
    options={
        "serving_aliases": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Aliases that say what is served; every alias where the list is empty.",
            "default": ["champion", "production"],
        }
    },
    check=_agree,
)


def _undocumented(subject: Subject) -> Iterator[str]:
    comment = subject.get("comment")
    if comment is UNKNOWN or (isinstance(comment, str) and comment.strip()):
        return
    yield (
        f"{subject.shown} has no comment: write what it predicts, of which data, and who answers for it, so that "
        "whoever finds it in the catalog knows."
    )


models_have_a_comment = ResourceRule(
    id="POL-64",
    name="models-have-a-comment",
    description="Require a comment on a registered model: its documentation where people look for it.",
    remediation="Set comment of the RegisteredModel.",
    staging=ADVISORY,
    prod=MANDATORY,
    severity=MEDIUM,
    source=sources.MODEL_ALIASES,
    types=frozenset({REGISTERED_MODEL}),
    check=_undocumented,
)

RULES = (
    alias_is_of_the_ladder,
    production_alias_is_approved_and_proven,
    no_aliases_on_the_registered_model,
    no_workspace_registry,
    alias_and_endpoint_agree,
    models_have_a_comment,
)
