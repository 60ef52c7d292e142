"""The job's parameters, which are texts, as what detection and response take."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from pipelines.churn.drift_detection import Policy, as_utc
from pipelines.churn.drift_response import Guard
from pipelines.errors import PipelineError

_NUMBERS: Final = ("performance_threshold", "expected_loss_threshold", "drift_threshold")
_COUNTS: Final = ("last_windows", "needed_windows", "minimum_rows")
_GUARD_NUMBERS: Final = ("cooldown_days", "performance_rearm", "expected_loss_rearm", "drift_rearm")


def policy_of(parameters: Mapping[str, str], since: datetime) -> Policy:
    """The policy that job parameters describe; what they leave out is as `Policy` says. Raises PipelineError."""
    read: dict[str, Any] = {**_read(parameters, _NUMBERS, float), **_read(parameters, _COUNTS, int)}
    for name in ("performance_needs", "drift_needs"):
        if name in parameters:
            if parameters[name] not in ("all", "any"):
                raise PipelineError(f"Job parameter {name} is {parameters[name]!r}; use all or any.")
            read[name] = parameters[name]
    return Policy(**read, strict=flag(parameters, "strict", default=False), since=since)


def guard_of(parameters: Mapping[str, str]) -> Guard:
    """What holds retrainings back; what is left out is as `Guard` says. Raises PipelineError."""
    read: dict[str, Any] = {**_read(parameters, _GUARD_NUMBERS, float), **_read(parameters, ("weekly_cap",), int)}
    return Guard(**read)


def start_of(parameters: Mapping[str, str]) -> datetime:
    """The parameter `start_date` as a moment; a date begins at midnight in UTC. Raises PipelineError."""
    try:
        return as_utc(datetime.fromisoformat(parameters["start_date"]))
    except ValueError as error:
        raise PipelineError(
            f"Job parameter start_date is {parameters['start_date']!r}, not a date; write it as 2024-06-01."
        ) from error


def flag(parameters: Mapping[str, str], name: str, *, default: bool) -> bool:
    """A parameter that is `true` or `false`. Raises PipelineError."""
    text = parameters.get(name, str(default)).lower()
    if text not in ("true", "false"):
        raise PipelineError(f"Job parameter {name} is {parameters[name]!r}; use true or false.")
    return text == "true"


def _read(parameters: Mapping[str, str], names: tuple[str, ...], kind: Callable[[str], float]) -> dict[str, float]:
    read: dict[str, float] = {}
    for name in names:
        if name in parameters:
            try:
                read[name] = kind(parameters[name])
            except ValueError as error:
                raise PipelineError(f"Job parameter {name} is {parameters[name]!r}, not a number.") from error
    return read
