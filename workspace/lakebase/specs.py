"""What the specs of projects, branches and endpoints may say, and the status that follows from them.

Fields and limits: docstrings of databricks-sdk 0.156 `postgres.ProjectSpec`, `BranchSpec`, `EndpointSpec`. Answers show
the `status`, never the `spec` that was sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from workspace.errors import ApiError, invalid
from workspace.http import Json

PG_VERSIONS = (16, 17)
MAX_CU = 64
MAX_CU_SPREAD = 16
MAX_SECONDS = 100 * 365 * 86_400
SUSPEND_SECONDS = (60, 604_800)
READ_WRITE, READ_ONLY = "ENDPOINT_TYPE_READ_WRITE", "ENDPOINT_TYPE_READ_ONLY"

_LIMITS = ("autoscaling_limit_min_cu", "autoscaling_limit_max_cu", "suspend_timeout_duration", "no_suspension")
_PROJECT = (
    "budget_policy_id",
    "custom_tags",
    "default_branch",
    "default_endpoint_settings",
    "display_name",
    "enable_pg_native_login",
    "history_retention_duration",
    "pg_version",
)
_BRANCH = (
    "expire_time",
    "is_protected",
    "no_expiry",
    "ttl",
    "source_branch",
    "source_branch_lsn",
    "source_branch_time",
    "source_snapshot",
)
_ENDPOINT = (*_LIMITS, "disabled", "endpoint_type", "group", "settings")
# Defaults that the databricks CLI's test server shows.
DEFAULT_LIMITS = {
    "autoscaling_limit_min_cu": 1.0,
    "autoscaling_limit_max_cu": 1.0,
    "suspend_timeout_duration": "86400s",
}


def project_status(spec: Json, project_id: str, owner: str, default_branch: str, before: Json | None = None) -> Json:
    """The status of a project with this spec; `before` is its status until now. ApiError 400 for what cannot be."""
    _known("project spec", spec, _PROJECT)
    version = spec.get("pg_version", before["pg_version"] if before else PG_VERSIONS[-1])
    if version not in PG_VERSIONS:
        raise invalid(f"pg_version {version!r} is not valid: one of {', '.join(map(str, PG_VERSIONS))}")
    if before and version != before["pg_version"]:
        raise invalid(f"pg_version of a project cannot be changed from {before['pg_version']} to {version}")
    defaults = {
        "display_name": project_id,
        "enable_pg_native_login": False,
        "history_retention_duration": "604800s",
        "default_endpoint_settings": DEFAULT_LIMITS,
    }
    settings = spec.get("default_endpoint_settings")
    if spec.get("history_retention_duration") is not None:
        _seconds("history_retention_duration", spec["history_retention_duration"])
    if settings is not None:
        settings = an_object("default_endpoint_settings", settings)
        _known("default_endpoint_settings", settings, (*_LIMITS, "pg_settings"))
        settings = _limits(settings)
    said = {name: value for name, value in spec.items() if name != "default_branch"}
    return {
        **defaults,
        **(before or {}),
        **said,
        **({"default_endpoint_settings": settings} if settings is not None else {}),
        "project_id": project_id,
        "owner": owner,
        "default_branch": spec.get("default_branch") or default_branch,
        "pg_version": version,
    }


def branch_status(spec: Json, branch_id: str, source: str | None, now: float, before: Json | None = None) -> Json:
    """The status of a branch with this spec, made of branch `source`. ApiError 400 for what cannot be."""
    _known("branch spec", spec, _BRANCH)
    _refuse_restores(spec)
    endings = [name for name in ("ttl", "expire_time", "no_expiry") if spec.get(name) is not None]
    if len(endings) > 1:
        raise invalid(f"{' and '.join(endings)} exclude each other; give one of ttl, expire_time and no_expiry")
    if spec.get("no_expiry") is False:
        raise invalid("no_expiry can only be true; give ttl or expire_time for a branch that expires")
    status: Json = {"branch_id": branch_id, "is_protected": False, **(before or {})}
    if spec.get("is_protected") is not None:
        status["is_protected"] = bool(spec["is_protected"])
    if source:
        status["source_branch"] = source
    if endings:
        status.pop("expire_time", None)
    if spec.get("expire_time") is not None:
        status["expire_time"] = spec["expire_time"]
    if spec.get("ttl") is not None:
        status["expire_time"] = timestamp(now + _seconds("ttl", spec["ttl"]))
    return status


def endpoint_status(spec: Json, endpoint_id: str, uid: str, before: Json | None = None) -> Json:
    """The status of an endpoint with this spec. ApiError 400 for what cannot be."""
    _known("endpoint spec", spec, _ENDPOINT)
    if spec.get("group") is not None:
        raise ApiError(501, "NOT_IMPLEMENTED", "the embedded workspace does not implement endpoint spec.group")
    kind = spec.get("endpoint_type", before["endpoint_type"] if before else None)
    if kind not in (READ_WRITE, READ_ONLY):
        raise invalid(f"endpoint_type {kind!r} is not valid: {READ_WRITE} or {READ_ONLY}")
    if before and kind != before["endpoint_type"]:
        raise invalid(f"endpoint_type of an endpoint cannot be changed from {before['endpoint_type']} to {kind}")
    # A name that can never resolve (RFC 6761): nothing listens there.
    host = f"ep-{uid[:8]}.postgres.invalid"
    pooled = f"ep-{uid[:8]}-pooler.postgres.invalid"
    hosts = {"host": host, "read_write_pooled_host": pooled}
    if kind == READ_ONLY:
        hosts = {"host": host, "read_only_host": host, "read_only_pooled_host": pooled}
    limits = {name: value for name, value in (before or DEFAULT_LIMITS).items() if name in _LIMITS}
    changed = _limits({**limits, **{name: spec[name] for name in _LIMITS if spec.get(name) is not None}})
    status: Json = {
        "endpoint_id": endpoint_id,
        **changed,
        "endpoint_type": kind,
        "disabled": bool(spec.get("disabled", (before or {}).get("disabled", False))),
        "hosts": hosts,
    }
    settings = spec.get("settings", (before or {}).get("settings"))
    return {**status, "settings": settings} if settings is not None else status


def an_object(field: str, value: object) -> Json:
    """The value of a field that holds an object, empty where there is none; ApiError 400 for anything else."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid(f"{field} must be an object, received {value!r}")
    return value


def timestamp(seconds: float) -> str:
    """A time in seconds since the epoch, as the Postgres API writes times."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _limits(limits: Json) -> Json:
    """Compute limits, checked; a duration is shown where there is one, no_suspension where there is none."""
    low = _cu("autoscaling_limit_min_cu", limits.get("autoscaling_limit_min_cu", 1.0))
    high = _cu("autoscaling_limit_max_cu", limits.get("autoscaling_limit_max_cu", max(low, 1.0)))
    if high < low or high - low > MAX_CU_SPREAD:
        raise invalid(
            f"autoscaling_limit_min_cu {low:g} and autoscaling_limit_max_cu {high:g} are not valid: the maximum is not "
            f"below the minimum, nor more than {MAX_CU_SPREAD} above it"
        )
    shown: Json = {**limits, "autoscaling_limit_min_cu": low, "autoscaling_limit_max_cu": high}
    if shown.get("no_suspension"):
        shown.pop("suspend_timeout_duration", None)
    elif shown.get("suspend_timeout_duration") is not None:
        seconds = _seconds("suspend_timeout_duration", shown["suspend_timeout_duration"])
        if not SUSPEND_SECONDS[0] <= seconds <= SUSPEND_SECONDS[1]:
            raise invalid(
                f"suspend_timeout_duration '{shown['suspend_timeout_duration']}' is not valid: "
                f"{SUSPEND_SECONDS[0]}s to {SUSPEND_SECONDS[1]}s"
            )
    return shown


def _cu(field: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MAX_CU:
        raise invalid(f"{field} {value!r} is not valid: a number of compute units, more than 0, at most {MAX_CU}")
    return float(value)


def _seconds(field: str, value: object) -> float:
    if not isinstance(value, str) or not re.fullmatch(r"\d+(\.\d+)?s", value) or float(value[:-1]) > MAX_SECONDS:
        raise invalid(f"{field} {value!r} is not valid: a duration in seconds, such as '3600s', at most {MAX_SECONDS}s")
    return float(value[:-1])


def _refuse_restores(spec: Json) -> None:
    for field in ("source_branch_lsn", "source_branch_time", "source_snapshot"):
        if spec.get(field) is not None:
            raise ApiError(501, "NOT_IMPLEMENTED", f"the embedded workspace does not implement branch spec.{field}")


def _known(what: str, values: Mapping[str, object], names: Iterable[str]) -> None:
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise invalid(f"unknown field '{unknown[0]}' of {what}; the fields are {', '.join(names)}")
