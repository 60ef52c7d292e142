"""What fields of a stack file have in common: how values are read, and the rules of a single value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic.alias_generators import to_camel

from ..checks import check_cron
from ..names import check_identifier
from .rules import BrokenRulesError, broken_rules

NEWEST = ""
OBSERVED = "observed"


def _version(value: Any) -> Any:
    """YAML reads `15` as a number; a version is a text of digits, and nothing is lost by taking either."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _filled(value: str) -> str:
    if not value.strip():
        raise ValueError("is empty; write a value, or leave the key out where it has a default")
    return value


def _identifier(what: str) -> Callable[[str], str]:
    return lambda value: check_identifier(what, value)


def _cron(value: str) -> str:
    return check_cron("", value)


# An editor takes what the program takes: 15 and "15".
Version = Annotated[
    str, BeforeValidator(_version), WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 1}]})
]
Filled = Annotated[str, AfterValidator(_filled)]
Catalog = Annotated[str, AfterValidator(_identifier("catalog"))]
Schema = Annotated[str, AfterValidator(_identifier("schema"))]
Cron = Annotated[str, AfterValidator(_cron)]
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$", description="E-mail address.")]
Privileged = Literal["CAN_VIEW", "CAN_QUERY", "CAN_MANAGE"]
PublishMode = Literal["SNAPSHOT", "TRIGGERED", "CONTINUOUS"]


class Section(BaseModel):
    """A part of the stack file: keys in camelCase, no unknown ones, values of exactly the type that is asked for."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="after")
    def _keeps_its_rules(self) -> Self:
        if problems := broken_rules(self):
            raise BrokenRulesError(problems)
        return self
