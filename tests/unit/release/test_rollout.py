"""`TrafficRollout` in every case that decides what a release does, on a fake endpoint with users."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from components.dynamic.errors import ProviderError
from components.release.plan import ErrorBudget, Gate
from tests.support.fake_serving import FakeServing, minute_export, unlabelled_export
from tests.unit.release.conftest import ERRORS, QUICK, Stack


def test_a_good_release_goes_by_steps_and_leaves_the_version_before_standing_by(
    stack: Stack, fake: FakeServing
) -> None:
    assert stack.up("18")
    assert [put["fare-18"] for put in fake.puts] == [0, 5, 20, 50, 100]
    assert fake.split == {"fare-17": 0, "fare-18": 100}
    assert fake.users_failed == 0
    assert fake.tags == {}
    assert stack.state is not None
    assert (stack.state["version"], stack.state["previous_version"]) == ("18", "17")
    assert stack.state["split"] == {"fare-17": 0, "fare-18": 100}


def test_an_unchanged_up_sends_no_query_and_no_write(stack: Stack, fake: FakeServing) -> None:
    assert not stack.up("17")
    assert fake.log == ["GET /api/2.0/serving-endpoints/fare"]


def test_a_version_that_answers_wrongly_never_gets_traffic(stack: Stack, fake: FakeServing) -> None:
    fake.behaviours["18"].value = 99.0
    with pytest.raises(ProviderError, match="predictions"):
        stack.up("18")
    assert fake.split == {"fare-17": 100}
    assert all(put.get("fare-18", 0) == 0 for put in fake.puts)
    assert fake.users_failed == 0


@pytest.mark.parametrize("defect", ["raises", "does not come up"])
def test_a_version_that_raises_or_does_not_load_is_caught_dark(stack: Stack, fake: FakeServing, defect: str) -> None:
    if defect == "raises":
        fake.behaviours["18"].status = 500
    else:
        fake.behaviours["18"].comes_up = False
    with pytest.raises(ProviderError, match=r"status 500|weights are missing"):
        stack.up("18")
    assert (fake.split, fake.update) == ({"fare-17": 100}, "NOT_UPDATING")
    assert fake.users_failed == 0


def test_a_version_that_fails_users_only_is_caught_at_the_first_step_and_costs_no_more_than_that_step(
    stack: Stack, fake: FakeServing
) -> None:
    fake.behaviours["18"].user_status = 500
    asked = fake.users_asked
    with pytest.raises(ProviderError, match="error_rate 1e"):
        stack.up("18")
    assert fake.split == {"fare-17": 100}
    assert max(put.get("fare-18", 0) for put in fake.puts) == 5
    assert 0 < fake.users_failed < 0.1 * (fake.users_asked - asked)


def test_a_slow_version_is_caught_by_the_comparison_with_the_one_beside_it(stack: Stack, fake: FakeServing) -> None:
    fake.behaviours["18"].latency_ms = 240.0
    gate = Gate(metric="latency_p95_ms", pass_at_most=1.5, versus="ratio")
    with pytest.raises(ProviderError, match=r"latency_p95_ms .* x from"):
        stack.up("18", replace(QUICK, gates=(gate,)))
    assert fake.split == {"fare-17": 100}
    assert max(put.get("fare-18", 0) for put in fake.puts) == 5


def test_a_dry_run_gate_reports_and_decides_nothing(stack: Stack, fake: FakeServing) -> None:
    fake.behaviours["18"].latency_ms = 240.0
    gate = Gate(metric="latency_p95_ms", pass_at_most=1.5, versus="ratio", dry_run=True)
    assert stack.up("18", replace(QUICK, gates=(gate,)))
    assert fake.split["fare-18"] == 100
    assert stack.state is not None
    assert any("only reported" in line for line in stack.state["history"])


def test_too_little_traffic_holds_the_release_and_the_next_up_goes_on_there(stack: Stack, fake: FakeServing) -> None:
    fake.requests_a_second = 0.5
    with pytest.raises(ProviderError, match=r"is held at fare-17 95 %, fare-18 5 %: error_rate .* at least 20 needed"):
        stack.up("18")
    assert fake.split == {"fare-17": 95, "fare-18": 5}
    assert stack.state is not None
    assert stack.state["version"] == "17"
    assert fake.tags == {}, "nobody is at work, so the lease is given back"
    fake.requests_a_second, fake.puts[:] = 40.0, []
    assert stack.up("18")
    assert [put["fare-18"] for put in fake.puts] == [20, 50, 100]
    assert any("goes on at 5 %" in line for line in stack.said)


def test_going_back_during_a_hold_takes_one_call_and_no_steps(stack: Stack, fake: FakeServing) -> None:
    fake.requests_a_second = 0.5
    with pytest.raises(ProviderError, match="is held"):
        stack.up("18")
    fake.puts.clear()
    assert stack.up("17")
    assert fake.puts == [{"fare-17": 100}]
    assert any("this stack left it at fare-17 100 %" in line for line in stack.said)


def test_rollback_with_a_standby_is_one_call_and_no_steps_and_preview_says_so(stack: Stack, fake: FakeServing) -> None:
    assert stack.up("18")
    fake.puts.clear()
    assert stack.preview("17")
    assert "stands by: it is asked, then gets all traffic with one call, without steps" in stack.said[-1]
    assert stack.up("17")
    assert fake.puts == [{"fare-18": 0, "fare-17": 100}]
    assert stack.state is not None
    assert stack.state["previous_version"] == "18"


def test_rollback_without_a_standby_is_deployed_dark_first_and_takes_no_steps(stack: Stack, fake: FakeServing) -> None:
    dropping = replace(QUICK, standby="drop")
    assert stack.up("18", dropping)
    assert fake.split == {"fare-18": 100}
    fake.puts.clear()
    assert stack.up("17", dropping)
    assert "does not stand by: it is deployed first (minutes)" in stack.said[-1]
    assert fake.puts == [{"fare-18": 100, "fare-17": 0}, {"fare-17": 100}]


def test_after_the_rollback_window_the_standby_goes_and_a_return_takes_the_steps(
    stack: Stack, fake: FakeServing
) -> None:
    assert stack.up("18")
    fake.seconds += QUICK.rollback_window_seconds + 1
    assert stack.up("18")
    assert fake.split == {"fare-18": 100}
    assert not stack.up("18")
    fake.puts.clear()
    assert stack.up("17")
    assert [put["fare-17"] for put in fake.puts] == [0, 5, 20, 50, 100]


def test_a_failed_release_is_not_tried_again_unless_retry_says_so_each_time(stack: Stack, fake: FakeServing) -> None:
    fake.behaviours["18"].value = 99.0
    with pytest.raises(ProviderError, match=r"set retry to (\w+-1) ") as failed:
        stack.up("18")
    token = re.findall(r"set retry to (\S+)", str(failed.value))[0]
    fake.log.clear()
    for _ in range(2):
        with pytest.raises(ProviderError, match="is not tried again"):
            stack.up("18")
    assert fake.writes() == []
    again = replace(QUICK, retry=token)
    with pytest.raises(ProviderError, match=r"set retry to \w+-2 "):
        stack.up("18", again)
    with pytest.raises(ProviderError, match="is not tried again"):
        stack.up("18", again)
    fake.behaviours["18"].value = 12.5
    assert stack.up("18", replace(QUICK, retry=token.replace("-1", "-2")))
    assert fake.split["fare-18"] == 100
    assert not stack.up("18"), "the failure is forgotten after a success"


def test_another_setting_or_suite_makes_it_another_release(stack: Stack, fake: FakeServing) -> None:
    fake.behaviours["18"].value = 99.0
    with pytest.raises(ProviderError, match="predictions"):
        stack.up("18")
    fake.behaviours["18"].value = 12.5
    assert stack.preview("18", workload_size="Medium")
    query = {"name": "other", "payload": '{"dataframe_records":[{"a":2.0}]}', "expect": "{}"}
    assert stack.preview("18", queries=[query])


def test_other_settings_of_the_same_version_are_released_beside_it_under_another_name(
    stack: Stack, fake: FakeServing
) -> None:
    assert stack.up("17", workload_size="Medium")
    (served,) = [name for name, share in fake.split.items() if share == 100]
    assert served.startswith("fare-17-")
    assert fake.entities[served]["workload_size"] == "Medium"


def test_a_first_deployment_that_fails_keeps_nothing_in_state_and_another_version_replaces_it_at_once(
    fake: FakeServing, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = Stack(fake, [])
    monkeypatch.setattr("components.dynamic.engine.inform", stack.said.append)
    fake.behaviours["16"].value = 99.0
    with pytest.raises(ProviderError, match=r"there was nothing to go back to; no alias has moved"):
        stack.up("16")
    assert "nothing can be dark" in stack.said[-1]
    with pytest.raises(ProviderError, match="is not tried again"):
        stack.up("16")
    assert stack.up("17")
    assert fake.split == {"fare-17": 100}


def test_an_endpoint_that_serves_already_is_taken_over_as_it_is(fake: FakeServing) -> None:
    fake.deploy({"fare-16": 0, "fare-17": 100}, {"fare-16": "16", "fare-17": "17"})
    stack = Stack(fake, [])
    assert stack.up("17")
    assert fake.split == {"fare-17": 100}
    assert [put["fare-17"] for put in fake.puts] == [100]


def test_traffic_moved_by_hand_is_seen_by_up_and_by_refresh_and_put_back_without_steps(
    stack: Stack, fake: FakeServing
) -> None:
    assert stack.up("18")
    fake.deploy({"fare-17": 60, "fare-18": 40}, {"fare-17": "17", "fare-18": "18"})
    stack.refresh()
    assert stack.state is not None
    assert stack.state["split"] == {"fare-17": 60, "fare-18": 40}
    for share in (60, 50):
        fake.puts.clear()
        fake.deploy({"fare-17": share, "fare-18": 100 - share}, {"fare-17": "17", "fare-18": "18"})
        assert stack.up("18"), "known from the refresh, and not known"
        assert [put["fare-18"] for put in fake.puts] == [100]
        assert f"the endpoint runs fare-17 {share} %, fare-18 {100 - share} %" in stack.said[-1]


def test_an_endpoint_deleted_by_hand_is_explained_by_up_and_gone_after_refresh(stack: Stack, fake: FakeServing) -> None:
    fake.exists = False
    with pytest.raises(ProviderError, match="`pulumi refresh` takes note"):
        stack.up("18")
    stack.refresh()
    assert stack.state is None


def test_an_endpoint_made_anew_under_the_same_name_is_another_one(stack: Stack, fake: FakeServing) -> None:
    fake.id = "e2"
    assert stack.state is not None
    diff = stack.provider().diff("e1", stack.state, stack.inputs("17"))
    assert diff.replaces == ["endpoint_id"]
    stack.refresh()
    assert stack.state is None


def test_an_abort_tag_is_obeyed_within_one_poll_and_restores(stack: Stack, fake: FakeServing) -> None:
    def abort_at_20_percent(_: str) -> None:
        if fake.split.get("fare-18") == 20 and "release_abort" not in fake.tags:
            fake.tags["release_abort"] = "any"
            moments.append(fake.seconds)

    moments: list[float] = []
    fake.on_call = abort_at_20_percent
    with pytest.raises(ProviderError, match="aborted by the abort tag"):
        stack.up("18")
    assert fake.split == {"fare-17": 100}
    assert fake.tags == {}, "an abort that has been obeyed does not meet the next release"
    assert fake.seconds - moments[0] <= 2 * QUICK.poll_seconds
    fake.on_call = None
    with pytest.raises(ProviderError, match="is not tried again"):
        stack.up("18")


def test_a_person_allows_the_last_step_by_a_tag_of_the_version(stack: Stack, fake: FakeServing) -> None:
    gated = replace(QUICK, approval_before=100)
    with pytest.raises(ProviderError, match=r"100 % waits for a person: set tag release_approved of version 18"):
        stack.up("18", gated)
    assert fake.split == {"fare-17": 50, "fare-18": 50}
    fake.version_tags["18"]["release_approved"] = "true"
    assert stack.up("18", gated)
    assert fake.split["fare-18"] == 100


def test_the_bakes_of_one_up_are_capped_and_the_next_one_goes_on(stack: Stack, fake: FakeServing) -> None:
    capped = replace(QUICK, bake_cap_seconds=100.0)
    for share in (5, 20, 50):
        before = fake.seconds
        with pytest.raises(ProviderError, match=r"is held .* the bake time of one|next step's bake would exceed"):
            stack.up("18", capped)
        assert fake.split["fare-18"] >= share
        assert fake.seconds - before < 200
    assert stack.up("18", capped)


def test_metrics_that_cannot_be_read_end_a_release_after_five_tries_and_are_not_held_against_it(
    stack: Stack, fake: FakeServing
) -> None:
    fake.export = lambda _: "request_count_total{ 12"
    with pytest.raises(ProviderError, match=r"5 consecutive errors.*\n.*\n?.*the next `pulumi up` tries again"):
        stack.up("18")
    assert fake.split == {"fare-17": 100}
    fake.export = None
    assert stack.up("18")


@pytest.mark.parametrize("export", ["without labels", "by the minute"])
def test_gates_work_on_the_exports_that_databricks_is_known_to_send(
    stack: Stack, fake: FakeServing, export: str
) -> None:
    fake.export = unlabelled_export if export == "without labels" else minute_export()
    fake.behaviours["18"].user_status = 500 if export == "by the minute" else None
    plan = replace(QUICK, bake_seconds=400, gates=(replace(ERRORS, min_requests=5),), bake_cap_seconds=9000.0)
    if export == "by the minute":
        with pytest.raises(ProviderError, match="error_rate"):
            stack.up("18", plan)
        assert max(put.get("fare-18", 0) for put in fake.puts) == 5
    else:
        assert stack.up("18", plan)
        assert stack.state is not None
        assert any("do not tell the versions apart" in line for line in stack.state["history"])
        assert any("of own queries" in line for line in stack.state["history"])


def test_an_update_that_is_in_the_way_is_waited_for_and_the_config_is_sent_again(
    stack: Stack, fake: FakeServing
) -> None:
    def be_in_the_way(call: str) -> None:
        if fake.split.get("fare-18") == 5 and call.startswith("PUT"):
            fake.on_call = None
            assert fake.config is not None
            fake.newest += 1
            fake.update, fake.pending, fake.readings_left = "IN_PROGRESS", {**fake.config, "version": fake.newest}, 3

    fake.on_call = be_in_the_way
    assert stack.up("18")
    assert fake.split == {"fare-17": 0, "fare-18": 100}


def test_preview_refuses_a_step_that_would_exceed_the_error_budget(stack: Stack) -> None:
    costly = replace(QUICK, error_budget=ErrorBudget(seconds=20, assumed_defect=1.0))
    with pytest.raises(ProviderError, match=r"the step of 50 % may cost 30 s of full outage .* budget is 20 s"):
        stack.preview("18", costly)
    fine = replace(QUICK, error_budget=ErrorBudget(seconds=20, assumed_defect=0.2))
    assert stack.preview("18", fine)
    assert "5 % (may cost 1 s of outage)" in stack.said[-1]


def test_progress_names_stage_split_requests_gates_and_time_left(stack: Stack) -> None:
    assert stack.up("18")
    baking = [line for line in stack.progress if "s left" in line]
    wanted = r"20 %: \d+ requests, 30 s left; error_rate 0 % from \d+ requests \(passes up to 2 %, fails above 5 %\)"
    assert [line for line in baking if re.fullmatch(wanted, line)]


def test_variables_of_the_entity_are_in_no_output_but_decide_whether_a_version_is_the_same(
    stack: Stack, fake: FakeServing
) -> None:
    secret = {"KEY": "planted-variable-secret"}
    assert stack.up("18", environment_vars=secret)
    assert secret["KEY"] not in str(stack.state)
    assert secret["KEY"] not in str(fake.version_tags) + str(fake.tags)
    assert not stack.up("18", environment_vars=secret)
    assert stack.preview("18", environment_vars={"KEY": "another"})


@pytest.mark.parametrize("moment", ["while a step is watched", "while a step is put"])
def test_a_config_that_somebody_puts_by_hand_in_the_middle_is_left_alone(
    stack: Stack, fake: FakeServing, moment: str
) -> None:
    def intervene(call: str) -> None:
        watched = fake.split.get("fare-18") == 20 and fake.update == "NOT_UPDATING" and "metrics" in call
        put = fake.split.get("fare-18") == 5 and fake.update == "IN_PROGRESS"
        if watched if moment == "while a step is watched" else put:
            fake.on_call = None
            fake.deploy({"fare-17": 100}, {"fare-17": "17"})
            fake.log.clear()

    fake.on_call = intervene
    with pytest.raises(ProviderError, match=r"stopped: somebody else has changed the config: .* runs fare-17 100 %"):
        stack.up("18")
    assert fake.split == {"fare-17": 100}
    assert [line for line in fake.writes() if line.endswith("/config")] == []
    assert fake.tags == {}
    assert not stack.up("17")


def test_an_expectation_that_says_the_defaults_is_no_other_suite(stack: Stack, fake: FakeServing) -> None:
    (query,) = stack.inputs("17")["queries"]
    brief = {**query, "expect": json.dumps({"values": [12.5]})}
    assert not stack.preview("17", queries=[brief])
    assert stack.preview("17", queries=[{**query, "expect": json.dumps({"values": [12.5], "status": 201})}])


def test_a_query_of_one_version_is_asked_of_that_version_only(stack: Stack, fake: FakeServing) -> None:
    (query,) = stack.inputs("18")["queries"]
    other = {**query, "name": "of 17", "expect": json.dumps({"values": [99.0]}), "version": "17"}
    assert stack.up("18", queries=[query, other])
    with pytest.raises(ProviderError, match="no query is for version 18"):
        stack.preview("18", queries=[other])
