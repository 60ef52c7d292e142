"""`EndpointSettings`: what the plugin would pass over is done, or refused where nobody can do it."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.dynamic import CreateResult, UpdateResult

from components.dynamic.endpoint_settings import EndpointSettingsProvider
from components.dynamic.errors import ProviderError
from tests.support.rest_stub import RestStub, endpoint
from tests.unit.dynamic.conftest import MakeProvider

NOTIFY = "PATCH /api/2.0/serving-endpoints/ep/notifications"


@pytest.fixture
def settings(provider: MakeProvider[EndpointSettingsProvider], stub: RestStub) -> EndpointSettingsProvider:
    stub.endpoints["ep"] = [endpoint("ep", {"m-1": 100})]
    return provider(EndpointSettingsProvider)


def inputs(**changes: Any) -> dict[str, Any]:
    return {
        "endpoint_name": "ep",
        "on_update_success": [],
        "on_update_failure": ["ml@example.com"],
        "description": "fares",
        "budget_policy_id": "",
        "provider_version": "1",
        "__provider": "pickled",
        **changes,
    }


def made(result: CreateResult | UpdateResult) -> dict[str, Any]:
    assert result.outs is not None
    return result.outs


def seen_by_refresh(settings: EndpointSettingsProvider) -> Any:
    outs = settings.read("ep", inputs()).outs
    assert outs is not None
    return outs["on_update_failure"]


def notified(stub: RestStub) -> Any:
    return stub.endpoints["ep"][0].get("email_notifications")


@pytest.mark.parametrize("name", ["description", "budget_policy_id"])
def test_a_change_that_nobody_can_make_is_refused_at_check(
    settings: EndpointSettingsProvider, stub: RestStub, name: str
) -> None:
    failures = settings.check(inputs(), inputs(**{name: "another"})).failures
    assert [failure.property for failure in failures] == [name]
    assert "'another'" in failures[0].reason
    assert "new name" in failures[0].reason
    assert stub.received == []


def test_another_endpoint_may_have_another_description(settings: EndpointSettingsProvider) -> None:
    assert settings.check(inputs(), inputs(endpoint_name="other", description="another")).failures == []
    assert settings.diff("ep", inputs(), inputs(endpoint_name="other")).replaces == ["endpoint_name"]


def test_an_address_that_is_none_is_refused(settings: EndpointSettingsProvider) -> None:
    failures = settings.check({}, inputs(on_update_success=["nobody"])).failures
    assert [(failure.property, "nobody" in failure.reason) for failure in failures] == [("on_update_success", True)]


def test_notifications_are_set_changed_and_taken_back(settings: EndpointSettingsProvider, stub: RestStub) -> None:
    outs = made(settings.create(inputs()))
    assert notified(stub)["on_update_failure"] == ["ml@example.com"]
    changed = inputs(on_update_failure=["ops@example.com"])
    assert settings.diff("ep", outs, changed).changes
    outs = made(settings.update("ep", outs, changed))
    assert notified(stub)["on_update_failure"] == ["ops@example.com"]
    settings.delete("ep", outs)
    assert notified(stub) == {"on_update_failure": [], "on_update_success": []}


def test_without_addresses_nothing_is_sent(settings: EndpointSettingsProvider, stub: RestStub) -> None:
    quiet = inputs(on_update_failure=[])
    settings.delete("ep", made(settings.create(quiet)))
    assert not settings.diff("ep", quiet, quiet).changes
    assert stub.writes() == []


def test_refresh_sees_who_is_notified_and_that_the_endpoint_is_gone(
    settings: EndpointSettingsProvider, stub: RestStub
) -> None:
    stub.endpoints["ep"][0]["email_notifications"] = {"on_update_failure": ["by@hand.com"]}
    assert seen_by_refresh(settings) == ["by@hand.com"]
    del stub.endpoints["ep"][0]["email_notifications"]
    assert seen_by_refresh(settings) == ["ml@example.com"]
    del stub.endpoints["ep"]
    assert settings.read("ep", inputs()).id == ""


def test_a_refusal_of_the_service_keeps_its_words(settings: EndpointSettingsProvider, stub: RestStub) -> None:
    stub.fail("PATCH", "/notifications", 403, "CAN_MANAGE needed", code="PERMISSION_DENIED")
    with pytest.raises(ProviderError, match="CAN_MANAGE needed"):
        settings.create(inputs())


def test_an_endpoint_that_went_first_has_nobody_to_notify(settings: EndpointSettingsProvider, stub: RestStub) -> None:
    outs = made(settings.create(inputs()))
    del stub.endpoints["ep"]
    settings.delete("ep", outs)


ROUTED = {"route_optimized": True, "declared_name": "ep"}


@pytest.mark.parametrize(("before", "after"), [({}, ROUTED), (ROUTED, {})])
def test_another_route_under_the_same_name_is_refused_at_check(
    settings: EndpointSettingsProvider, before: dict[str, Any], after: dict[str, Any]
) -> None:
    (failure,) = settings.check(inputs(**before), inputs(**after)).failures
    assert failure.property == "route_optimized"
    assert "give it a new name too" in failure.reason


def test_a_route_for_an_endpoint_that_was_made_without_is_refused_before_anything_is_in_state(
    settings: EndpointSettingsProvider, stub: RestStub
) -> None:
    (failure,) = settings.check({}, inputs(**ROUTED)).failures
    assert "endpoint ep was made without route optimisation" in failure.reason
    stub.endpoints["ep"][0]["route_optimized"] = True
    assert settings.check({}, inputs(**ROUTED)).failures == []
    del stub.endpoints["ep"]
    assert settings.check({}, inputs(**ROUTED)).failures == []
    assert stub.writes() == []


def test_a_new_endpoint_may_have_another_route(settings: EndpointSettingsProvider) -> None:
    assert settings.check(inputs(), inputs(**{**ROUTED, "endpoint_name": "new", "declared_name": "new"})).failures == []
