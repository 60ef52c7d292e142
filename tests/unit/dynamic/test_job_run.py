"""`JobRun`: what depends on it comes after a run that succeeded, and nothing runs twice unasked."""

from __future__ import annotations

from typing import Any

import pytest

from components.dynamic.errors import ProviderError
from components.dynamic.job_run import JobRunProvider
from tests.support.rest_stub import RestStub
from tests.unit.dynamic.conftest import FakeClock, MakeProvider


@pytest.fixture
def runs(provider: MakeProvider[JobRunProvider], stub: RestStub) -> JobRunProvider:
    stub.jobs["7"] = [["PENDING", "RUNNING", "SUCCESS"], ["SUCCESS"]]
    return provider(JobRunProvider)


def inputs(**changes: Any) -> dict[str, Any]:
    return {
        "job_id": "7",
        "tasks": ["publish"],
        "triggers": {"versions": "1"},
        "poll_seconds": 5.0,
        "timeout_seconds": 60.0,
        "provider_version": "1",
        "run_id": None,
        "__provider": "pickled",
        **changes,
    }


def test_only_the_named_tasks_run_and_it_is_done_when_the_run_is(
    runs: JobRunProvider, stub: RestStub, clock: FakeClock
) -> None:
    made = runs.create(inputs())
    assert made.id == "7/71"
    assert made.outs is not None
    assert made.outs["run_id"] == "71"
    assert [(one["job_id"], one["only"]) for one in stub.runs_started] == [(7, ["publish"])]
    assert clock.slept == [5.0, 5.0]
    assert "__provider" not in made.outs


def test_no_task_named_means_all_of_them(runs: JobRunProvider, stub: RestStub) -> None:
    runs.create(inputs(tasks=[]))
    assert "only" not in stub.runs_started[0]


@pytest.mark.parametrize("result", ["FAILED", "TIMEDOUT", "CANCELED"])
def test_a_run_that_fails_makes_no_resource_and_says_what_its_task_said(
    runs: JobRunProvider, stub: RestStub, result: str
) -> None:
    stub.jobs["7"] = [[result]]
    with pytest.raises(ProviderError) as failed:
        runs.create(inputs())
    assert f"run 71 of job 7 (publish) ended {result}" in str(failed.value)
    assert f"publish {result}: Access denied for user 'writer'" in str(failed.value)
    assert "run `pulumi up` again" in str(failed.value)


def test_a_run_that_goes_on_too_long_is_left_to_go_on_and_named(runs: JobRunProvider, stub: RestStub) -> None:
    stub.jobs["7"] = [["RUNNING"]]
    with pytest.raises(ProviderError, match=r"run 71 of job 7 .*still RUNNING after 60 s"):
        runs.create(inputs())


def test_a_lost_answer_does_not_start_a_second_run(runs: JobRunProvider, stub: RestStub) -> None:
    stub.fail("POST", "run-now", 503, code="TEMPORARILY_UNAVAILABLE", after_effect=True)
    assert runs.create(inputs()).id == "7/71"
    assert len(stub.runs_started) == 1


def test_a_job_that_is_not_there_is_said_as_the_workspace_says_it(runs: JobRunProvider) -> None:
    with pytest.raises(ProviderError, match=r"running job 8 \(publish\): not found"):
        runs.create(inputs(job_id="8"))


def test_nothing_changed_is_no_run(runs: JobRunProvider) -> None:
    diff = runs.diff("7/71", inputs(run_id="71"), inputs())
    assert (diff.changes, diff.replaces) == (False, [])


@pytest.mark.parametrize(
    ("change", "replaces"),
    [
        ({"triggers": {"versions": "2"}}, []),
        ({"tasks": []}, []),
        ({"provider_version": "2"}, []),
        ({"job_id": "8"}, ["job_id"]),
    ],
)
def test_a_trigger_runs_again_and_another_job_is_another_run(
    runs: JobRunProvider, change: dict[str, Any], replaces: list[str]
) -> None:
    diff = runs.diff("7/71", inputs(run_id="71"), inputs(**change))
    assert (diff.changes, diff.replaces) == (True, replaces)


def test_waiting_longer_is_no_run(runs: JobRunProvider) -> None:
    assert runs.diff("7/71", inputs(run_id="71"), inputs(timeout_seconds=90.0)).changes is False


def test_an_update_is_another_run_on_the_same_resource(runs: JobRunProvider, stub: RestStub) -> None:
    runs.create(inputs())
    updated = runs.update("7/71", inputs(run_id="71"), inputs(triggers={"versions": "2"}))
    assert updated.outs is not None
    assert updated.outs["run_id"] == "72"
    assert len(stub.runs_started) == 2


def test_refresh_finds_it_gone_with_its_job_alone(runs: JobRunProvider, stub: RestStub) -> None:
    assert runs.read("7/71", inputs(run_id="71")).id == "7/71"
    del stub.jobs["7"]
    assert runs.read("7/71", inputs(run_id="71")).id == ""
    stub.fail("GET", "jobs/get", 403, code="PERMISSION_DENIED")
    with pytest.raises(ProviderError, match="permission denied"):
        runs.read("7/71", inputs(run_id="71"))


def test_deleting_it_asks_nothing(runs: JobRunProvider, stub: RestStub) -> None:
    runs.delete("7/71", inputs(run_id="71"))
    assert stub.calls() == []


@pytest.mark.parametrize(
    ("change", "property_name"),
    [
        ({"poll_seconds": 0.0}, "poll_seconds"),
        ({"timeout_seconds": -1.0}, "timeout_seconds"),
        ({"tasks": ["a", "a"]}, "tasks"),
    ],
)
def test_what_could_not_run_is_refused_at_check(
    runs: JobRunProvider, change: dict[str, Any], property_name: str
) -> None:
    assert [one.property for one in runs.check({}, inputs(**change)).failures] == [property_name]
    assert runs.check({}, inputs()).failures == []
