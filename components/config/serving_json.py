"""The body of "create serving endpoint" as a source of a stack file: teams have it as a JSON file already.

`{"name": ..., "config": {"served_entities": [...], "traffic_config": ..., "auto_capture_config": ...}}`, as the REST
API and `databricks serving-endpoints create --json` take it (API "POST /api/2.0/serving-endpoints"), becomes the
sections `model` and `endpoint`. What the API no longer takes is brought to what has replaced it (`auto_capture_config`
to the AI Gateway's inference table) or refused; nothing is left out silently.

    python -m components.config.serving_json serving/config/endpoint.json    # the sections, as YAML
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..names import InvalidNameError, ThreePartName, check_endpoint_name, check_version
from ..traffic import TrafficSplit

_TOP = {"name", "config", "ai_gateway", "tags", "route_optimized", "description", "budget_policy_id"}
_CONFIG = {"served_entities", "traffic_config", "auto_capture_config", "name"}
_ENTITY = {
    "name": "name",
    "workload_size": "workloadSize",
    "workload_type": "workloadType",
    "min_provisioned_concurrency": "minProvisionedConcurrency",
    "max_provisioned_concurrency": "maxProvisionedConcurrency",
    "environment_vars": "environmentVars",
}
_TABLE = {"catalog_name", "schema_name", "table_name_prefix", "enabled"}
_REFUSED = {
    "served_models": "was replaced by served_entities",
    "rate_limits": "is retired; use ai_gateway rate limits, in the stack file: endpoint.limits",
    "email_notifications": "is of the stack file: endpoint.notifications",
}


class ServingJsonError(ValueError):
    """The JSON cannot become a stack; the message lists every reason with its place."""


@dataclass(frozen=True)
class _Problem:
    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" if self.place else self.text


def load_serving_json(file: Path, *, alias: str = "champion") -> dict[str, Any]:
    """The sections `model` and `endpoint` that a JSON file stands for.

    Args:
        file: in UTF-8.
        alias: under which the version with the most traffic stands in `model.aliases`.

    Raises:
        ServingJsonError: the file cannot be read, is no JSON, or asks for what a stack cannot be.
    """
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ServingJsonError(f"{file} cannot be read ({error.strerror}); name the JSON file of an endpoint") from None
    except ValueError as error:
        raise ServingJsonError(f"{file} is no JSON: {error}") from None
    try:
        return sections_of(document, alias=alias)
    except ServingJsonError as error:
        raise ServingJsonError(f"{file}: {error}") from None


def sections_of(document: Any, *, alias: str = "champion") -> dict[str, Any]:
    """The same, of a document that was read. Raises ServingJsonError."""
    if not isinstance(document, dict):
        raise ServingJsonError(f'is {type(document).__name__}, not an object; write {{"name": ..., "config": ...}}')
    problems = list(_unknown(document, _TOP, ""))
    config = document.get("config")
    if not isinstance(config, dict):
        raise ServingJsonError("; ".join(map(str, [*problems, _Problem("config", "is missing or no object")])))
    problems += _unknown(config, _CONFIG, "config.")
    entities = config.get("served_entities")
    if not isinstance(entities, list) or not entities or not all(isinstance(one, dict) for one in entities):
        problems.append(_Problem("config.served_entities", "is no list of objects; name at least one entity"))
        entities = []
    problems += _name_problems(document)
    for number, entity in enumerate(entities):
        problems += _entity_problems(entity, f"config.served_entities[{number}]")
    models = sorted({str(entity.get("entity_name")) for entity in entities})
    if len(models) > 1:
        problems.append(_Problem("config.served_entities", f"serve {', '.join(models)}; a stack is for one model"))
    shares, traffic_problems = _shares(entities, config.get("traffic_config"))
    problems += traffic_problems
    table, table_problems = _inference_table(config, document.get("ai_gateway"))
    problems += table_problems
    if problems:
        raise ServingJsonError("; ".join(map(str, problems)))
    return _sections(document, entities, shares, table, alias)


def merged(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` over `base`: sections are joined key by key, anything else that `values` has takes its place."""
    joined = dict(base)
    for key, value in values.items():
        known = joined.get(key)
        joined[key] = merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return joined


def _unknown(found: Mapping[str, Any], known: set[str], place: str) -> Iterator[_Problem]:
    for key in found:
        if key in _REFUSED:
            yield _Problem(f"{place}{key}", _REFUSED[key])
        elif key not in known:
            yield _Problem(f"{place}{key}", f"is unknown here; known: {', '.join(sorted(known))}")


def _name_problems(document: Mapping[str, Any]) -> Iterator[_Problem]:
    try:
        check_endpoint_name(str(document.get("name") or ""))
    except ValueError as error:
        yield _Problem("name", str(error))


def _entity_problems(entity: Mapping[str, Any], place: str) -> Iterator[_Problem]:
    yield from _unknown(entity, {*_ENTITY, "entity_name", "entity_version", "scale_to_zero_enabled"}, f"{place}.")
    try:
        ThreePartName.parse(str(entity.get("entity_name") or ""), what="model")
    except InvalidNameError as error:
        yield _Problem(f"{place}.entity_name", str(error))
    try:
        check_version(str(entity.get("entity_version", "")))
    except ValueError as error:
        yield _Problem(f"{place}.entity_version", str(error))
    if not isinstance(entity.get("scale_to_zero_enabled", False), bool):
        yield _Problem(f"{place}.scale_to_zero_enabled", f"is {entity['scale_to_zero_enabled']!r}; write true or false")


def _shares(entities: Sequence[Mapping[str, Any]], traffic: Any) -> tuple[list[int], list[_Problem]]:
    """Percent for each entity, in their order: all of it to the only one, else as the routes say."""
    place = "config.traffic_config"
    if traffic is None:
        if len(entities) > 1:
            return [], [_Problem(place, f"is missing, and {len(entities)} entities need routes that total 100")]
        return [100] * len(entities), []
    routes = traffic.get("routes") if isinstance(traffic, dict) else None
    if not isinstance(routes, list) or not all(isinstance(route, dict) for route in routes):
        return [], [_Problem(place, "has no list of routes")]
    by_name = {
        str(route.get("served_model_name") or route.get("served_entity_name")): route.get("traffic_percentage")
        for route in routes
    }
    names = [_served_name(entity) for entity in entities]
    if set(by_name) != set(names) or len(routes) != len(names):
        return [], [_Problem(place, f"has routes to {', '.join(by_name)}; the entities are {', '.join(names)}")]
    shares = [by_name[name] for name in names]
    if any(isinstance(share, bool) or not isinstance(share, int) for share in shares):
        return [], [_Problem(place, f"has the percentages {shares}; use whole numbers")]
    try:
        TrafficSplit.of(zip(names, shares, strict=True))
    except ValueError as error:
        return [], [_Problem(place, str(error))]
    return shares, []


def _served_name(entity: Mapping[str, Any]) -> str:
    """The service's own name for an entity that has none."""
    model = str(entity.get("entity_name") or "").rpartition(".")[2]
    return str(entity.get("name") or f"{model}-{entity.get('entity_version')}")


def _inference_table(config: Mapping[str, Any], gateway: Any) -> tuple[dict[str, str] | None, list[_Problem]]:
    """Where requests are logged: `auto_capture_config` and the AI Gateway's table mean the same."""
    places = {"config.auto_capture_config": config.get("auto_capture_config")}
    problems: list[_Problem] = []
    if gateway is not None:
        if not isinstance(gateway, dict) or set(gateway) - {"inference_table_config"}:
            problems.append(
                _Problem("ai_gateway", "may have inference_table_config here; the rest is of the stack file")
            )
        else:
            places["ai_gateway.inference_table_config"] = gateway.get("inference_table_config")
    tables = []
    for place, table in places.items():
        if table is None:
            continue
        if not isinstance(table, dict):
            problems.append(_Problem(place, "is no object"))
            continue
        problems += _unknown(table, _TABLE, f"{place}.")
        if table.get("enabled", True) is False:
            continue
        if missing := [key for key in ("catalog_name", "schema_name", "table_name_prefix") if not table.get(key)]:
            problems.append(_Problem(place, f"lacks {', '.join(missing)}; the inference table's name needs all three"))
            continue
        tables.append(
            {
                "catalog": str(table["catalog_name"]),
                "schema": str(table["schema_name"]),
                "prefix": str(table["table_name_prefix"]),
            }
        )
    if len(tables) == 2 and tables[0] != tables[1]:
        problems.append(_Problem("ai_gateway", f"logs to {tables[1]}, auto_capture_config to {tables[0]}; keep one"))
    return (tables[0] if tables else None), problems


def _sections(
    document: Mapping[str, Any],
    entities: Sequence[Mapping[str, Any]],
    shares: Sequence[int],
    table: dict[str, str] | None,
    alias: str,
) -> dict[str, Any]:
    most = max(range(len(entities)), key=lambda number: shares[number])
    zero = {bool(entity.get("scale_to_zero_enabled", False)) for entity in entities}
    served = []
    for number, (entity, share) in enumerate(zip(entities, shares, strict=True)):
        source = {"alias": alias} if number == most else {"version": str(entity["entity_version"])}
        sizes = {name: entity[key] for key, name in _ENTITY.items() if key in entity}
        own = {"scaleToZero": bool(entity.get("scale_to_zero_enabled", False))} if len(zero) > 1 else {}
        # A route of 0 % that somebody wrote down is meant.
        dark = {"dark": True} if share == 0 else {}
        served.append({**source, "traffic": share, **dark, **sizes, **own})
    endpoint: dict[str, Any] = {"name": document["name"], "entities": served}
    if len(zero) == 1:
        # Of the endpoint, so that a stack file can say otherwise for its environment in one line.
        endpoint["scaleToZero"] = zero.pop()
    if table is not None:
        endpoint["inferenceTable"] = table
    for key, name in (
        ("route_optimized", "routeOptimized"),
        ("description", "description"),
        ("budget_policy_id", "budgetPolicyId"),
    ):
        if key in document:
            endpoint[name] = document[key]
    if tags := document.get("tags"):
        endpoint["tags"] = {str(tag["key"]): str(tag.get("value", "")) for tag in tags}
    return {
        "model": {
            "name": str(entities[0]["entity_name"]),
            "aliases": {alias: str(entities[most]["entity_version"])},
        },
        "endpoint": endpoint,
    }


def main(arguments: Sequence[str]) -> int:
    """Print the sections of a JSON file as YAML; 2 with the reasons on stderr where it is none."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print(__doc__)
        return 0 if arguments in (["-h"], ["--help"]) else 2
    import yaml

    try:
        sections = load_serving_json(Path(arguments[0]))
    except ServingJsonError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(yaml.safe_dump(sections, sort_keys=False), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
