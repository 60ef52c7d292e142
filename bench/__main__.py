"""`python -m bench`: measure, print a table, write .local/bench/results.json. Exit code 1 where a goal is missed."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.load import BenchError, Result, Target, ask, run
from bench.lookup import lookup_ms
from bench.machines import PROJECT, free_port, memory_mb, mlflow_server, workspace
from bench.report import Figure, published
from bench.scene import build

RESULTS = PROJECT / ".local" / "bench" / "results.json"
ROUNDS = 3
IDLE_SECONDS = 3.0


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        figures = measure(Path(scratch), options.seconds)
    code = published(figures, RESULTS)
    sys.stderr.write(f"{RESULTS.relative_to(PROJECT)}\n")
    return code


def measure(folder: Path, seconds: float) -> list[Figure]:
    """All figures, of one run. `seconds` is how long each of the rounds of a load lasts."""
    port, plain_port, state = free_port(), free_port(), folder / "state"
    host = f"http://127.0.0.1:{port}"
    with workspace(state, port):
        token = (state / "token").read_text().strip()
        scene = build(folder, host, token, plain_port)
        ask(scene.endpoint)
        looked_up = lookup_ms(state)
    figures = [
        Figure("start of the workspace to its first answer", _start_seconds(state, port, scene.endpoint), "s", 3)
    ]
    with workspace(state, port) as server:
        ask(scene.endpoint)
        time.sleep(IDLE_SECONDS)
        memory = memory_mb(server.pid)
        figures.append(Figure("idle memory, all processes, shared pages shared out", memory["pss"], "MB", 400))
        figures.append(Figure("idle memory, resident sizes added up", memory["rss"], "MB", None))
        figures.append(Figure("feature lookup, median", looked_up[0], "ms", 1))
        figures.append(Figure("feature lookup, 99 of 100", looked_up[1], "ms", None))
        with mlflow_server(scene.plain_model, plain_port, folder / "mlflow.log"):
            ask(scene.plain)
            for clients in (1, 16):
                ours, theirs = _side_by_side(scene.endpoint, scene.plain, clients, seconds)
                figures += _compared(clients, ours, theirs)
    return figures


def _start_seconds(state: Path, port: int, target: Target) -> float:
    """From the start of the process to the first answer of an endpoint that was there before; the best of three."""
    took = []
    for _ in range(3):
        started = time.perf_counter()
        with workspace(state, port):
            ask(target)
            took.append(time.perf_counter() - started)
    return min(took)


def _side_by_side(ours: Target, theirs: Target, clients: int, seconds: float) -> tuple[Result, Result]:
    """Turn about, so that what else the machine does meets both."""
    totals: dict[str, Result] = {}
    for target in (ours, theirs):
        run(target, clients, min(1.0, seconds))
    for _ in range(ROUNDS):
        for target in (ours, theirs):
            result = run(target, clients, seconds)
            totals[target.name] = totals[target.name] + result if target.name in totals else result
    return totals[ours.name], totals[theirs.name]


def _compared(clients: int, ours: Result, theirs: Result) -> list[Figure]:
    with_clients = f"{clients} client{'s' if clients > 1 else ''}"
    figures = []
    for name, result in (("endpoint with lookup", ours), ("mlflow models serve", theirs)):
        figures += [
            Figure(f"{name}, {with_clients}: answers a second", result.per_second, "/s", None),
            Figure(f"{name}, {with_clients}: p50", result.percentile(50), "ms", None),
            Figure(f"{name}, {with_clients}: p99", result.percentile(99), "ms", None),
        ]
    return [
        *figures,
        Figure(f"ratio, {with_clients}: p50", ours.percentile(50) / theirs.percentile(50), "x", 1),
        Figure(f"ratio, {with_clients}: p99", ours.percentile(99) / theirs.percentile(99), "x", None),
        Figure(f"ratio, {with_clients}: time for an answer", theirs.per_second / ours.per_second, "x", 1),
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=4.0, help="length of each round of a load (default: %(default)s)"
    )
    return parser


if __name__ == "__main__":
    try:
        code = main(sys.argv[1:])
    except (BenchError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"bench: {error}\n")
        code = 2
    sys.exit(code)
