"""What an endpoint serves, on which compute, and proof that it answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from policies import sources
from policies.endpoints import (
    DECLARES_ENTITIES,
    ENDPOINTS,
    MODEL_SERVING,
    TRAFFIC_ROLLOUT,
    as_text,
    declarations_of,
    declared,
    names_endpoint,
)
from policies.reading import UNKNOWN, Reader
from policies.remedies import say_scale_to_zero
from policies.rule import ADVISORY, HIGH, LOW, MANDATORY, MEDIUM, OFF, ResourceRule, StackRule, is_production
from policies.subject import Stack, Subject

SMOKE_QUERY = "pulumi-python:dynamic/serving:SmokeQuery"
SIZES = ("Small", "Medium", "Large")
CONCURRENCY_STEP = 4
"""Provisioned concurrency comes in multiples of it (Model Serving API)."""


def _version(subject: Subject) -> Iterator[str]:
    for entity in declared(subject).entities:
        # A feature spec or an external model has no version; only a registered model is served by one.
        if entity.version in (None, "") or entity.version is UNKNOWN:
            continue
        version = as_text(entity.version)
        if not (version.isascii() and version.isdecimal()):
            yield (
                f"{entity.label}: the version of {entity.model} is '{version}', which is not a number. "
                'Set it to the number of the version, such as "15"; where an alias is meant, resolve it in the program '
                "(GET /api/2.1/unity-catalog/models/<model>/aliases/<alias>), so that preview shows the number."
            )


served_entity_version_is_a_number = ResourceRule(
    id="POL-01",
    name="served-entity-version-is-a-number",
    description="Refuse a served entity whose version is not a number: the service takes neither aliases nor stages.",
    remediation='Set the entity\'s version to a number such as "15"; resolve an alias to its number in the program.',
    staging=MANDATORY,
    prod=MANDATORY,
    severity=HIGH,
    source=sources.CREATE_ENDPOINTS,
    types=DECLARES_ENTITIES,
    check=_version,
)


def _retired(subject: Subject) -> Iterator[str]:
    if subject.get("config", "autoCaptureConfig") not in (None, UNKNOWN):
        yield (
            "config.autoCaptureConfig is the legacy inference table, which cannot be enabled since February 2026: "
            "set aiGateway.inferenceTableConfig with catalogName, schemaName and tableNamePrefix instead."
        )
    if subject.blocks("config", "servedModels").known:
        yield (
            "config.servedModels is deprecated: declare the same under config.servedEntities (entityName, "
            "entityVersion)."
        )
    if subject.blocks("rateLimits").known:
        yield "rateLimits of the endpoint is deprecated and never updated: declare it as aiGateway.rateLimits."


no_retired_serving_blocks = ResourceRule(
    id="POL-03",
    name="no-retired-serving-blocks",
    description="Refuse the blocks of an endpoint that Databricks has retired: autoCaptureConfig, "
    "servedModels, rateLimits.",
    remediation="Use aiGateway.inferenceTableConfig, config.servedEntities and aiGateway.rateLimits.",
    staging=MANDATORY,
    prod=MANDATORY,
    severity=HIGH,
    source=sources.INFERENCE_TABLES,
    types=frozenset({MODEL_SERVING}),
    check=_retired,
)


def _scales_to_zero(subject: Subject) -> Iterator[str]:
    for entity in declared(subject).entities:
        if entity.scale_to_zero is True:
            yield (
                f"{entity.label} scales to zero: its first request after a pause waits for a cold start, and capacity "
                "is not guaranteed. Set scaleToZeroEnabled to false."
            )


no_scale_to_zero_in_production = ResourceRule(
    id="POL-06",
    name="no-scale-to-zero-in-production",
    description="Refuse scale to zero in production, where nobody should wait for a cold start.",
    remediation="Set scaleToZeroEnabled to false.",
    staging=OFF,
    prod=MANDATORY,
    severity=MEDIUM,
    source=sources.CREATE_ENDPOINTS,
    types=DECLARES_ENTITIES,
    check=_scales_to_zero,
)


def _compute(subject: Subject) -> Iterator[str]:
    for entity in declared(subject).entities:
        least, most = entity.concurrency
        if entity.size not in (None, UNKNOWN, *SIZES):
            yield f"{entity.label}: workloadSize is '{entity.size}'; set it to one of {', '.join(SIZES)}."
        if entity.size is not None and (least is not None or most is not None):
            yield f"{entity.label} sets workloadSize and provisioned concurrency: keep one of the two."
        if entity.is_custom and any(bound is not None for bound in entity.throughput):
            yield (
                f"{entity.label} sets provisioned throughput, which is tokens a second of a foundation model: "
                "set workloadSize, or minProvisionedConcurrency and maxProvisionedConcurrency."
            )
        for name, bound in (("minProvisionedConcurrency", least), ("maxProvisionedConcurrency", most)):
            if isinstance(bound, int | float) and bound % CONCURRENCY_STEP:
                yield f"{entity.label}: {name} is {as_text(bound)}; set it to a multiple of {CONCURRENCY_STEP}."
        if isinstance(least, int | float) and isinstance(most, int | float) and least > most:
            yield (
                f"{entity.label}: minProvisionedConcurrency {as_text(least)} is more than the maximum {as_text(most)}."
            )


served_entity_compute_is_consistent = ResourceRule(
    id="POL-07",
    name="served-entity-compute-is-consistent",
    description="Refuse compute settings of a served entity that the service refuses or that contradict each other.",
    remediation="Set either workloadSize (Small, Medium, Large) or provisioned concurrency in multiples of 4.",
    staging=MANDATORY,
    prod=MANDATORY,
    severity=HIGH,
    source=sources.SERVING_LIMITS,
    types=DECLARES_ENTITIES,
    check=_compute,
)


def _smoke(stack: Stack) -> Iterator[tuple[Subject, str]]:
    # A rollout asks its queries before it gives traffic to a version.
    queries = list(stack.of(SMOKE_QUERY, TRAFFIC_ROLLOUT))
    for endpoint in stack.of(*ENDPOINTS):
        if not any(names_endpoint(query, "endpoint_name", endpoint) for query in queries):
            shown = endpoint.name if Reader().get(endpoint.props, "name") is UNKNOWN else f"'{endpoint.shown}'"
            yield (
                endpoint,
                f"no SmokeQuery asks endpoint {shown}, so nothing proves that it answers before the alias moves: "
                f"declare one whose endpoint_name is {shown}.",
            )


endpoint_has_a_smoke_query = StackRule(
    id="POL-17",
    name="endpoint-has-a-smoke-query",
    description="Require a smoke query for every endpoint, so that an update fails when the endpoint answers wrongly.",
    remediation="Declare a SmokeQuery or a TrafficRollout whose endpoint_name is the endpoint's name.",
    staging=ADVISORY,
    prod=MANDATORY,
    severity=HIGH,
    source=sources.CREATE_ENDPOINTS,
    check=_smoke,
)


def _explicit_zero(subject: Subject) -> Iterator[str]:
    for entity in declared(subject).entities:
        if entity.is_custom and entity.scale_to_zero is None:
            yield (
                f"{entity.label} leaves scaleToZeroEnabled out, which the service answers with an error: "
                "set it to true or false."
            )


def _say_zero(subject: Subject) -> bool:
    """What the pack itself wants where it is left out: scale to zero in trials, none in production."""
    if subject.type != MODEL_SERVING:
        return False
    entities = enumerate(declared(subject).entities)
    custom = [number for number, entity in entities if entity.is_custom and "servedEntities" in entity.path]
    return say_scale_to_zero(subject, not is_production(subject.urn), custom)


scale_to_zero_is_explicit = ResourceRule(
    id="POL-23",
    name="scale-to-zero-is-explicit",
    description="Require scaleToZeroEnabled for every entity of a registered model: the service fails without it.",
    remediation="Set scaleToZeroEnabled to true or false.",
    staging=MANDATORY,
    prod=MANDATORY,
    severity=MEDIUM,
    source=sources.SCALE_TO_ZERO_UNSET,
    types=DECLARES_ENTITIES,
    check=_explicit_zero,
    remedy=_say_zero,
    remedied="sets `scaleToZeroEnabled` where it is left out: true in trials, false in production.",
)


def _named(subject: Subject) -> Iterator[str]:
    for entity in declared(subject).entities:
        if entity.declared_name is None:
            yield (
                f"{entity.label} has no name: the provider matches entities by name, and moves unnamed ones "
                "to the end. "
                "Give it a name, such as '<model>-<version>'."
            )


served_entities_are_named = ResourceRule(
    id="POL-24",
    name="served-entities-are-named",
    description="Require a name for every served entity, so that routes and state stay with the right one.",
    remediation="Set name of the served entity.",
    staging=ADVISORY,
    prod=MANDATORY,
    severity=MEDIUM,
    source=sources.PLUGIN_ENDPOINT,
    types=DECLARES_ENTITIES,
    check=_named,
)

# A budget policy cannot be set in any other way, and has a rule of its own.
_CREATE_ONLY = ("description", "emailNotifications", "telemetryConfig")


def _create_only(subject: Subject) -> Iterator[str]:
    given = [name for name in _CREATE_ONLY if subject.get(name) not in (None, "", UNKNOWN)]
    if given:
        yield (
            f"{', '.join(given)}: the provider sends this when the endpoint is made, and never again; a later "
            "change is "
            "shown as done and is not. Declare it with EndpointSettings, or replace the endpoint to change it."
        )


no_settings_that_are_never_updated = ResourceRule(
    id="POL-25",
    name="no-settings-that-are-never-updated",
    description="Refuse settings of an endpoint whose changes the provider passes over in silence.",
    remediation="Declare notifications and descriptions with EndpointSettings.",
    staging=ADVISORY,
    prod=ADVISORY,
    severity=LOW,
    source=sources.SILENT_UPDATES,
    types=frozenset({MODEL_SERVING}),
    check=_create_only,
)


def _kinds(subject: Subject) -> Iterator[str]:
    entities = declared(subject).entities
    external = [entity for entity in entities if isinstance(entity.external, Mapping)]
    if external and len(external) < len(entities):
        own = next(entity for entity in entities if entity not in external)
        yield f"{external[0].label} is an external model and {own.label} is not: serve them from two endpoints."
    tasks = {task for entity in external if isinstance(task := subject.reader.get(entity.external, "task"), str)}
    if len(tasks) > 1:
        yield (
            f"external models of one endpoint share a task; here are {', '.join(sorted(tasks))}: use an "
            "endpoint for each."
        )


entities_of_an_endpoint_are_of_one_kind = ResourceRule(
    id="POL-26",
    name="entities-of-an-endpoint-are-of-one-kind",
    description="Refuse external models beside others, or of several tasks, on one endpoint.",
    remediation="Serve each kind of model, and each task, from an endpoint of its own.",
    staging=MANDATORY,
    prod=MANDATORY,
    severity=HIGH,
    source=sources.EXTERNAL_MODELS,
    types=frozenset({MODEL_SERVING}),
    check=_kinds,
)


def _gateway(subject: Subject) -> Iterator[str]:
    entities = declared(subject).entities
    if not entities:
        return
    if any(entity.is_custom for entity in entities) and _is_set(subject.get("aiGateway", "guardrails")):
        yield "aiGateway.guardrails is for language models, and a custom model is served: remove it."
    if subject.get("aiGateway", "fallbackConfig", "enabled") is True and not all(
        entity.external is not None for entity in entities
    ):
        yield "aiGateway.fallbackConfig is for external models only: set enabled to false, or remove it."


def _is_set(block: Any) -> bool:
    return isinstance(block, Mapping) and any(value not in (None, False) for value in block.values())


gateway_features_fit_the_models = ResourceRule(
    id="POL-27",
    name="gateway-features-fit-the-models",
    description="Refuse AI Gateway features that do not apply to the models behind the endpoint.",
    remediation="Keep guardrails for language models, and fallbacks for external ones.",
    staging=MANDATORY,
    prod=MANDATORY,
    severity=MEDIUM,
    source=sources.AI_GATEWAY,
    types=frozenset({MODEL_SERVING}),
    check=_gateway,
)


def _slo(stack: Stack) -> Iterator[tuple[Subject, str]]:
    tag = stack.option("tag")
    for endpoint in stack.of(*ENDPOINTS):
        promised = [
            value
            for _, one in endpoint.blocks("tags").known
            if endpoint.reader.get(one, "key") == tag and (value := endpoint.reader.get(one, "value"))
        ]
        for _, declaration in declarations_of(stack, endpoint) if promised else ():
            for entity in declaration.entities:
                if entity.scale_to_zero is True:
                    yield (
                        endpoint,
                        f"tag {tag} promises {promised[0]}, and {entity.label} scales to zero: a cold start "
                        "takes longer. "
                        "Set scaleToZeroEnabled to false, or remove the promise.",
                    )


no_scale_to_zero_under_a_latency_promise = StackRule(
    id="POL-28",
    name="no-scale-to-zero-under-a-latency-promise",
    description="Refuse scale to zero for an endpoint that is tagged with a latency objective.",
    remediation="Set scaleToZeroEnabled to false, or remove the tag.",
    staging=ADVISORY,
    prod=MANDATORY,
    severity=MEDIUM,
    source=sources.CREATE_ENDPOINTS,
    options={
        "tag": {
            "type": "string",
            "description": "The tag whose value is the endpoint's latency objective.",
            "default": "latency_slo_ms",
        }
    },
    check=_slo,
)


def _protected(subject: Subject) -> Iterator[str]:
    if not subject.options.protect:
        yield (
            f"endpoint {subject.shown} is not protected: an edit of the program can delete it. "
            "Set the resource option protect=True; `pulumi state unprotect` lifts it on purpose."
        )


production_endpoint_is_protected = ResourceRule(
    id="POL-29",
    name="production-endpoint-is-protected",
    description="Require the resource option protect on endpoints of production, against deletion by an edit.",
    remediation="Set the resource option protect=True on the endpoint.",
    staging=OFF,
    prod=ADVISORY,
    severity=MEDIUM,
    source=sources.PROTECT,
    types=frozenset(ENDPOINTS),
    check=_protected,
)

RULES = (
    served_entity_version_is_a_number,
    no_retired_serving_blocks,
    no_scale_to_zero_in_production,
    served_entity_compute_is_consistent,
    endpoint_has_a_smoke_query,
    scale_to_zero_is_explicit,
    served_entities_are_named,
    no_settings_that_are_never_updated,
    entities_of_an_endpoint_are_of_one_kind,
    gateway_features_fit_the_models,
    no_scale_to_zero_under_a_latency_promise,
    production_endpoint_is_protected,
)
