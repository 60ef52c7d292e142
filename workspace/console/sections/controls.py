"""The switches of the embedded workspace: clock, settings, faults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workspace.console.reading import Workspace
from workspace.http import Json


@dataclass(frozen=True)
class Clock:
    now_ms: int
    offset_seconds: float


@dataclass(frozen=True)
class Fault:
    id: str
    where: str
    what: str
    when: str
    calls: int
    hits: int
    spent: bool


async def clock(workspace: Workspace) -> Clock:
    shown = await workspace.get("/_workspace/clock")
    return Clock(int(shown["now_ms"]), float(shown["offset_seconds"]))


async def settings(workspace: Workspace) -> Mapping[str, float]:
    """Seconds, by the setting's name."""
    return dict(sorted((await workspace.get("/_workspace/settings")).items()))


async def faults(workspace: Workspace) -> Sequence[Fault]:
    return [_fault(one) for one in (await workspace.get("/_workspace/faults"))["faults"]]


def _fault(shown: Json) -> Fault:
    effects = [f"{shown['delay_ms']:g} ms late"] if shown["delay_ms"] else []
    if shown["status"] is not None:
        retry = "" if shown["retry_after"] is None else f", Retry-After {shown['retry_after']}"
        effects.append(f"status {shown['status']}{retry}")
    if shown["reset"]:
        effects.append("connection reset")
    times = shown["times"]
    turns = "every call" if times is None else f"{times} call{'s' if times != 1 else ''}"
    after = f" after {shown['after_calls']}" if shown["after_calls"] else ""
    effect = ", ".join(effects)
    return Fault(
        id=str(shown["id"]),
        where=f"{'any method' if shown['method'] == '*' else shown['method']} {shown['path']}",
        what=f"{effect}, once the call took effect" if shown["when"] == "after" else effect,
        when=turns + after,
        calls=int(shown["calls"]),
        hits=int(shown["hits"]),
        spent=times is not None and int(shown["hits"]) >= times,
    )
