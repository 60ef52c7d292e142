"""Between protobuf structs, as the engine sends them, and plain Python values.

The signature constants are Pulumi's (``sdk/go/common/resource`` and ``sdk/python/lib/pulumi/runtime/rpc.py``).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from google.protobuf import struct_pb2

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
CONCEALED: Final = "1b47061264138c4ac30d75fd1eb44270"
OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
RESOURCE: Final = "5cf8f73096256a8f31e491e813e4eb8e"
UNKNOWN_TEXT: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_UNKNOWNS: Final = frozenset(
    {
        UNKNOWN_TEXT,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)
REDACTED: Final = "[secret]"


class Unknown:
    """A value that is not known before the update ran."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


class Secret:
    """A value the engine must encrypt in state and hide in its display."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "Secret([secret])"


def decode(struct: struct_pb2.Struct) -> dict[str, object]:
    """The properties in ``struct``; secrets become `Secret`, unknown values `UNKNOWN`, whole numbers ``int``."""
    return {key: _decode(value) for key, value in struct.fields.items()}


def _decode(value: struct_pb2.Value) -> object:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return UNKNOWN if value.string_value in _UNKNOWNS else value.string_value
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "bool_value":
        return value.bool_value
    if kind == "list_value":
        return [_decode(item) for item in value.list_value.values]
    if kind == "struct_value":
        fields = decode(value.struct_value)
        signature = fields.get(SIGNATURE)
        if signature == CONCEALED:
            return Secret(fields.get("value"))
        if signature == OUTPUT:
            known = fields.get("value", UNKNOWN)
            return Secret(known) if fields.get("secret") else known
        if signature == RESOURCE:
            return fields.get("id", fields.get("urn"))
        return fields
    return None


def encode(values: Mapping[str, object]) -> struct_pb2.Struct:
    """The opposite of `decode`; absent values (``None``) are left out."""
    struct = struct_pb2.Struct()
    for key, value in values.items():
        if value is not None:
            struct.fields[key].CopyFrom(_encode(value))
    return struct


def _encode(value: object) -> struct_pb2.Value:
    if isinstance(value, Secret):
        inner = struct_pb2.Struct()
        inner.fields[SIGNATURE].string_value = CONCEALED
        inner.fields["value"].CopyFrom(_encode(value.value))
        return struct_pb2.Value(struct_value=inner)
    if isinstance(value, Unknown):
        return struct_pb2.Value(string_value=UNKNOWN_TEXT)
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    if isinstance(value, int | float):
        return struct_pb2.Value(number_value=value)
    if isinstance(value, str):
        return struct_pb2.Value(string_value=value)
    if isinstance(value, Mapping):
        return struct_pb2.Value(struct_value=encode({str(key): item for key, item in value.items()}))
    if isinstance(value, Sequence):
        return struct_pb2.Value(list_value=struct_pb2.ListValue(values=[_encode(item) for item in value]))
    raise TypeError(f"a property cannot hold a {type(value).__name__}")


def reveal(value: object) -> object:
    """``value`` with the `Secret` wrappers taken off, at any depth."""
    if isinstance(value, Secret):
        return reveal(value.value)
    if isinstance(value, Mapping):
        return {key: reveal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [reveal(item) for item in value]
    return value


def reveal_all(values: Mapping[str, object]) -> dict[str, object]:
    """`reveal` for a resource's properties."""
    return {key: reveal(item) for key, item in values.items()}


def has_unknown(value: object) -> bool:
    """Whether anything inside ``value`` is not known yet."""
    if isinstance(value, Unknown):
        return True
    if isinstance(value, Secret):
        return has_unknown(value.value)
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    return isinstance(value, list) and any(has_unknown(item) for item in value)


def secret_texts(value: object, inside: bool = False) -> Iterator[str]:
    """Every non-empty text that is inside a `Secret`."""
    if isinstance(value, Secret):
        yield from secret_texts(value.value, True)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from secret_texts(item, inside)
    elif isinstance(value, list):
        for item in value:
            yield from secret_texts(item, inside)
    elif inside and isinstance(value, str) and value:
        yield value


def conceal(values: Mapping[str, object], texts: frozenset[str], keys: frozenset[str]) -> dict[str, object]:
    """``values`` with every text of ``texts``, and the whole of every property named in ``keys``, marked secret.

    By value and not by path: a workspace may hand lists back in another order.
    """
    return {
        key: Secret(item)
        if key in keys and item is not None and not isinstance(item, Unknown)
        else _conceal(item, texts)
        for key, item in values.items()
    }


def _conceal(value: object, texts: frozenset[str]) -> object:
    if isinstance(value, str):
        return Secret(value) if value in texts else value
    if isinstance(value, Mapping):
        return {key: _conceal(item, texts) for key, item in value.items()}
    if isinstance(value, list):
        return [_conceal(item, texts) for item in value]
    return value


def opaque_secret_keys(values: Mapping[str, object]) -> frozenset[str]:
    """Top-level properties that hold a secret which is not a text, and so cannot be found again by its value."""
    return frozenset(key for key, value in values.items() if _holds_opaque_secret(value))


def _holds_opaque_secret(value: object) -> bool:
    if isinstance(value, Secret):
        return not isinstance(value.value, str | Unknown)
    if isinstance(value, Mapping):
        return any(_holds_opaque_secret(item) for item in value.values())
    return isinstance(value, list) and any(_holds_opaque_secret(item) for item in value)
