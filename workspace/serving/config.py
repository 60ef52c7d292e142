"""What a serving config may say, and what the service makes of it: names, defaults, the traffic split.

Rules: facts of the Serving API (https://docs.databricks.com/api/workspace/servingendpoints) and of databricks-sdk 0.156
`serving.EndpointCoreConfigInput`; where the service's wording is not known, the message is our own.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence

from workspace.errors import ApiError, invalid
from workspace.http import Json
from workspace.serving.external import check_external_model

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
ENTITY_NAME = re.compile(r"[A-Za-z0-9_-]+")
MAX_ENTITIES = 10
WORKLOAD_SIZES = ("Small", "Medium", "Large")
WORKLOAD_TYPES = (
    "CPU",
    "CPU_MEDIUM",
    "CPU_LARGE",
    "GPU_SMALL",
    "GPU_MEDIUM",
    "GPU_LARGE",
    "GPU_XLARGE",
    "GPU_XLARGE_8",
    "MULTIGPU_MEDIUM",
)
# What two configs must agree on for a served entity to go on running as it is.
IDENTITY = (
    "name",
    "entity_name",
    "entity_version",
    "workload_size",
    "workload_type",
    "scale_to_zero_enabled",
    "environment_vars",
    "min_provisioned_concurrency",
    "max_provisioned_concurrency",
    "instance_profile_arn",
    "external_model",
)
OTHER_KINDS = {
    "min_provisioned_throughput": "provisioned throughput",
    "max_provisioned_throughput": "provisioned throughput",
    "provisioned_model_units": "provisioned model units",
}


def check_endpoint_name(name: object) -> None:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise invalid(
            f"Endpoint name '{name}' is not valid: 1 to 63 letters, digits, dashes and underscores, "
            "beginning and ending with a letter or a digit."
        )


def read_config(body: Json, creator: str, now_ms: int, previous: Sequence[Json] = ()) -> Json:
    """A config as it is stored: `served_entities` and `routes`. ApiError 400 for what the service refuses.

    Entities that `previous` has unchanged keep their identity (`uid`), so that they go on running.
    """
    _check_auto_capture(body.get("auto_capture_config"))
    given = body.get("served_entities") or []
    legacy = body.get("served_models") or []
    if given and legacy:
        raise invalid("Only one of served_entities and served_models can be specified.")
    entities = [_entity(entity, creator, now_ms) for entity in [*given, *map(_from_served_model, legacy)]]
    if not entities:
        raise invalid("The config must have at least one served entity.")
    if len(entities) > MAX_ENTITIES:
        raise invalid(f"The config has {len(entities)} served entities; an endpoint can serve at most {MAX_ENTITIES}.")
    names = [entity["name"] for entity in entities]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise invalid(f"Served entity names must be unique across an endpoint; given more than once: {doubled}.")
    _check_kinds(entities, previous)
    for entity in entities:
        _keep_identity(entity, previous)
    return {"served_entities": entities, "routes": _routes(body.get("traffic_config"), names)}


def _entity(given: Json, creator: str, now_ms: int) -> Json:
    for field, kind in OTHER_KINDS.items():
        if given.get(field) is not None:
            raise ApiError(
                501, "NOT_IMPLEMENTED", f"the embedded workspace serves registered and external models, no {kind}"
            )
    if given.get("external_model") is not None:
        return _external(given, creator, now_ms)
    entity_name, version = given.get("entity_name"), given.get("entity_version")
    if not entity_name:
        raise invalid("Missing required field: served_entities.entity_name")
    if not version or not str(version).isdigit():
        raise invalid(
            f"entity_version {version!r} of served entity '{entity_name}' is not valid: a model version is a number "
            "written as text; an endpoint takes no alias."
        )
    name = given.get("name") or f"{str(entity_name).rsplit('.', 1)[-1]}-{version}"
    if not ENTITY_NAME.fullmatch(name):
        raise invalid(f"Served entity name '{name}' is not valid: letters, digits, dashes and underscores only.")
    if not isinstance(given.get("scale_to_zero_enabled"), bool):
        raise invalid(
            f"scale_to_zero_enabled of served entity '{name}' is undefined; set it to true or false for a custom model."
        )
    variables = given.get("environment_vars") or {}
    if not all(isinstance(value, str) for value in variables.values()):
        raise invalid(f"environment_vars of served entity '{name}' must be texts.")
    return {
        "uid": uuid.uuid4().hex,
        "name": name,
        "entity_name": entity_name,
        "entity_version": str(version),
        "workload_type": _one_of(given.get("workload_type") or "CPU", WORKLOAD_TYPES, "workload_type", name),
        "scale_to_zero_enabled": given["scale_to_zero_enabled"],
        "environment_vars": variables,
        "instance_profile_arn": given.get("instance_profile_arn"),
        **_size(given, name),
        "creator": creator,
        "creation_timestamp": now_ms,
    }


def _external(given: Json, creator: str, now_ms: int) -> Json:
    model = given["external_model"]
    name = given.get("name") or re.sub(r"[.:]", "-", str(model.get("name")))
    if not ENTITY_NAME.fullmatch(name):
        raise invalid(f"Served entity name '{name}' is not valid: letters, digits, dashes and underscores only.")
    other = ("entity_name", "entity_version", "workload_size", "workload_type", "scale_to_zero_enabled")
    both = [field for field in other if given.get(field)]
    if both:
        raise invalid(f"Served entity '{name}' is an external model, and cannot have {both}.")
    return {
        "uid": uuid.uuid4().hex,
        "name": name,
        "external_model": check_external_model(model, name),
        "task": model["task"],
        "creator": creator,
        "creation_timestamp": now_ms,
    }


def _check_kinds(entities: Sequence[Json], previous: Sequence[Json]) -> None:
    """External models stand by themselves: with one task, and never in the place of registered ones."""
    external = {bool(entity.get("external_model")) for entity in entities}
    if len(external) > 1:
        raise invalid("An endpoint cannot serve both external models and registered models.")
    if previous and bool(previous[0].get("external_model")) not in external:
        raise invalid("An endpoint cannot be changed from external models to registered models, or back.")
    tasks = sorted({entity["task"] for entity in entities if entity.get("external_model")})
    if len(tasks) > 1:
        raise invalid(f"All external models of an endpoint must have the same task; given are {tasks}.")


def _size(given: Json, name: str) -> Json:
    least, most = given.get("min_provisioned_concurrency"), given.get("max_provisioned_concurrency")
    if least is None and most is None:
        size = _one_of(given.get("workload_size") or "Small", WORKLOAD_SIZES, "workload_size", name)
        return {"workload_size": size, "min_provisioned_concurrency": None, "max_provisioned_concurrency": None}
    if given.get("workload_size"):
        raise invalid(
            f"Served entity '{name}' has workload_size and provisioned concurrency; only one of them can be specified."
        )
    if least is None or most is None or least % 4 or most % 4 or not 0 <= least <= most or most == 0:
        raise invalid(
            f"min_provisioned_concurrency {least} and max_provisioned_concurrency {most} of '{name}' must "
            "be multiples of 4, the first not above the second."
        )
    return {"workload_size": None, "min_provisioned_concurrency": least, "max_provisioned_concurrency": most}


def _one_of(value: str, allowed: Sequence[str], field: str, name: str) -> str:
    if value not in allowed:
        raise invalid(f"{field} '{value}' of served entity '{name}' is not valid: one of {', '.join(allowed)}.")
    return value


def _from_served_model(given: Json) -> Json:
    renamed = {"model_name": "entity_name", "model_version": "entity_version"}
    return {renamed.get(field, field): value for field, value in given.items()}


def _keep_identity(entity: Json, previous: Sequence[Json]) -> None:
    for old in previous:
        if all(old.get(field) == entity.get(field) for field in IDENTITY):
            for field in ("uid", "creator", "creation_timestamp", "state"):
                if field in old:
                    entity[field] = old[field]


def _routes(traffic: Json | None, names: Sequence[str]) -> list[Json]:
    """Percentages by entity, in the order of the request; a single entity gets everything where nothing is said."""
    given = (traffic or {}).get("routes") or []
    if not given:
        if len(names) > 1:
            raise invalid("traffic_config is required for an endpoint with more than one served entity.")
        return [{"name": names[0], "percentage": 100}]
    routes: list[Json] = []
    for route in given:
        name = route.get("served_entity_name") or route.get("served_model_name")
        if name not in names:
            raise invalid(f"Traffic route names '{name}', which is no served entity; those are {list(names)}.")
        if any(other["name"] == name for other in routes):
            raise invalid(f"Traffic routes must be unique; served entity '{name}' has more than one.")
        routes.append({"name": name, "percentage": _percentage(route.get("traffic_percentage"), str(name))})
    total = sum(route["percentage"] for route in routes)
    if total != 100:
        raise invalid(f"Traffic percentages must sum to 100; these sum to {total}.")
    return routes


def _percentage(value: object, name: str) -> int:
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 100:
        raise invalid(f"traffic_percentage {value!r} of '{name}' is not valid: an integer from 0 to 100.")
    return value


def _check_auto_capture(given: Json | None) -> None:
    if given and given.get("enabled", True):
        raise invalid(
            "Legacy inference tables (auto_capture_config) can no longer be enabled. Use AI Gateway-enabled inference "
            "tables (ai_gateway.inference_table_config) instead."
        )
