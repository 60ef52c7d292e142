"""Traffic, latency, errors, cost: what the endpoint does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from apps.report.facts import Facts
from apps.report.sections import Section, Table, alert_named, day, limits_of, number, plot, series


def traffic(facts: Facts) -> Section:
    """Requests by day and served entity."""
    rows = facts.by_entity.value
    if not rows:
        return Section(name="traffic", title="Traffic", missing=[facts.by_entity.missing])
    names = facts.entity_names
    table = Table(
        ["Day", "Served entity", "#Requests", "#Share of the day"],
        [
            [
                day(row["date"]),
                names[row["served_entity_id"]],
                number(row["request_count"]),
                f"{100 * row['request_count'] / _of_day(facts, row['date'], 'request_count'):.1f} %",
            ]
            for row in rows
        ],
    )
    plots = [
        plot(
            "requests",
            "Requests by day and served entity",
            "bars",
            series(rows, "date", "request_count", by="served_entity_id", names=names),
            table,
            unit="requests",
            whole_numbers=True,
        )
    ]
    tokens = [row for row in facts.traffic.value if row["total_tokens"]]
    if tokens:
        plots.append(
            plot(
                "tokens",
                "Tokens by day",
                "bars",
                series(tokens, "date", "total_tokens"),
                Table(["Day", "#Tokens"], [[day(row["date"]), number(row["total_tokens"])] for row in tokens]),
                unit="tokens",
                whole_numbers=True,
                named=False,
            )
        )
    return Section(
        name="traffic",
        title="Traffic",
        says="Every request that the inference table has, refused ones too.",
        plots=plots,
        missing=[facts.names_missing] if facts.names_missing else [],
    )


def latency(facts: Facts) -> Section:
    """Median and 95th percentile by day, of the endpoint and of each served entity."""
    rows = facts.traffic.value
    if not rows:
        return Section(name="latency", title="Latency", missing=[facts.traffic.missing])
    names = facts.entity_names
    whole = Table(
        ["Day", "#Median (ms)", "#95th percentile (ms)", "#Average (ms)"],
        [
            [day(row["date"]), *(number(row[one], 1) for one in ("p50_latency_ms", "p95_latency_ms", "avg_latency_ms"))]
            for row in rows
        ],
    )
    each = Table(
        ["Day", "Served entity", "#Median (ms)", "#95th percentile (ms)"],
        [
            [
                day(row["date"]),
                names[row["served_entity_id"]],
                number(row["p50_latency_ms"], 1),
                number(row["p95_latency_ms"], 1),
            ]
            for row in facts.by_entity.value
        ],
    )
    lines = [
        *series(rows, "date", "p50_latency_ms"),
        *series(rows, "date", "p95_latency_ms"),
    ]
    words = {"p50_latency_ms": "median", "p95_latency_ms": "95th percentile"}
    return Section(
        name="latency",
        title="Latency",
        says="Execution time as the inference table has it, without the way to the caller.",
        plots=[
            plot(
                "latency",
                "Latency of the endpoint by day",
                "lines",
                [type(one)(words[one.name], one.points) for one in lines],
                whole,
                unit="ms",
                limits=limits_of([alert_named(facts, "latency")]),
            ),
            plot(
                "latency-entities",
                "95th percentile by served entity",
                "lines",
                series(facts.by_entity.value, "date", "p95_latency_ms", by="served_entity_id", names=names),
                each,
                unit="ms",
            ),
        ],
    )


def errors(facts: Facts) -> Section:
    """Requests that were not answered with 200, by day and served entity."""
    rows = facts.by_entity.value
    if not rows:
        return Section(name="errors", title="Errors", missing=[facts.by_entity.missing])
    names = facts.entity_names
    alert = alert_named(facts, "availability")
    days = Table(
        ["Day", "#Errors", "#Requests", "#Share"],
        [
            [
                day(row["date"]),
                number(row["error_count"]),
                number(row["request_count"]),
                f"{100 * row['error_count'] / row['request_count']:.2f} %",
            ]
            for row in facts.traffic.value
        ],
    )
    says = "Requests that were not answered with status 200."
    if alert is not None and alert.limit is not None:
        says += f" Alert availability fires above {100 * alert.limit:.3g} % of the requests in its window."
    return Section(
        name="errors",
        title="Errors",
        says=says,
        plots=[
            plot(
                "errors",
                "Errors by day and served entity",
                "bars",
                series(rows, "date", "error_count", by="served_entity_id", names=names),
                days,
                unit="errors",
                whole_numbers=True,
            )
        ],
    )


def costs(facts: Facts) -> Section:
    """What the stack declares costs at list price, and what was billed."""
    missing: list[str] = []
    tables: list[tuple[str, Table]] = []
    declared = facts.outputs.get("cost")
    if isinstance(declared, dict):
        tables.append(
            (
                f"List price of what the stack declares, rates as of {declared.get('ratesAsOf', 'unknown')}",
                Table(["", "#DBU an hour", "#USD an hour", "#USD a month"], list(_prices(declared))),
            )
        )
        if unknown := declared.get("unknown"):
            missing.append(f"in no sum, because no rate is known: {', '.join(map(str, unknown))}")
    else:
        missing.append("the stack's outputs have no cost (contract 1.1 has)")
    if facts.billed.value:
        rows = facts.billed.value
        table = Table(
            ["Day", "Unit of billing", "#DBU", "#USD at list price"],
            [
                [day(row["date"]), str(row["sku_name"]), number(row["dbu"]), number(row["usd"], 2)]
                for row in reversed(rows)
            ],
        )
        billed = plot(
            "billed", "DBU billed by day", "bars", series(rows, "date", "dbu", by="sku_name"), table, unit="DBU"
        )
        return Section(name="costs", title="Costs", plots=[billed], tables=tables, missing=missing)
    return Section(name="costs", title="Costs", tables=tables, missing=[*missing, facts.billed.missing])


def _prices(declared: dict[str, Any]) -> Iterable[list[str]]:
    words = {"atRest": "At rest", "at_rest": "At rest", "floor": "At its floor", "ceiling": "At its ceiling"}
    dbu, usd = declared.get("dbuPerHour") or {}, declared.get("usdPerHour") or {}
    for key in dict.fromkeys((*dbu, *usd)):
        price = usd.get(key)
        yield [
            words.get(key, key),
            number(dbu.get(key)),
            number(price, 2),
            # 730 hours, as the clouds count a month.
            number(None if price is None else float(price) * 730, 0),
        ]


def _of_day(facts: Facts, when: Any, column: str) -> float:
    return next((float(row[column]) for row in facts.traffic.value if row["date"] == when), 1.0)
