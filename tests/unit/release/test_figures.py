"""What is read, judged, noted and drawn, without a release around it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.config.errors import StackConfigError, parse_stack_config
from components.release.chart import Sample, chart
from components.release.exposition import ExportMeter, Figures
from components.release.gates import Reading, judge, together
from components.release.lease import Holder, holder_of
from components.release.machine import Verdict
from components.release.plan import DEFAULT_GATES, Gate, Plan, PlanError, parse_plan
from components.release.split import with_candidate
from components.release.transcript import Transcript
from tests.unit.stack_values import stack_values

COUNTERS = """# TYPE request_count_total counter
request_count_total{{endpoint_name="fare",served_model_name="new"}} {new}
request_count_total{{endpoint_name="fare",served_model_name="old"}} {old}
# TYPE request_5xx_count_total counter
request_5xx_count_total{{endpoint_name="fare",served_model_name="new"}} {failed}
# TYPE request_latency_ms histogram
request_latency_ms_bucket{{served_model_name="new",le="100.0"}} {fast}
request_latency_ms_bucket{{served_model_name="new",le="200.0"}} {new}
request_latency_ms_bucket{{served_model_name="new",le="+Inf"}} {new}
request_latency_ms_sum{{served_model_name="new"}} 1
request_latency_ms_count{{served_model_name="new"}} {new}
"""
MINUTE = """# HELP request_count_total Number of requests during the last minute.
# TYPE request_count_total gauge
request_count_total{{served_entity="new"}} {count} {at}
# TYPE request_5xx_count_total gauge
request_5xx_count_total{{served_entity="new"}} 1 {at}
"""


def test_counters_are_counted_from_the_first_export_on_and_a_restart_counts_anew() -> None:
    meter = ExportMeter(["new", "old"])
    meter.take(COUNTERS.format(new=1000, old=5000, failed=500, fast=0), 0.0)
    meter.take(COUNTERS.format(new=1100, old=5400, failed=501, fast=50), 60.0)
    figures = meter.figures()
    assert (figures["new"].requests, figures["new"].errors, figures["old"].requests) == (100, 1, 400)
    assert figures["new"].error_rate == 0.01
    assert figures["new"].latency_ms(0.5) == 100.0
    meter.take(COUNTERS.format(new=10, old=20, failed=0, fast=10), 120.0)
    assert (meter.figures()["new"].requests, meter.figures()["old"].requests) == (110, 420)


def test_a_minute_of_the_services_own_export_counts_once_and_only_when_it_began_after_the_bake_did() -> None:
    meter = ExportMeter(["new"])
    minute = 1_790_000_040
    meter.take(MINUTE.format(count=500, at=minute * 1000), minute + 70.0)
    for _ in range(3):
        meter.take(MINUTE.format(count=40, at=(minute + 180) * 1000), minute + 200.0)
    meter.take(MINUTE.format(count=2, at=(minute + 240) * 1000), minute + 260.0)
    assert meter.figures()["new"].requests == 42
    assert meter.figures()["new"].errors == 2


@given(st.lists(st.floats(0.5, 900.0), min_size=1, max_size=60), st.floats(0.01, 0.99))
def test_a_quantile_of_buckets_lies_in_the_bucket_of_the_true_one(values: list[float], quantile: float) -> None:
    bounds = [1.0, 10.0, 100.0, 1000.0, float("inf")]
    figures = Figures(buckets={bound: sum(value <= bound for value in values) for bound in bounds})
    true = sorted(values)[max(math.ceil(quantile * len(values)) - 1, 0)]
    upper = min(bound for bound in bounds if true <= bound)
    lower = max([0.0, *(bound for bound in bounds if bound < upper)])
    found = figures.latency_ms(quantile)
    assert found is not None
    assert lower <= found <= upper


def test_few_requests_decide_nothing_either_way_and_the_worst_gate_decides_for_all() -> None:
    gate = Gate(metric="error_rate", pass_at_most=0.01, fail_above=0.05, min_requests=50)
    few, good, grey, bad = (
        judge(gate, Reading(value, requests)) for value, requests in ((1.0, 49), (0.01, 50), (0.05, 50), (0.051, 50))
    )
    assert [one.verdict for one in (few, good, grey, bad)] == [
        Verdict.INCONCLUSIVE,
        Verdict.PASS,
        Verdict.INCONCLUSIVE,
        Verdict.FAIL,
    ]
    assert together([good, grey, bad])[0] is Verdict.FAIL
    assert together([good, grey])[0] is Verdict.INCONCLUSIVE
    assert together([good, replace(bad, gate=replace(gate, dry_run=True))])[0] is Verdict.PASS


@given(
    st.lists(st.integers(0, 100), min_size=1, max_size=9).filter(lambda shares: sum(shares) > 0), st.integers(0, 100)
)
def test_a_split_with_a_candidate_is_whole_and_wakes_nobody(shares: list[int], percent: int) -> None:
    good = tuple((f"old-{number}", share) for number, share in enumerate(shares))
    split = dict(with_candidate(good, "new", percent))
    assert sum(split.values()) == 100
    assert split["new"] == percent
    assert all(split[name] == 0 for name, share in good if share == 0)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"steps": [20, 5, 100]}, "are no ascending whole percentages that end in 100"),
        ({"steps": [50]}, "are no ascending whole percentages that end in 100"),
        ({"approval_before": 30}, "there is no step of 30 %"),
        ({"poll_seconds": 90.0}, "less than two polls of 90 s"),
        ({"gates": [{"metric": "latency_p99_ms", "pass_at_most": 1.0}]}, "claimed from 299 or more"),
        ({"gates": [{"metric": "error_rate", "pass_at_most": 0.1, "fail_above": 0.01}]}, "make fail_above the larger"),
        ({"gates": [{"metric": "sql", "pass_at_most": 1.0, "name": "own"}]}, "a statement belongs to the metric sql"),
        ({"gates": [{"metric": "speed", "pass_at_most": 1.0}]}, "unknown metric 'speed'"),
        ({"gates": [{"metric": "error_rate", "pass_at_most": 0.1}] * 2}, "two gates have this name"),
        ({"error_budget": {"seconds": 10.0, "assumed_defect": 2.0}}, "is a share, more than 0 and at most 1"),
    ],
)
def test_a_plan_that_cannot_be_followed_is_refused_with_the_fix(values: dict[str, object], problem: str) -> None:
    with pytest.raises(PlanError) as refused:
        parse_plan(json.dumps(values))
    assert problem in str(refused.value)


def test_a_plan_survives_the_way_through_the_engine() -> None:
    plan = Plan(steps=(1, 100), gates=(*DEFAULT_GATES, Gate(metric="prediction_drift", pass_at_most=0.2)))
    assert parse_plan(plan.text()) == plan
    assert plan.lag_seconds == 3600.0
    assert Plan().lag_seconds == 0.0


def test_the_stack_file_takes_a_rollout_of_one_entity_and_no_other() -> None:
    staging = stack_values()
    one = {**staging["endpoint"], "entities": [{**staging["endpoint"]["entities"][0], "traffic": 100}]}
    rollout = {"steps": [10, 100], "gates": [{"metric": "latency_p95_ms", "passAtMost": 1.5, "versus": "ratio"}]}
    config = parse_stack_config({**staging, "endpoint": {**one, "rollout": rollout}}, where="here")
    assert config.endpoint.rollout is not None
    assert config.endpoint.rollout.plan.steps == (10, 100)
    assert config.endpoint.rollout.plan.gates[0].min_requests == 59
    several = [{"version": "1", "traffic": 50}, {"version": "2", "traffic": 50}]
    with pytest.raises(StackConfigError, match="names 2 entities and a rollout, which releases one"):
        parse_stack_config({**staging, "endpoint": {**one, "entities": several, "rollout": {}}}, where="here")
    with pytest.raises(StackConfigError, match=r"steps: \[50\] are no ascending"):
        parse_stack_config({**staging, "endpoint": {**one, "rollout": {"steps": [50]}}}, where="here")


def test_a_lease_is_read_back_as_it_was_written_and_anything_else_is_none() -> None:
    holder = Holder("20261127-021548-ab12", 1790000000123, 1790000120.5)
    assert holder_of({"release_lease": holder.text()}) == holder
    assert len(holder.text()) < 128
    for text in ("", "a:b", "a:b:c", "{}"):
        assert holder_of({"release_lease": text}) is None


def test_a_transcript_is_a_table_with_a_picture_and_has_no_secret_in_it(tmp_path: Path) -> None:
    transcript = Transcript("r1", "Release r1", tmp_path, lambda text: text.replace("s3cret", "[redacted]"))
    transcript.head("fare-18 beside fare-17")
    transcript.sample(Sample(0.0, 5, errors=0.01, stable_errors=0.0, latency_ms=20.0, label="5 %"))
    transcript.sample(Sample(60.0, 5, errors=0.02, stable_errors=0.0, latency_ms=25.0))
    transcript.add(0.0, "putting fare-18 5 %")
    transcript.add(75.0, "failed: token s3cret | odd\nand more")
    text = (tmp_path / "r1.md").read_text()
    assert "| 1970-01-01 00:01:15 | 1 min 15 s | failed: token [redacted] / odd<br>and more |" in text
    assert "(r1.svg)" in text
    root = ElementTree.fromstring((tmp_path / "r1.svg").read_text())  # noqa: S314 - our own text
    assert root.tag.endswith("svg")
    assert not list(tmp_path.glob(".*"))


def test_a_chart_of_one_moment_or_without_figures_is_a_picture_too() -> None:
    for samples in ([Sample(5.0, 0)], [Sample(5.0, 0), Sample(5.0, 100)], [Sample(0.0, 0), Sample(3600.0, 100)]):
        text = chart("a < b", samples)
        ElementTree.fromstring(text)  # noqa: S314 - our own text
        assert "no figures" in text
