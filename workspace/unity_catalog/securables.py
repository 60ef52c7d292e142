"""What can be granted on: the kinds of securable objects, which of them exist, and who is above whom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workspace.errors import ApiError, invalid
from workspace.identity.caller import OWNER
from workspace.unity_catalog import names

METASTORE, CATALOG, SCHEMA, TABLE, VOLUME, FUNCTION = "metastore", "catalog", "schema", "table", "volume", "function"

_Of = Callable[[str], str]

_IN_SCHEMA = frozenset({"ALL_PRIVILEGES", "MANAGE", "APPLY_TAG", "BROWSE"})
_TABLE = _IN_SCHEMA | {"SELECT", "MODIFY", "REFRESH"}
_FUNCTION = _IN_SCHEMA | {"EXECUTE", "CREATE_MODEL_VERSION"}
_VOLUME = _IN_SCHEMA | {"READ_VOLUME", "WRITE_VOLUME"}
_SCHEMA = (
    _TABLE
    | _FUNCTION
    | {"USE_SCHEMA", "CREATE_TABLE", "CREATE_FUNCTION", "CREATE_MODEL", "CREATE_VOLUME", "CREATE_MATERIALIZED_VIEW"}
    | _VOLUME
    | {"EXTERNAL_USE_SCHEMA"}
)
# https://docs.databricks.com/data-governance/unity-catalog/manage-privileges/privileges.html: a container takes the
# privileges of what is in it, for all of it.
PRIVILEGES: dict[str, frozenset[str]] = {
    METASTORE: frozenset({"CREATE_CATALOG", "CREATE_CONNECTION", "CREATE_EXTERNAL_LOCATION", "MANAGE_ALLOWLIST"}),
    CATALOG: frozenset(_SCHEMA | {"USE_CATALOG", "CREATE_SCHEMA"}),
    SCHEMA: frozenset(_SCHEMA),
    TABLE: frozenset(_TABLE),
    VOLUME: frozenset(_VOLUME),
    FUNCTION: frozenset(_FUNCTION),
}
# What ALL_PRIVILEGES does not say (same page): these are granted by name.
NOT_IN_ALL = frozenset({"ALL_PRIVILEGES", "MANAGE", "EXTERNAL_USE_SCHEMA"})


@dataclass(frozen=True)
class Contents:
    """One kind of object that lives in schemas: tables; models, which Unity Catalog counts among the functions."""

    securable: str
    """`table`, `volume` or `function`."""
    names: Callable[[str], list[str]]
    """Full names of the objects in the schema of this full name."""
    identity: Callable[[str], str]
    """What tells the object of this full name from one made anew under its name; raises ApiError 404."""
    drop: Callable[[str], object]
    """Delete the object of this full name."""
    owner: Callable[[str], str]
    """The name of its owner: user, service principal or group; raises ApiError 404."""


@dataclass(frozen=True)
class Securable:
    """An object that exists."""

    kind: str
    full_name: str
    identity: str

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.full_name}"


class Securables:
    """Finds securable objects; each kind says itself what exists."""

    def __init__(self, metastore_id: str) -> None:
        self._metastore_id = metastore_id
        self._identities: dict[str, list[_Of]] = {METASTORE: [self._metastore]}
        self._owners: dict[str, list[_Of]] = {METASTORE: [lambda _: OWNER.user_name]}

    def add(self, kind: str, identity: _Of, owner: _Of) -> None:
        """One more home of a kind: functions are kept by SQL, and models, which are functions too, by MLflow."""
        self._identities.setdefault(kind, []).append(identity)
        self._owners.setdefault(kind, []).append(owner)

    def owner(self, securable: Securable) -> str:
        """Raises ApiError 404 where it is gone meanwhile."""
        return _first(self._owners[securable.kind], securable.full_name)

    @property
    def metastore(self) -> Securable:
        return Securable(METASTORE, self._metastore_id, self._metastore_id)

    def find(self, kind: str, full_name: str) -> Securable:
        """Raises ApiError 404 where it is not there, 400 for a kind that the workspace does not have."""
        kind = kind.lower()
        if kind == "model":
            raise invalid("SecurableType 'MODEL' is not valid here: registered models are securables of type FUNCTION")
        if kind not in self._identities:
            known = ", ".join(sorted(self._identities))
            raise invalid(f"the embedded workspace has no securables of type '{kind}'; it has {known}")
        key = full_name.lower()
        return Securable(kind, key, _first(self._identities[kind], key))

    def above(self, securable: Securable) -> list[Securable]:
        """The containers of a securable, the nearest first."""
        parts = securable.full_name.split(".") if securable.kind != METASTORE else []
        schema = [self.find(SCHEMA, ".".join(parts[:2]))] if len(parts) == 3 else []
        catalog = [self.find(CATALOG, parts[0])] if len(parts) >= 2 else []
        return [*schema, *catalog]

    def _metastore(self, name: str) -> str:
        if name != self._metastore_id:
            raise names.missing(METASTORE, name)
        return self._metastore_id


def _first(homes: Sequence[_Of], full_name: str) -> str:
    """The answer of the home that knows the object; ApiError 404 of the last where none does."""
    for home in homes[:-1]:
        try:
            return home(full_name)
        except ApiError as error:
            if error.status != 404:
                raise
    return homes[-1](full_name)
