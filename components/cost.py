"""What a stack's endpoints and stores cost an hour at list price, known before anything is made. Pure.

Databricks bills custom-model endpoints for the concurrency that is provisioned: on CPU 1 DBU an hour for each request
at a time, on GPUs a rate for each replica. So an entity has a floor (its lowest provisioned concurrency), a ceiling
(its highest), and at rest either nothing (scale to zero) or the floor. Prices are those of `RATES`, in US dollars
before any discount; regions and contracts differ. What no rate is known for is named and left out of the sums, never
guessed.
Not in it at all: jobs, monitors, SQL, storage and tokens, which are billed by what is done and not by the hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from .rates import RATES, RATES_AS_OF
from .served_entity import (
    CONCURRENCY_STEP,
    AnyServedEntity,
    ExternalModelArgs,
    FoundationModelArgs,
    ServedEntityArgs,
    WorkloadType,
)

HOURS_A_MONTH = 730
VectorSearchType = Literal["STANDARD", "STORAGE_OPTIMIZED"]
_SEARCH = "vector search"
_CONCURRENCY: Mapping[str, tuple[int, int]] = {"Small": (4, 4), "Medium": (8, 16), "Large": (16, 64)}


@dataclass(frozen=True, kw_only=True)
class CostLine:
    """One thing that costs: DBU an hour at rest, at its floor and at its ceiling; None where no rate is known."""

    what: str
    at_rest: float | None
    floor: float | None
    ceiling: float | None


@dataclass(frozen=True, kw_only=True)
class StoreLine:
    """A store: USD an hour at its floor, which it costs whether anybody asks or not, and at its ceiling."""

    what: str
    floor: float
    ceiling: float


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The cost of a stack."""

    lines: Sequence[CostLine]
    stores: Sequence[StoreLine]
    launches_cost: bool
    """Whether an entity can scale to zero, so that waking it is billed."""
    dbu_usd: float = field(default=RATES["dbu"].value)

    def dbu(self, which: str) -> float:
        """DBU an hour of all lines with a known rate: `at_rest`, `floor` or `ceiling`."""
        values = [getattr(line, which) for line in self.lines]
        return float(sum(value for value in values if value is not None))

    def usd(self, which: str) -> float:
        """US dollars an hour, stores included."""
        stores = sum(store.ceiling if which == "ceiling" else store.floor for store in self.stores)
        return round(self.dbu(which) * self.dbu_usd + stores, 4)

    @property
    def unknown(self) -> list[str]:
        """What is in no sum, because no rate is known."""
        return [line.what for line in self.lines if line.ceiling is None]

    def text(self) -> str:
        """A table for the preview."""
        rows = [
            ("", "at rest", "floor", "ceiling"),
            *((line.what, _number(line.at_rest), _number(line.floor), _number(line.ceiling)) for line in self.lines),
            ("DBU an hour", *(_number(self.dbu(which)) for which in ("at_rest", "floor", "ceiling"))),
            ("USD an hour", *(f"{self.usd(which):.2f}" for which in ("at_rest", "floor", "ceiling"))),
            (
                "USD a month",
                *(f"{self.usd(which) * HOURS_A_MONTH:,.0f}" for which in ("at_rest", "floor", "ceiling")),
            ),
        ]
        width = max(len(row[0]) for row in rows)
        lines = [f"{name:<{width}}  {rest:>9} {floor:>9} {ceiling:>9}" for name, rest, floor, ceiling in rows]
        notes = [f"cost at list price ({RATES_AS_OF}; components/rates.py has them and their sources)", *lines]
        for store in self.stores:
            most = f" to {store.ceiling:.3f}" if store.ceiling != store.floor else ""
            notes.append(f"the {store.what}'s {store.floor:.3f}{most} USD an hour are in all three columns")
        if any(line.what.startswith(_SEARCH) for line in self.lines):
            notes.append("a vector search endpoint grows by itself, a unit at a time; a standard one does not shrink")
        if self.launches_cost:
            notes.append(f"waking from zero: {RATES['launch'].value:.2f} USD each, at most two an hour")
        if self.unknown:
            notes.append(
                f"no rate is known for {', '.join(self.unknown)}: not in the sums; give one under endpoint.dbuPerHour"
            )
        return "\n".join(notes)

    def output(self) -> dict[str, object]:
        """The document that the stack exports."""
        return {
            "ratesAsOf": RATES_AS_OF,
            "dbuPerHour": {which: round(self.dbu(which), 4) for which in ("at_rest", "floor", "ceiling")},
            "usdPerHour": {which: self.usd(which) for which in ("at_rest", "floor", "ceiling")},
            "unknown": self.unknown,
        }


def estimate(
    entities: Iterable[AnyServedEntity],
    *,
    capacity: str | None = None,
    read_replicas: int = 0,
    lakebase_cu: tuple[float, float] | None = None,
    vector_search: Iterable[VectorSearchType] = (),
    dbu_per_hour: Mapping[WorkloadType, float] | None = None,
) -> Estimate:
    """The cost of these entities, of the stores behind them and of the vector search endpoints that they ask.

    Args:
        entities: all that are declared, also those at 0 %: they run.
        capacity: of the online store, `CU_1` to `CU_8`; None where there is none.
        read_replicas: of the online store, each as large as the store.
        lakebase_cu: least and most compute units of a Lakebase project; None where there is none.
        vector_search: type of each vector search endpoint. Each is counted with one unit, the least.
        dbu_per_hour: DBU an hour of one replica, by workload type: for types that `RATES` does not have, and in place
            of what it has.
    """
    entities = list(entities)
    units = [int(capacity.removeprefix("CU_")) * (1 + read_replicas)] * 2 if capacity else []
    unit_usd = RATES["online_store_cu"].value
    return Estimate(
        lines=[*(_line(entity, dbu_per_hour or {}) for entity in entities), *map(_search_line, vector_search)],
        stores=[
            StoreLine(what=what, floor=round(least * unit_usd, 4), ceiling=round(most * unit_usd, 4))
            for what, (least, most) in (
                *((("online store", units),) if units else ()),
                *((("Lakebase project", lakebase_cu),) if lakebase_cu else ()),
            )
        ],
        launches_cost=any(isinstance(entity, ServedEntityArgs) and entity.scale_to_zero_enabled for entity in entities),
    )


def _line(entity: AnyServedEntity, given: Mapping[WorkloadType, float]) -> CostLine:
    if isinstance(entity, ExternalModelArgs):
        # Its provider bills it; the gateway itself has no charge for the endpoint.
        return CostLine(what=f"{entity.entity_name} (billed by {entity.provider})", at_rest=0.0, floor=0.0, ceiling=0.0)
    if isinstance(entity, FoundationModelArgs):
        what = f"{entity.entity_name} (tokens per second)"
        return CostLine(what=what, at_rest=None, floor=None, ceiling=None)
    what = f"{entity.entity_name} ({entity.workload_type})"
    low, high = _concurrency(entity)
    rate = RATES.get(entity.workload_type)
    a_replica = given.get(entity.workload_type, rate.value if rate and entity.workload_type != "CPU" else None)
    if a_replica is not None:
        # A replica takes four requests at a time: the step of provisioned concurrency.
        floor, ceiling = (a_replica * (number // CONCURRENCY_STEP) for number in (low, high))
    elif rate is not None:
        floor, ceiling = low * rate.value, high * rate.value
    else:
        return CostLine(what=what, at_rest=None, floor=None, ceiling=None)
    return CostLine(what=what, at_rest=0.0 if entity.scale_to_zero_enabled else floor, floor=floor, ceiling=ceiling)


def _search_line(kind: VectorSearchType) -> CostLine:
    unit = RATES[f"vector_search_{kind}"].value
    return CostLine(what=f"{_SEARCH} ({kind}, one unit)", at_rest=unit, floor=unit, ceiling=unit)


def _concurrency(entity: ServedEntityArgs) -> tuple[int, int]:
    low, high = entity.min_provisioned_concurrency, entity.max_provisioned_concurrency
    if low is None or high is None:
        return _CONCURRENCY[entity.workload_size or "Small"]
    # An entity that is awake has at least the smallest step.
    return max(low, CONCURRENCY_STEP), high


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:g}"
