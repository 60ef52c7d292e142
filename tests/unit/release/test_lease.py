"""One driver at a time: who is at work, who stops, who takes over."""

from __future__ import annotations

import copy
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from components.dynamic.errors import ProviderError
from components.dynamic.rollout import TrafficRolloutProvider
from components.dynamic.rollout_inputs import WallClock
from components.release.abort import main as abort_main
from components.release.lease import LEASE_TAG, Holder, holder_of
from tests.support.fake_serving import HOST, TOKEN, FakeServing
from tests.unit.release.conftest import QUICK, Stack


def other_driver(fake: FakeServing, stack: Stack) -> Stack:
    """The same stack, operated from somewhere else."""
    return Stack(fake, [], state=copy.deepcopy(stack.state))


@pytest.mark.parametrize("attempt", range(4))
def test_of_two_releases_that_begin_at_once_one_goes_on_and_the_other_says_why_it_does_not(
    stack: Stack, fake: FakeServing, monkeypatch: pytest.MonkeyPatch, attempt: int
) -> None:
    plan = replace(QUICK, steps=(50, 100), bake_seconds=0.2, poll_seconds=0.02, lease_seconds=1.0, gates=())
    lock, send = threading.RLock(), fake.send

    def one_at_a_time(request: object) -> object:
        with lock:
            return send(request)  # type: ignore[arg-type]

    monkeypatch.setattr(fake, "send", one_at_a_time)
    # Real time: two drivers cannot share a clock that each of them moves.
    monkeypatch.setattr(TrafficRolloutProvider, "clock", WallClock())
    barrier, puts = threading.Barrier(2), len(fake.puts)

    def up(driver: Stack, version: str) -> str:
        barrier.wait()
        try:
            driver.up(version, plan)
        except ProviderError as error:
            return str(error)
        return "released"

    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(up, (stack, other_driver(fake, stack)), ("18", "16")))
    assert sorted(end == "released" for end in ends) == [False, True], ends
    (why,) = [end for end in ends if end != "released"]
    assert re.search("is at work on it|has just ended|now, and not release", why), why
    winner = "18" if ends[0] == "released" else "16"
    assert fake.split == {"fare-17": 0, f"fare-{winner}": 100}
    assert len(fake.puts) - puts == 3, "the loser has put nothing"
    assert fake.tags == {}


def test_a_driver_whose_engine_is_gone_stops_within_a_poll_and_the_next_up_goes_on(
    stack: Stack, fake: FakeServing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.dynamic.engine.is_waiting", lambda: fake.split.get("fare-18") != 20)
    with pytest.raises(ProviderError, match="stopped: the engine that asked for the release is gone"):
        stack.up("18")
    assert fake.split == {"fare-17": 80, "fare-18": 20}
    left = holder_of(fake.tags)
    assert left is not None
    assert left.until <= fake.wall(), "who comes next need not wait"
    monkeypatch.setattr("components.dynamic.engine.is_waiting", lambda: True)
    fake.puts.clear()
    assert stack.up("18")
    assert [put["fare-18"] for put in fake.puts] == [50, 100]


def test_a_driver_whose_lease_was_taken_over_writes_nothing_more(stack: Stack, fake: FakeServing) -> None:
    def take_over(call: str) -> None:
        if fake.split.get("fare-18") == 20 and LEASE_TAG in fake.tags and not taken:
            taken.append(fake.seconds)
            fake.tags[LEASE_TAG] = Holder("someone", 2**60, fake.wall() + 600).text()
            fake.log.clear()

    taken: list[float] = []
    fake.on_call = take_over
    with pytest.raises(ProviderError, match="stopped: endpoint fare is release someone's now"):
        stack.up("18")
    assert fake.writes() == []
    assert fake.split == {"fare-17": 80, "fare-18": 20}
    holder = holder_of(fake.tags)
    assert holder is not None
    assert holder.release == "someone", "another one's lease is left alone"


def test_a_lease_that_nobody_renews_is_waited_for_and_taken_over_with_a_higher_fence(
    stack: Stack, fake: FakeServing
) -> None:
    fake.tags[LEASE_TAG] = Holder("dead", 2**60, fake.wall() + 40).text()
    fences: list[int] = []
    fake.on_call = lambda _: fences.append(found.fence if (found := holder_of(fake.tags)) else 0)
    before = fake.seconds
    assert stack.up("18")
    assert any("waiting up to 40 s for release dead" in line for line in stack.progress)
    assert fake.seconds - before >= 40
    assert max(fences) == 2**60 + 1


def test_a_lease_that_is_renewed_is_respected(stack: Stack, fake: FakeServing) -> None:
    def renew(_: str) -> None:
        fake.tags[LEASE_TAG] = Holder("alive", 7, fake.wall() + 40).text()

    renew("")
    fake.on_call = renew
    with pytest.raises(ProviderError, match=r"release alive is at work on it, so release \S+ was not begun"):
        stack.up("18")
    assert fake.split == {"fare-17": 100}
    assert fake.puts == []


def test_a_workspace_that_is_away_for_longer_than_the_lease_stops_the_driver(stack: Stack, fake: FakeServing) -> None:
    def go_away(call: str) -> None:
        fake.exists = fake.split.get("fare-18") != 20

    fake.on_call = go_away
    start = time.monotonic()
    with pytest.raises(ProviderError, match=r"stopped|not back"):
        stack.up("18")
    assert time.monotonic() - start < 30
    fake.on_call, fake.exists = None, True
    assert stack.up("18")
    assert fake.split["fare-18"] == 100


def test_make_abort_asks_the_release_that_is_at_work_and_no_other(
    fake: FakeServing, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABRICKS_TOKEN", TOKEN)
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(f"config:\n  databricks:host: {HOST}\n  taxi:serving:\n    endpoint: {{name: fare}}\n")
    assert abort_main([str(file)]) == 1
    assert "no release is at work on endpoint fare" in capsys.readouterr().out
    fake.tags[LEASE_TAG] = Holder("r7", 1, fake.wall() + 60).text()
    assert abort_main([str(file)]) == 0
    assert "release r7 on endpoint fare is asked to end" in capsys.readouterr().out
    assert fake.tags["release_abort"] == "r7"
    file.write_text("config: {}\n")
    assert abort_main([str(file)]) == 1
    assert "names no endpoint" in capsys.readouterr().out
