"""What components are described with holds what it says it holds, whoever calls without a type checker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from components.arguments import ArgumentError, declared, takes_outputs
from components.external_store import StoreLoginArgs
from components.online_store import FeatureOnlineStoreArgs
from components.online_table import FeatureOnlineTableArgs
from components.served_entity import ExternalModelArgs, ServedEntityArgs, ServedEntityError
from components.serving_endpoint import ServingEndpointArgs

SECRET = "correct-horse-battery"


def table(**changes: Any) -> FeatureOnlineTableArgs:
    return FeatureOnlineTableArgs(**{"source_table": "c.s.t", "primary_keys": ["k"], "online_store": "o", **changes})


def entity(**changes: Any) -> ServedEntityArgs:
    return ServedEntityArgs(
        **{"model": "c.s.m", "version": "1", "traffic_percentage": 100, "scale_to_zero_enabled": True, **changes}
    )


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: table(primary_keys="k"), r"primary_keys is 'k'; a list is expected: write \['k'\]"),
        (lambda: table(primary_keys={"k"}), "primary_keys is {'k'}; a list is expected, because a set has no order"),
        (lambda: table(primary_keys=["k", 1]), r"primary_keys\[1\] is 1; a text is expected: write \"1\""),
        (lambda: table(publish_mode="TRIGERED"), "publish_mode is 'TRIGERED'; use one of 'SNAPSHOT', 'TRIGGERED'"),
        (lambda: table(triggers={"day": 3}), r"triggers\['day'\] is 3; a text is expected"),
        (lambda: table(timeout_seconds="60"), "timeout_seconds is '60'; expected a number"),
        (lambda: table(lakebase="branch"), "lakebase is 'branch'; expected LakebaseTargetArgs or None"),
        (lambda: FeatureOnlineStoreArgs(name="s", capacity="CU_3"), "capacity is 'CU_3'; use one of 'CU_1'"),  # type: ignore[arg-type]
        (lambda: entity(version=7), 'version is 7; a text is expected: write "7"'),
        (lambda: entity(traffic_percentage=True), "traffic_percentage is True; expected a whole number"),
        (lambda: entity(traffic_percentage=50.0), "traffic_percentage is 50.0; expected a whole number"),
        (lambda: entity(scale_to_zero_enabled=None), "scale_to_zero_enabled is None; expected True or False"),
        (lambda: ServingEndpointArgs(name="e", served_entities=entity()), "expected a list"),  # type: ignore[arg-type]
    ],
)
def test_a_field_that_holds_something_else_is_refused_with_the_value_and_the_fix(
    build: Callable[[], Any], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        build()


def test_an_output_where_the_program_has_to_know_the_value_is_refused_and_never_becomes_part_of_a_name() -> None:
    with pytest.raises(ArgumentError, match=r"source_table is an output.*known at preview"):
        table(source_table=pulumi.Output.from_input("c.s.t"))


def test_an_output_is_taken_where_the_field_says_so() -> None:
    args = table(
        online_store=pulumi.Output.from_input("o"),
        triggers={"rows": pulumi.Output.from_input("3")},
        readers=[pulumi.Output.from_input("sp")],
    )
    assert isinstance(args.online_store, pulumi.Output)
    hints = declared(FeatureOnlineTableArgs)
    assert takes_outputs(hints["online_store"])
    assert not takes_outputs(hints["online_table"])


def test_a_secret_that_does_not_fit_is_not_repeated() -> None:
    with pytest.raises(ArgumentError) as variable:
        entity(environment_vars={"API_TOKEN": [SECRET]})
    with pytest.raises(ArgumentError) as password:
        StoreLoginArgs(scope="s", user="reader", password=[SECRET])  # type: ignore[arg-type]
    assert SECRET not in str(variable.value) + str(password.value)


def value_of(output: pulumi.Input[str]) -> str:
    assert isinstance(output, pulumi.Output)
    return asyncio.get_event_loop().run_until_complete(output.future()) or ""


@pytest.mark.parametrize("value", [SECRET, "{{secrets/scope}}"])
def test_a_variable_that_is_known_late_is_checked_before_the_service_sees_it(value: str) -> None:
    late = entity(environment_vars={"API_TOKEN": pulumi.Output.from_input(value)})
    with pytest.raises(ServedEntityError, match="API_TOKEN") as refused:
        value_of(late.checked_variables["API_TOKEN"])
    assert SECRET not in str(refused.value)


def test_a_reference_that_is_known_late_is_let_through() -> None:
    late = entity(environment_vars={"API_TOKEN": pulumi.Output.from_input("{{secrets/scope/key}}")})
    assert value_of(late.checked_variables["API_TOKEN"]) == "{{secrets/scope/key}}"


def test_the_key_of_an_external_model_that_is_known_late_is_checked_too() -> None:
    late = ExternalModelArgs(
        provider="openai",
        model="gpt",
        task="llm/v1/chat",
        traffic_percentage=100,
        settings={"openai_api_key": pulumi.Output.from_input(SECRET)},
    )
    external: Any = late.inputs().external_model
    with pytest.raises(ServedEntityError, match="openai_api_key is a literal") as refused:
        value_of(external.openai_config.openai_api_key)
    assert SECRET not in str(refused.value)
