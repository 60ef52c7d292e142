"""An endpoint that answers: the config in force with its gateway, and the choice of who answers."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from workspace.http import Json
from workspace.serving.gateway import falls_back, payload_table, tracks_usage
from workspace.serving.metering import Span
from workspace.serving.process import Reply


class Served(Protocol):
    """A served entity: a model in a process of its own (`entity.Entity`), or somebody else's (`external`)."""

    @property
    def uid(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def pid(self) -> int | None: ...
    @property
    def concurrency(self) -> int: ...
    @property
    def was_awake(self) -> bool: ...

    async def score(self, content_type: str, body: bytes) -> Reply: ...

    def build(self, model_folder: Path) -> None: ...

    def start(self) -> None: ...

    def state(self) -> Json: ...

    def rest(self, idle_seconds: float) -> None: ...

    def awake(self, idle_seconds: float) -> Span | None: ...

    def revive(self) -> None: ...

    def retire(self) -> None: ...

    def end(self) -> None: ...


@dataclass(frozen=True)
class Gateway:
    """What AI Gateway does with each request, worked out once."""

    payload_table: str | None
    rate_limits: tuple[Json, ...]
    counts_tokens: bool
    tracks_usage: bool
    guardrails: Json | None
    falls_back: bool

    @classmethod
    def of(cls, endpoint: Json) -> Gateway:
        given = endpoint.get("ai_gateway") or {}
        # Limits that were set the old way, beside the gateway, count as much.
        limits = (*given.get("rate_limits", ()), *(endpoint.get("rate_limits") or ()))
        return cls(
            payload_table=payload_table(given),
            rate_limits=limits,
            counts_tokens=any(limit.get("tokens") is not None for limit in limits),
            tracks_usage=tracks_usage(given),
            guardrails=given.get("guardrails"),
            falls_back=falls_back(given),
        )


@dataclass(frozen=True)
class Live:
    """The config in force of an endpoint. Replaced as a whole, never changed."""

    endpoint_id: str
    name: str
    task: str | None
    entities: Mapping[str, Served]
    names: tuple[str, ...]
    weights: tuple[int, ...]
    gateway: Gateway

    def choose(self) -> Served:
        """An entity by the traffic split; one at 0 % is never chosen."""
        return self.entities[random.choices(self.names, self.weights)[0]]  # noqa: S311 - load balancing, no secret

    def others(self, tried: Served) -> list[Served]:
        """Whom to ask when `tried` failed, in the order of the config; also those at 0 %."""
        return [entity for entity in self.entities.values() if entity is not tried]
