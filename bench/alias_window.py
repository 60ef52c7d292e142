"""How long an alias can be moved unseen: `python -m bench.alias_window` (docs/aliases.md has the figures).

Unity Catalog's API has no compare-and-set. `ModelAlias` looks at the alias, writes, and reads it back; a second writer
can come between. 1,000 moves meet one second writer each, at a moment drawn from the whole move, over real HTTP against
the scripted stub, which answers at once: on a real workspace the times are longer by its own answers.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from pulumi.dynamic import Config, ConfigureRequest

from components.dynamic.errors import ProviderError
from components.dynamic.model_alias import ModelAliasProvider
from components.dynamic.provider import WorkspaceProvider
from tests.support.rest_stub import TOKEN, Received, Reply, RestStub, running

MODEL, ALIAS = "main.ml.fare", "champion"
BEFORE, TARGET, FOREIGN = 16, 17, 99
# Longer than a move: some second writers come after it.
SPREAD = 1.2


@dataclass
class TimedStub(RestStub):
    """Notes when the alias was looked at last before the write, and when it was written."""

    looked: float = 0.0
    written: float = 0.0
    foreign: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def handle(self, request: Received) -> Reply | None:
        with self.lock:
            if request.method == "GET" and request.path.endswith(f"/aliases/{ALIAS}") and not self.written:
                self.looked = time.perf_counter()
            if request.method == "PUT":
                self.written = time.perf_counter()
            return super().handle(request)

    def move_by_hand(self) -> None:
        with self.lock:
            self.aliases[MODEL, ALIAS] = FOREIGN
            self.foreign = time.perf_counter()


class _Hasty:
    """Reads back at once: waiting for the registry is not what is measured."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Not at all."""


def measure(moves: int, seed: int) -> tuple[Counter[str], list[float]]:
    """What became of the second writer's move, and the unguarded time of each move in milliseconds."""
    dice, outcomes, windows = random.Random(seed), Counter[str](), list[float]()  # noqa: S311 - no secret
    WorkspaceProvider.clock = _Hasty()
    stub = TimedStub()
    with running(stub):
        stub.versions[MODEL] = dict.fromkeys((BEFORE, TARGET, FOREIGN), "READY")
        provider = ModelAliasProvider()
        settings = {"databricks:host": stub.host, "databricks:token": TOKEN}
        provider.configure(ConfigureRequest(Config(settings, "project")))
        took = _one(provider, stub, delay=None)[1]
        for _ in range(moves):
            outcome, seconds, window = _one(provider, stub, delay=dice.uniform(0, SPREAD * took))
            took = 0.9 * took + 0.1 * seconds
            outcomes[outcome] += 1
            if window is not None:
                windows.append(window * 1000)
    return outcomes, windows


def _one(provider: ModelAliasProvider, stub: TimedStub, *, delay: float | None) -> tuple[str, float, float | None]:
    stub.aliases[MODEL, ALIAS] = BEFORE
    stub.looked = stub.written = stub.foreign = 0.0
    stub.forget()
    other = threading.Timer(delay, stub.move_by_hand) if delay is not None else None
    inputs = {"model": MODEL, "alias": ALIAS, "version": str(TARGET), "requires": {}}
    started = time.perf_counter()
    if other is not None:
        other.start()
    refused = False
    try:
        provider.update("id", {**inputs, "version": str(BEFORE), "journal": []}, inputs)
    except ProviderError:
        refused = True
    seconds = time.perf_counter() - started
    if other is not None:
        other.join()
    window = stub.written - stub.looked if stub.written else None
    return _outcome(stub, refused=refused), seconds, window


def _outcome(stub: TimedStub, *, refused: bool) -> str:
    if refused:
        return "seen before the write, refused" if not stub.written else "seen after the write, reported"
    if stub.looked < stub.foreign < stub.written:
        return "overwritten unseen"
    return "came after the read-back, stands"


def main(arguments: list[str]) -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.alias_window", description=__doc__)
    parser.add_argument("--moves", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=6)
    options = parser.parse_args(arguments)
    outcomes, windows = measure(options.moves, options.seed)
    for outcome, count in outcomes.most_common():
        sys.stdout.write(f"{outcome}: {count} of {options.moves}\n")
    windows.sort()
    half, late = windows[len(windows) // 2], windows[int(len(windows) * 0.99)]
    sys.stdout.write(
        f"from the last look to the write, {len(windows)} moves: median {half:.2f} ms, p99 {late:.2f} ms, "
        f"longest {windows[-1]:.2f} ms\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
