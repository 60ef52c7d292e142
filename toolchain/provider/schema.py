"""The words of the table: what a resource type is made of. No behaviour lives here."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toolchain.provider.strategies.plain import Plain


class Kind(Enum):
    """What a field holds."""

    TEXT = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    MAP = "map of strings"
    LIST = "list"
    BLOCK = "object"
    BLOCKS = "list of objects"


class Family(Enum):
    """How the official plugin is built for a type: this decides how it diffs and what it keeps.

    ``SDK``: replaces an explicitly named resource delete-first, reads back after each write, remembers what the server
    left out. ``FRAMEWORK``: never delete-first, takes the state from the answer, and calls every computed field unknown
    when anything changes.
    """

    SDK = "sdk"
    FRAMEWORK = "framework"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One property of a resource.

    ``api`` is its name in requests, ``reads`` in answers (where that differs), ``wire`` in Pulumi.
    """

    api: str
    wire: str
    kind: Kind
    reads: str
    fields: tuple["Field", ...] = ()
    required: bool = False
    computed: bool = False
    """The server may set it when the user did not."""
    output: bool = False
    """Only the server sets it."""
    stable: bool = False
    """Computed, but known to stay as it is during an update."""
    replaces: bool = False
    local: bool = False
    """Never sent and never read: it steers the plugin only."""
    keep: bool = False
    """Not in answers: what was sent stays in state."""
    written: bool = False
    """After a write the state shows what was planned; only a refresh takes the server's value."""
    secret: bool = False
    unordered: bool = False
    any_case: bool = False
    default: object = None
    send_default: object = None
    """Sent when the user says nothing; not shown as an input."""
    clears: bool = False
    """Taking it out sends its zero value, which clears it at the server."""
    twin: str = ""
    """Wire name of a sibling that holds the same value under another name."""
    match: str = ""
    """For lists of objects: wire name of the field by which items of plan and answer belong together."""
    formula: str = ""
    """Made from other fields (and ``{host}``), not read."""
    strategic: bool = False
    """The type's strategy finds its differences (``more_diffs``): values that are not equal may mean the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One REST request; ``{name}`` in path and query stands for the field of that API name (``{+name}``: unquoted)."""

    method: str
    path: str
    sends: tuple[str, ...] | None = None
    """API names of the fields in the body; ``None``: no body; ``("*",)``: all."""
    omits: tuple[str, ...] = ()
    carries: tuple[str, ...] = ()
    """Computed fields whose last known value is sent along; ``id`` stands for the Pulumi id."""
    renames: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, object] = field(default_factory=dict)
    wrap: str = ""
    """Key under which the fields stand in the body."""
    query: Mapping[str, str] = field(default_factory=dict)
    """A parameter whose fields are absent is left out."""
    answer: str = ""
    """Key of the answer that holds the object."""
    pick: tuple[str, str, str] | None = None
    """(list in the answer, key of its items, API name of our field): the object is the one item that matches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Reads until the field at ``path`` of the answer has a final value; any other value means: not yet.

    ``why`` finds the cause of a failure in the answer; an empty text, or None for ``why``, where answers name none.
    """

    path: tuple[str, ...]
    done: frozenset[str]
    failed: frozenset[str]
    seconds: float
    why: Callable[[Mapping[str, object]], str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One row of the table."""

    type: str
    family: Family
    fields: tuple[Field, ...]
    id: str
    """Template of the Pulumi id, made after create."""
    create: Call
    read: Call
    update: Call | None
    delete: Call
    strategy: "Plain"
    wait: Wait | None = None
    id_in_state: bool = True
    workspace_in_state: bool = True
    import_id: tuple[str, str] = ("", "")
    """For `pulumi import`: separator and a space-separated list of the API names that the id is made of."""
    silent: frozenset[str] = frozenset()
    """Wire names which the API cannot change after create: the official plugin says nothing, this one warns."""
    warns: Mapping[str, str] = field(default_factory=dict)
    """Wire name to a warning that is shown when the field is set."""
    deprecated: str = ""

    @property
    def type_name(self) -> str:
        return self.type.rsplit(":", 1)[1]

    @property
    def by_wire(self) -> dict[str, Field]:
        return {item.wire: item for item in self.fields}


def camel(name: str) -> str:
    """``served_entities`` -> ``servedEntities``."""
    return re.sub(r"_([a-z0-9])", lambda found: found.group(1).upper(), name)
