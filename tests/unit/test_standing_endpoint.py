"""What an endpoint that is there cannot become is refused at preview, by reading alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from components.dynamic.client import workspace_client
from components.standing_endpoint import StandingEndpointError, check_route
from tests.support.rest_stub import TOKEN, RestStub, endpoint, running


@pytest.fixture
def stub() -> Iterator[RestStub]:
    with running(RestStub()) as stub:
        yield stub


def check(stub: RestStub, *, wanted: bool) -> None:
    check_route("fares", wanted, workspace_client({"databricks:host": stub.host, "databricks:token": TOKEN}))


@pytest.mark.parametrize("optimized", [True, False])
def test_a_new_endpoint_and_one_that_was_made_so_pass(stub: RestStub, optimized: bool) -> None:
    check(stub, wanted=optimized)
    stub.endpoints["fares"] = [{**endpoint("fares", {"m-1": 100}), "route_optimized": optimized}]
    check(stub, wanted=optimized)
    assert stub.writes() == []


@pytest.mark.parametrize("wanted", [True, False])
def test_another_route_is_refused_with_the_way_out(stub: RestStub, wanted: bool) -> None:
    stub.endpoints["fares"] = [{**endpoint("fares", {"m-1": 100}), "route_optimized": not wanted}]
    with pytest.raises(StandingEndpointError, match=r"fares was made with.* give the endpoint a new name too"):
        check(stub, wanted=wanted)


def test_a_workspace_that_does_not_say_is_no_permission(stub: RestStub) -> None:
    stub.fail("GET", "/serving-endpoints/fares", 403, "no", code="PERMISSION_DENIED")
    with pytest.raises(StandingEndpointError, match="permission denied"):
        check(stub, wanted=False)
