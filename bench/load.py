"""Clients that ask as fast as they are answered, each on a connection of its own that is kept."""

from __future__ import annotations

import http.client
import statistics
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Target:
    """One address that answers one request."""

    name: str
    url: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Result:
    """What a number of clients got from a target in a time."""

    requests: int
    seconds: float
    latencies_ms: tuple[float, ...]

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    def percentile(self, percent: int) -> float:
        """Latency in milliseconds that `percent` % of the answers kept."""
        return statistics.quantiles(self.latencies_ms, n=100, method="inclusive")[percent - 1]

    def __add__(self, other: Result) -> Result:
        return Result(
            self.requests + other.requests, self.seconds + other.seconds, self.latencies_ms + other.latencies_ms
        )


class BenchError(Exception):
    """Something to be measured did not work; the message says what came back."""


def ask(target: Target) -> bytes:
    """One answer. Raises BenchError for any status but 200."""
    connection = _connected(target)
    try:
        return _asked(connection, target)
    finally:
        connection.close()


def run(target: Target, clients: int, seconds: float) -> Result:
    """Have `clients` threads ask for `seconds`. Raises BenchError where an answer is not 200."""
    latencies: list[list[float]] = [[] for _ in range(clients)]
    failures: list[Exception] = []
    ready = threading.Barrier(clients + 1)
    deadline = 0.0

    def client(mine: list[float]) -> None:
        connection = _connected(target)
        try:
            _asked(connection, target)
            ready.wait()
            while (started := time.perf_counter()) < deadline:
                _asked(connection, target)
                mine.append((time.perf_counter() - started) * 1000)
        except (BenchError, OSError, http.client.HTTPException) as error:
            failures.append(error)
            ready.abort()
        finally:
            connection.close()

    threads = [threading.Thread(target=client, args=(mine,)) for mine in latencies]
    for thread in threads:
        thread.start()
    # Set before the barrier opens: nobody reads it earlier.
    deadline = time.perf_counter() + 3600
    try:
        ready.wait()
        started = time.perf_counter()
        deadline = started + seconds
    except threading.BrokenBarrierError:
        deadline = started = 0.0
    for thread in threads:
        thread.join()
    if failures:
        raise BenchError(f"{target.name}: {failures[0]}") from failures[0]
    took = time.perf_counter() - started
    every = tuple(latency for mine in latencies for latency in mine)
    return Result(len(every), took, every)


def _connected(target: Target) -> http.client.HTTPConnection:
    address = urlsplit(target.url)
    return http.client.HTTPConnection(str(address.hostname), address.port, timeout=TIMEOUT_SECONDS)


def _asked(connection: http.client.HTTPConnection, target: Target) -> bytes:
    connection.request("POST", urlsplit(target.url).path, target.body, dict(target.headers))
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != http.client.OK:
        raise BenchError(f"{target.url} answered {answer.status}: {content[:500].decode(errors='replace')}")
    return content
