"""The outputs of a serving stack as an app reads them (docs/schemas/stack-outputs.schema.json).

An app and the stack it reads are released at different times. So a newer document is read with its unknown keys passed
over, an older one with its missing keys empty, and only another major version of the contract is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

CONTRACT_MAJOR = 1


class OutputsError(ValueError):
    """The document is not the outputs of a serving stack, or of a contract that this client cannot read."""


class _Document(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True, populate_by_name=True)


class ServedEntity(_Document):
    """A version behind the endpoint, and its share of the requests in whole percent."""

    name: str
    version: str
    traffic_percentage: int


class ServingOutputs(_Document):
    """What an app may rely on: the endpoint. The rest is there where the stack exports it."""

    contract_version: str
    endpoint_name: str
    endpoint_url: str
    """`<workspace>/serving-endpoints/<name>/invocations`"""
    environment: str = ""
    served_entities: tuple[ServedEntity, ...] = ()
    model_name: str = ""
    resolved_version: str = ""
    """Version with the largest share of the traffic."""
    aliases: Mapping[str, str] = Field(default_factory=dict)
    """Alias to version number."""
    payload_table: str | None = None
    online_table_names: tuple[str, ...] = ()
    monitor_table: str | None = None

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> ServingOutputs:
        """The outputs in `document`, as `pulumi stack output --json` prints them.

        Raises:
            OutputsError: naming each missing or wrong key, or the contract version that cannot be read.
        """
        version = str(document.get("contractVersion", ""))
        major = version.partition(".")[0]
        if not major.isdigit():
            raise OutputsError(
                f"these are not the outputs of a serving stack: contractVersion is {version or 'missing'!r}, and the "
                f"document has {', '.join(sorted(document)) or 'no key'}; has the stack been deployed?"
            )
        if int(major) != CONTRACT_MAJOR:
            raise OutputsError(
                f"the stack's outputs follow contract {version}, this client reads {CONTRACT_MAJOR}.x: "
                + ("update the client" if int(major) > CONTRACT_MAJOR else "update the stack")
            )
        try:
            return cls.model_validate(dict(document))
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, one['loc']))}: {one['msg'].lower()}"
                for one in error.errors(include_url=False, include_input=False)
            )
            raise OutputsError(f"the stack's outputs (contract {version}) cannot be read: {problems}") from None
