"""Every call of a release fails in every way, or is the last one of its driver: the next `up` ends where it should.

Where that is: the declared version for a release that has no other fault, the version before for one that is bad.
Never between the two, never both, never a third time.
"""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass, replace
from typing import get_args

import pytest

from components.dynamic.errors import ProviderError
from components.dynamic.rollout import TrafficRolloutProvider
from tests.support.fake_serving import Behaviour, FakeServing, Fault, Killed, Mode, install
from tests.unit.release.conftest import ERRORS, QUICK, Stack

MODES: tuple[Mode, ...] = get_args(Mode)
PLAN = replace(QUICK, steps=(20, 100), bake_seconds=30.0, gates=(replace(ERRORS, min_requests=5),))
#: What the client sends again by itself is tried with every third call; docs/releases.md has the figures of all calls.
STRIDES: dict[Mode, int] = {"429": 3, "reset before": 3, "reset after": 3}
DECLARED, BEFORE = {"fare-17": 0, "fare-18": 100}, {"fare-17": 100}


@dataclass
class Release:
    """A stack on version 17, about to release 18."""

    stack: Stack
    fake: FakeServing

    def up(self) -> str:
        """How an `up` of version 18 ends."""
        self.fake.log.clear()
        try:
            self.stack.up("18", PLAN)
        except Killed:
            self.fake.killed = False
            return "killed"
        except ProviderError:
            return "failed"
        finally:
            self.fake.fault = None
        return "released"


def new_release(monkeypatch: pytest.MonkeyPatch, *, bad: bool) -> Release:
    fake = FakeServing(behaviours={"17": Behaviour(), "18": Behaviour(user_status=500 if bad else None)})
    fake.requests_a_second = 4.0
    put_in_place(fake, monkeypatch)
    stack = Stack(fake, [])
    assert stack.up("17", PLAN)
    return Release(stack, fake)


def copy_of(release: Release, monkeypatch: pytest.MonkeyPatch) -> Release:
    """The same again, as it stands: the release of 17 need not be made for every case."""
    fake = copy.deepcopy(release.fake)
    put_in_place(fake, monkeypatch)
    return Release(Stack(fake, [], state=copy.deepcopy(release.stack.state)), fake)


def put_in_place(fake: FakeServing, monkeypatch: pytest.MonkeyPatch) -> None:
    install(fake, monkeypatch)
    monkeypatch.setattr(TrafficRolloutProvider, "clock", fake)
    for name in ("inform", "progress", "warn"):
        monkeypatch.setattr(f"components.dynamic.engine.{name}", lambda _: None)


def calls_of(prepared: Release, monkeypatch: pytest.MonkeyPatch, *, bad: bool) -> int:
    """How many calls a release takes that nothing disturbs."""
    release = copy_of(prepared, monkeypatch)
    assert release.up() == ("failed" if bad else "released")
    return len(release.fake.log)


def outcomes(monkeypatch: pytest.MonkeyPatch, mode: Mode, *, bad: bool) -> Counter[tuple[str, str]]:
    """(How the disturbed `up` ended, how the next one did) to the number of cases, all of them checked."""
    found: Counter[tuple[str, str]] = Counter()
    prepared = new_release(monkeypatch, bad=bad)
    for call in range(1, calls_of(prepared, monkeypatch, bad=bad) + 1, STRIDES.get(mode, 1)):
        release = copy_of(prepared, monkeypatch)
        release.fake.fault = Fault(call, mode)
        first = release.up()
        disturbed = release.fake.log[call - 1]
        if first == "released":
            assert [put["fare-18"] for put in release.fake.puts[-3:]] == [0, 20, 100]
            assert len(release.fake.puts) - len(prepared.fake.puts) == 3, "no config is put twice"
        # A version that answers a query with 500 is a version that fails, whoever is to blame.
        ends_before = bad or (mode.startswith("500") and disturbed.endswith("/invocations"))
        if first == "failed":
            assert release.fake.split in (BEFORE, DECLARED) or not release.fake.tags, (call, release.fake.split)
        second = release.up()
        where = (mode, call, disturbed, first, second, release.fake.split)
        assert release.fake.split == (BEFORE if ends_before else DECLARED), where
        assert release.fake.update == "NOT_UPDATING", where
        assert sorted(release.fake.versions.values()) == (["17"] if ends_before else ["17", "18"]), where
        # A driver that was killed after it had put things right leaves a lease, which runs out.
        assert release.fake.tags == {} or mode.startswith("kill"), where
        state = release.stack.state
        assert state is not None
        assert state["version"] == ("17" if ends_before else "18"), where
        # And there is nothing left to do, or to try again.
        release.fake.log.clear()
        assert release.up() == ("failed" if ends_before else "released"), where
        assert release.fake.writes() == [], where
        found[first, second] += 1
    return found


@pytest.mark.parametrize("mode", MODES)
def test_a_disturbed_release_ends_in_the_declared_version_with_the_next_up(
    mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = outcomes(monkeypatch, mode, bad=False)
    print(f"\ngood, {mode}: {dict(found)}")
    assert {second for _, second in found} <= ({"released", "failed"} if mode.startswith("500") else {"released"})


@pytest.mark.parametrize("mode", MODES)
def test_a_disturbed_release_of_a_bad_version_ends_in_the_version_before(
    mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = outcomes(monkeypatch, mode, bad=True)
    print(f"\nbad, {mode}: {dict(found)}")
    assert {second for _, second in found} == {"failed"}
