"""Cases of the rules about registry."""

from __future__ import annotations

from dataclasses import replace

from policies import registry
from tests.policies.cases.building import Case, alias, endpoint, entity, of_type, rollout
from tests.policies.judging import UNKNOWN

CASES = (
    Case(
        rule=registry.alias_is_of_the_ladder,
        passes=[[alias()]],
        refuses=[
            ([alias(alias="latest")], "alias 'latest' is reserved"),
            ([alias(alias="v12")], "alias 'v12' is reserved"),
            ([alias(alias="best")], "alias 'best' is none of candidate, challenger, staging, champion, production"),
        ],
        unknown=[([alias(alias=UNKNOWN)], "alias")],
    ),
    Case(
        rule=registry.production_alias_is_approved_and_proven,
        passes=[
            [alias()],
            [alias(evidence=UNKNOWN, requires={"approved_by": "ann@example.com"})],
            [replace(alias(evidence=None), sources={"evidence": "alias"})],
            # Only the end of a ladder is somebody's to answer for.
            [alias(requires={}), alias("top", alias="production", after="champion")],
            [alias(requires={}, model="c.s.listed")],
        ],
        refuses=[
            ([alias(evidence=None)], "moves to version 1 without evidence"),
            ([alias(requires={"validation": "passed"})], "nobody has to approve it: add approved_by to requires"),
            ([alias(requires={}, model="c.s.listed", version="2")], "the options approve version 1: add approved_by"),
            (
                [alias(requires={}), alias("top", alias="production", after="champion", model="c.s.other")],
                "alias 'champion' of c.s.m moves to version 1, and nobody has to approve it",
            ),
        ],
        options={"approvals": {"c.s.listed@champion": {"version": "1", "by": "ann@example.com"}}},
    ),
    Case(
        rule=registry.no_aliases_on_the_registered_model,
        passes=[[of_type(registry.REGISTERED_MODEL, name="m")]],
        refuses=[([of_type(registry.REGISTERED_MODEL, aliases=[{"aliasName": "champion"}])], "dropped by the service")],
        unknown=[([of_type(registry.REGISTERED_MODEL, aliases=UNKNOWN)], "aliases")],
    ),
    Case(
        rule=registry.no_workspace_registry,
        passes=[[of_type(registry.REGISTERED_MODEL, name="m")]],
        refuses=[([of_type(registry.WORKSPACE_MODEL, name="fares")], "fares lives in the workspace model registry")],
    ),
    Case(
        rule=registry.models_have_a_comment,
        passes=[[of_type(registry.REGISTERED_MODEL, name="m", comment="Fares of taxi trips; ml-platform.")]],
        refuses=[
            ([of_type(registry.REGISTERED_MODEL, name="fares")], "fares has no comment"),
            ([of_type(registry.REGISTERED_MODEL, name="fares", comment="  ")], "fares has no comment"),
        ],
        unknown=[([of_type(registry.REGISTERED_MODEL, comment=UNKNOWN)], "comment")],
    ),
    Case(
        rule=registry.alias_and_endpoint_agree,
        passes=[
            [endpoint(), alias()],
            [alias(version="7")],
            [endpoint(), alias(version="7", alias="challenger")],
            [endpoint(config=None), rollout(version="7"), alias(version="7")],
        ],
        refuses=[([endpoint(), alias(version="7")], "points to version 7, and the stack serves 1")],
        unknown=[
            ([endpoint(entity(entityVersion=UNKNOWN)), alias(version="7")], "config.servedEntities.0.entityVersion")
        ],
    ),
)
