"""`python -m bench.deployments`: what `pulumi preview` and `pulumi up` of the taxi stack take beyond what they must.

A preview is held against the preview of an empty Python program, turn about in one run: both start the engine, the
language host and a Python with Pulumi in it. The first `up` is held against its own critical path: the time to its
first step, and the longest chain of steps that wait for each other. Exit code 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.report import Figure, published
from tests.support.engine import PROJECT, EngineProject
from tests.support.server import WorkspaceServer
from tests.support.taxi import Taxi, train

RESULTS = PROJECT / ".local" / "bench" / "deployments.json"
PREVIEW_GOAL, UP_GOAL = 2.0, 1.15
EMPTY = "import pulumi\n"
LEAST_RESOURCES = 20
_POLL_SECONDS = 0.01


@dataclass(frozen=True)
class Step:
    """When the engine began and ended a step, in seconds since the command was started."""

    began: float
    ended: float


def critical_path(steps: Mapping[str, Step], waits_for: Mapping[str, Sequence[str]]) -> list[str]:
    """The chain of steps that wait for each other and take longest together, first one first.

    Args:
        steps: by URN; what is waited for and has no step took no time.
        waits_for: URN to the URNs that it depends on. No URN depends on itself, over others neither.
    """
    longest: dict[str, tuple[float, list[str]]] = {}

    def chain(urn: str) -> tuple[float, list[str]]:
        if urn not in longest:
            before = max((chain(one) for one in waits_for.get(urn, ())), default=(0.0, []), key=lambda found: found[0])
            step = steps.get(urn)
            longest[urn] = before if step is None else (before[0] + step.ended - step.began, [*before[1], urn])
        return longest[urn]

    return max((chain(urn) for urn in steps), default=(0.0, []), key=lambda found: found[0])[1]


def measure(folder: Path, rounds: int) -> list[Figure]:
    """Medians of `rounds` previews of each kind and their ratio, then one `up` and its critical path.

    Raises:
        RuntimeError: a command failed, or the stack is smaller than what the goal is for.
    """
    server = WorkspaceServer(folder / "workspace")
    server.start()
    try:
        train(server)
        stack = Taxi.new(server, folder / "project").project
        empty = EngineProject.of_program(folder / "empty", EMPTY)
        return [*_previews(stack, empty, rounds), *_up(stack)]
    finally:
        server.stop()


def _previews(stack: EngineProject, empty: EngineProject, rounds: int) -> list[Figure]:
    took: dict[str, list[float]] = {"empty": [], "stack": []}
    worked: dict[str, list[float]] = {"empty": [], "stack": []}
    resources = 0
    # The first of each compiles byte code and fills caches.
    for number in range(rounds + 1):
        for name, project in (("empty", empty), ("stack", stack)):
            started, before = time.perf_counter(), _processor_seconds()
            outcome = project.preview()
            seconds, processor = time.perf_counter() - started, _processor_seconds() - before
            if not outcome.ok:
                raise RuntimeError(str(outcome))
            if number:
                took[name].append(seconds)
                worked[name].append(processor)
        resources = len(outcome.operations())
    if resources < LEAST_RESOURCES:
        raise RuntimeError(f"the stack has {resources} resources; the goal is for {LEAST_RESOURCES} or more")
    of_empty, of_stack = (statistics.median(took[name]) for name in ("empty", "stack"))
    return [
        Figure("preview of an empty program", of_empty, "s", None),
        Figure(f"preview of the taxi stack ({resources} resources)", of_stack, "s", None),
        Figure("ratio of the medians", of_stack / of_empty, "x", PREVIEW_GOAL),
        Figure("ratio of the shortest", min(took["stack"]) / min(took["empty"]), "x", None),
        Figure("processor time, empty program", statistics.median(worked["empty"]), "s", None),
        Figure("processor time, taxi stack", statistics.median(worked["stack"]), "s", None),
    ]


def _processor_seconds() -> float:
    """Of all processes that were started here and have ended, with theirs: does not depend on what else runs."""
    spent = os.times()
    return spent.children_user + spent.children_system


def _up(project: EngineProject) -> list[Figure]:
    took, steps = timed_up(project)
    state = project.resources()
    # Components are no work of their own: their steps last as long as the program.
    own = {one["urn"] for one in state if one.get("custom")}
    steps = {urn: step for urn, step in steps.items() if urn in own}
    path = critical_path(steps, {one["urn"]: one.get("dependencies") or [] for one in state})
    first = min(step.began for step in steps.values())
    must = first + sum(steps[urn].ended - steps[urn].began for urn in path)
    for urn in path:
        kind, name = urn.rpartition("::")[0].rpartition(":")[2], urn.rpartition("::")[2]
        sys.stderr.write(f"  {steps[urn].ended - steps[urn].began:6.2f} s  {kind} {name}\n")
    return [
        Figure("first up, whole", took, "s", None),
        Figure("first up, time to the first step", first, "s", None),
        Figure(f"first up, critical path ({len(path)} steps and the time before them)", must, "s", None),
        Figure("ratio of whole to critical path", took / must, "x", UP_GOAL),
    ]


def timed_up(project: EngineProject) -> tuple[float, dict[str, Step]]:
    """Seconds of an `up`, and its steps by URN, as its event log is written. Raises RuntimeError where it fails."""
    log = project.folder / "events.json"
    seen: list[tuple[float, dict[str, Any]]] = []
    over = threading.Event()
    arguments = ("--yes", "--skip-preview", "--non-interactive", "--color=never", "--event-log", str(log))
    started = time.perf_counter()
    with project.start("up", "--stack", project.stack, *arguments) as process:
        reader = threading.Thread(target=_follow, args=(log, started, seen, over), daemon=True)
        reader.start()
        try:
            stdout, stderr = process.communicate(timeout=300)
        except subprocess.TimeoutExpired:
            process.kill()
            raise RuntimeError("pulumi up takes longer than five minutes") from None
        took = time.perf_counter() - started
        over.set()
        reader.join()
    if process.returncode:
        raise RuntimeError(stdout + stderr)
    return took, steps_of(seen)


def steps_of(seen: Sequence[tuple[float, Mapping[str, Any]]]) -> dict[str, Step]:
    """Begin and end of every step, of events with the time at which each was seen."""
    began: dict[str, float] = {}
    steps: dict[str, Step] = {}
    for at, event in seen:
        if before := event.get("resourcePreEvent"):
            began.setdefault(before["metadata"]["urn"], at)
        elif (after := event.get("resOutputsEvent")) and (urn := after["metadata"]["urn"]) in began:
            steps[urn] = Step(began[urn], at)
    return steps


def _follow(log: Path, started: float, seen: list[tuple[float, dict[str, Any]]], over: threading.Event) -> None:
    """Note every line of a growing file with the moment at which it was there, until it is over."""
    while not log.exists():
        if over.wait(_POLL_SECONDS):
            return
    with log.open(encoding="utf-8") as file:
        part = ""
        while True:
            last = over.is_set()
            part += file.read()
            *lines, part = part.split("\n")
            at = time.perf_counter() - started
            seen += [(at, json.loads(line)) for line in lines if line.strip()]
            if last:
                return
            time.sleep(_POLL_SECONDS)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.deployments", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="previews of each kind (default: %(default)s)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        figures = measure(Path(scratch), options.rounds)
    return published(figures, RESULTS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
