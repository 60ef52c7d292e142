"""The cost shown at preview is the sum of what is declared, and says what it does not know."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.cost import estimate
from components.rates import RATES
from components.served_entity import FoundationModelArgs
from tests.unit.test_served_entity import external, model


@pytest.mark.parametrize(
    ("changes", "floor", "ceiling"),
    [
        ({}, 4, 4),
        ({"workload_size": "Medium"}, 8, 16),
        ({"workload_size": "Large"}, 16, 64),
        ({"min_provisioned_concurrency": 12, "max_provisioned_concurrency": 40}, 12, 40),
    ],
)
def test_a_cpu_entity_costs_a_dbu_for_each_request_at_a_time(changes: dict[str, Any], floor: int, ceiling: int) -> None:
    cost = estimate([model(**changes)])
    assert (cost.dbu("at_rest"), cost.dbu("floor"), cost.dbu("ceiling")) == (floor, floor, ceiling)
    assert cost.usd("floor") == round(floor * RATES["dbu"].value, 4)


def test_scale_to_zero_costs_nothing_at_rest_and_waking_is_named() -> None:
    cost = estimate([model(scale_to_zero_enabled=True)])
    assert (cost.dbu("at_rest"), cost.dbu("floor")) == (0, 4)
    assert "waking from zero" in cost.text()
    assert "waking from zero" not in estimate([model()]).text()


def test_an_entity_at_no_traffic_costs_like_any_other() -> None:
    both = estimate([model(traffic_percentage=100), model(version="2", traffic_percentage=0)])
    assert both.dbu("floor") == 2 * estimate([model()]).dbu("floor")


def test_the_online_store_counts_with_its_replicas_at_all_times() -> None:
    for capacity, replicas, units in (("CU_1", 0, 1), ("CU_2", 1, 4), ("CU_4", 0, 4), ("CU_8", 2, 24)):
        cost = estimate([], capacity=capacity, read_replicas=replicas)
        assert cost.usd("at_rest") == cost.usd("ceiling") == round(units * RATES["online_store_cu"].value, 4)


def test_what_has_no_rate_is_named_and_in_no_sum() -> None:
    throughput = FoundationModelArgs(
        model="system.ai.llama", version="1", traffic_percentage=0, max_provisioned_throughput=100
    )
    cost = estimate([model(), model(version="2", workload_type="GPU_XLARGE"), throughput])
    assert cost.dbu("ceiling") == 4
    assert cost.unknown == ["rag-2 (GPU_XLARGE)", "llama-1 (tokens per second)"]
    assert "no rate is known for rag-2 (GPU_XLARGE), llama-1 (tokens per second)" in cost.text()


@pytest.mark.parametrize(
    ("changes", "floor", "ceiling"),
    [
        ({"workload_type": "GPU_SMALL"}, 10.48, 10.48),
        ({"workload_type": "GPU_MEDIUM", "workload_size": "Medium"}, 40, 80),
        ({"workload_type": "MULTIGPU_MEDIUM"}, 112, 112),
        (
            {"workload_type": "GPU_LARGE", "min_provisioned_concurrency": 4, "max_provisioned_concurrency": 12},
            78.6,
            235.8,
        ),
    ],
)
def test_a_gpu_entity_costs_by_the_replica_of_four_requests(
    changes: dict[str, Any], floor: float, ceiling: float
) -> None:
    cost = estimate([model(**changes)])
    assert (cost.dbu("floor"), round(cost.dbu("ceiling"), 6), cost.unknown) == (floor, ceiling, [])


def test_a_lakebase_project_costs_between_its_least_and_its_most_units() -> None:
    cost = estimate([], lakebase_cu=(0.5, 4))
    assert (cost.usd("at_rest"), cost.usd("floor"), cost.usd("ceiling")) == (0.0555, 0.0555, 0.444)
    assert "the Lakebase project's 0.056 to 0.444 USD an hour" in cost.text()


def test_a_vector_search_endpoint_costs_at_all_times_and_grows_by_itself() -> None:
    cost = estimate([model(scale_to_zero_enabled=True)], vector_search=["STANDARD", "STORAGE_OPTIMIZED"])
    assert (cost.dbu("at_rest"), cost.dbu("floor")) == (22.29, 26.29)
    assert "grows by itself" in cost.text()
    assert "grows by itself" not in estimate([model()]).text()


def test_a_rate_of_the_stack_file_is_for_one_replica() -> None:
    gpu = model(workload_type="GPU_SMALL", workload_size="Medium")
    cost = estimate([gpu], dbu_per_hour={"GPU_SMALL": 10.5})
    assert (cost.dbu("floor"), cost.dbu("ceiling"), cost.unknown) == (21, 42, [])


def test_an_external_model_is_billed_by_its_provider() -> None:
    assert estimate([external()]).dbu("ceiling") == 0
    assert "billed by openai" in estimate([external()]).text()


def test_every_rate_names_its_source() -> None:
    assert all(rate.source and rate.unit and rate.value > 0 for rate in RATES.values())


@given(st.lists(st.tuples(st.sampled_from(["Small", "Medium", "Large"]), st.booleans()), max_size=10))
def test_a_stack_never_costs_more_at_rest_than_at_its_floor_nor_there_than_at_its_ceiling(
    sizes: list[tuple[Any, bool]],
) -> None:
    cost = estimate(
        [
            model(version=str(number + 1), workload_size=size, scale_to_zero_enabled=to_zero)
            for number, (size, to_zero) in enumerate(sizes)
        ]
    )
    assert cost.dbu("at_rest") <= cost.dbu("floor") <= cost.dbu("ceiling")
    assert cost.dbu("at_rest") == sum(
        {"Small": 4, "Medium": 8, "Large": 16}[size] for size, to_zero in sizes if not to_zero
    )
