"""What endpoints are billed for: time awake and launches from zero, in the billing system tables, at the list price."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from databricks.sdk.service.serving import EndpointCoreConfigInput, EndpointTag

from components.rates import RATES
from tests.support.feature_serving import World, entity, eventually, save_model, world
from workspace.serving.billing import LAUNCH_SKU, LIST_PRICES, SKU, USAGE, USAGE_COLUMNS
from workspace.serving.metering import HOUR_SECONDS, Awake, Meter, Span

MODEL = "main.ml.numbers"
HOUR = float(HOUR_SECONDS)


def found(span: Span, uid: str = "e") -> Awake:
    return Awake(
        uid=uid, endpoint_id="1", endpoint_name="one", creator="me", tags={"owner": "me"}, concurrency=4, span=span
    )


def awake(start: float, until: float, *, from_zero: bool = False) -> Span:
    return Span(start, until, from_zero, "CPU")


def told(meter: Meter, *spans: Span) -> list[tuple[float, float]]:
    return [(one.start, one.end) for one in meter.look([found(span) for span in spans]) if not one.is_launch]


def test_whole_hours_are_told_as_they_end_and_the_rest_when_it_sleeps() -> None:
    meter = Meter()
    assert told(meter, awake(HOUR - 600, HOUR - 1)) == []
    assert told(meter, awake(HOUR - 600, HOUR)) == [(HOUR - 600, HOUR)]
    assert told(meter, awake(HOUR - 600, HOUR + 5)) == []
    assert told(meter, awake(HOUR - 600, 3 * HOUR + 60)) == [(HOUR, 2 * HOUR), (2 * HOUR, 3 * HOUR)]
    assert told(meter, awake(HOUR - 600, 3 * HOUR + 90)) == []
    assert told(meter) == [(3 * HOUR, 3 * HOUR + 90)]
    assert told(meter) == []


def test_an_entity_that_slept_between_two_looks_is_told_up_to_when_it_was_seen_awake() -> None:
    meter = Meter()
    assert told(meter, awake(0, 1800)) == []
    assert told(meter, awake(2 * HOUR, 2 * HOUR + 1, from_zero=True)) == [(0, 1800)]
    assert [(one.start, one.end) for one in meter.close()] == [(2 * HOUR, 2 * HOUR + 1)]


def test_an_endpoints_launches_from_zero_are_told_twice_an_hour_at_most_and_a_first_start_is_none() -> None:
    meter = Meter()
    starts = [0.0, 600.0, 1200.0, 1800.0, HOUR]
    launches = []
    for number, start in enumerate(starts):
        launches += [one.start for one in meter.look([found(awake(start, start + 1, from_zero=number > 0))])]
        meter.look([])
    assert [start for start in launches if start in starts] == [600.0, 1200.0, HOUR]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("billing")
    with world(folder) as made:
        made.models.add(MODEL, 1, save_model(folder / "saved", "return [1.0] * len(model_input)"))
        yield made


def advance(shop: World, seconds: float) -> None:
    shop.client.api_client.do("PUT", "/_workspace/clock", body={"advance_seconds": seconds})


def ask(shop: World, endpoint: str) -> None:
    shop.client.serving_endpoints.query(endpoint, dataframe_records=[{"a": 1.0}])


def rows(shop: World, endpoint: str) -> list[dict[str, Any]]:
    if shop.tables.find(USAGE) is None:
        return []
    found_rows = shop.tables.delta(USAGE).to_pyarrow_table().to_pylist()
    return sorted(
        (row for row in found_rows if row["usage_metadata"]["endpoint_name"] == endpoint),
        key=lambda row: (row["usage_start_time"], row["sku_name"]),
    )


def test_a_model_that_sleeps_costs_half_an_hour_after_its_last_request_and_its_launch(shop: World) -> None:
    """A day later somebody asks again: the day itself costs nothing."""
    config = EndpointCoreConfigInput(name="sleepy", served_entities=[entity(MODEL, 1, "e")])
    tags = [EndpointTag(key="owner", value="ml")]
    shop.client.serving_endpoints.create("sleepy", config=config, tags=tags).result()
    ask(shop, "sleepy")
    advance(shop, 86_400)
    live = shop.serving.deployments.live("sleepy")
    assert live is not None
    eventually(lambda: live.entities["e"].pid is None)
    ask(shop, "sleepy")
    eventually(lambda: LAUNCH_SKU in {row["sku_name"] for row in rows(shop, "sleepy")})
    found_rows = rows(shop, "sleepy")
    dbu = float(sum(row["usage_quantity"] for row in found_rows if row["sku_name"] == SKU))
    # A small model is provisioned for four requests at a time; the seconds before the request count too.
    assert 4 * RATES["CPU"].value * 0.5 <= dbu < 4 * RATES["CPU"].value * 0.5 + 0.2
    assert [row["usage_quantity"] for row in found_rows if row["sku_name"] == LAUNCH_SKU] == [Decimal(1)]
    for row in found_rows:
        assert tuple(row) == tuple(name for name, _, _ in USAGE_COLUMNS)
        assert (row["usage_unit"], row["billing_origin_product"], row["record_type"]) == (
            "DBU",
            "MODEL_SERVING",
            "ORIGINAL",
        )
        assert row["usage_start_time"].date() == row["usage_date"]
        assert (row["usage_end_time"] - row["usage_start_time"]).total_seconds() <= HOUR_SECONDS
        assert dict(row["custom_tags"]) == {"owner": "ml"}


def test_a_model_that_may_not_sleep_costs_every_hour_and_ends_with_its_endpoint(shop: World) -> None:
    config = EndpointCoreConfigInput(
        name="always", served_entities=[entity(MODEL, 1, "e", workload_size="Medium", scale_to_zero_enabled=False)]
    )
    shop.client.serving_endpoints.create("always", config=config).result()
    advance(shop, 5 * HOUR)
    eventually(lambda: len(rows(shop, "always")) >= 5)
    before = [row["usage_quantity"] for row in rows(shop, "always")]
    assert before[1:5] == [Decimal(8)] * 4
    prices = shop.tables.delta(LIST_PRICES).to_pyarrow_table().to_pylist()
    listed = {row["sku_name"]: row["pricing"]["effective_list"]["default"] for row in prices}
    assert listed == {SKU: Decimal("0.07"), LAUNCH_SKU: Decimal("0.07")}
    shop.client.serving_endpoints.delete("always")
    eventually(lambda: len(rows(shop, "always")) == 6)
    assert sum(row["usage_quantity"] for row in rows(shop, "always")) == pytest.approx(Decimal(40), abs=Decimal("0.5"))
