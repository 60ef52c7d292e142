"""Check: are these inputs what the resource type takes? Defaults and automatic names are filled in here."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from toolchain.provider.codec import Secret, Unknown
from toolchain.provider.schema import Field, Kind, Resource
from toolchain.provider.text import listed

DEFAULTS = "__defaults"
"""Key under which the inputs name the properties that the plugin filled in, as the official plugin's do."""


@dataclass(slots=True)
class Checked:
    """The inputs to go on with, and what is wrong with them: (property path, reason)."""

    inputs: dict[str, object]
    failures: list[tuple[str, str]] = field(default_factory=list)


def check(
    resource: Resource, news: Mapping[str, object], olds: Mapping[str, object], *, name: str, seed: bytes = b""
) -> Checked:
    """Inputs of ``resource`` with defaults, converted types and, where none is given, a name.

    Args:
        name: the resource's logical name, or the name the engine proposes.
        seed: makes the random part of an automatic name repeatable.
    """
    checked = Checked({})
    checked.inputs = _block(resource.fields, news, "", checked.failures, resource.type_name)
    _auto_name(resource, checked.inputs, olds, name, seed)
    for item in resource.fields:
        if item.required and checked.inputs.get(item.wire) is None:
            checked.failures.append((item.wire, f"{resource.type_name} needs `{item.wire}` ({item.kind.value})"))
    checked.failures.extend(resource.strategy.check(resource, checked.inputs))
    return checked


def _auto_name(
    resource: Resource, inputs: dict[str, object], olds: Mapping[str, object], name: str, seed: bytes
) -> None:
    naming = resource.by_wire.get("name")
    if naming is None or naming.kind is not Kind.TEXT or naming.output or inputs.get("name") is not None:
        return
    before = olds.get("name")
    digits = seed.hex()[:7] if len(seed) >= 4 else secrets.token_hex(4)[:7]
    inputs["name"] = before if isinstance(before, str) else f"{name}-{digits}"[:255]
    inputs[DEFAULTS] = ["name"]


def _block(
    fields: tuple[Field, ...], values: Mapping[str, object], path: str, failures: list[tuple[str, str]], owner: str
) -> dict[str, object]:
    settable = {item.wire: item for item in fields if not item.output}
    for key in values:
        if key not in settable and not key.startswith("__"):
            where = f"{path}{key}"
            failures.append((where, f"{owner} has no property `{where}` that can be set; it has {listed(settable)}"))
    inputs: dict[str, object] = {}
    for wire, item in settable.items():
        value = values.get(wire)
        if value is None:
            value = item.default
        if value is None:
            if item.required and path:
                failures.append((f"{path}{wire}", f"`{path}{wire}` is required ({item.kind.value})"))
            continue
        converted = _value(item, value, f"{path}{wire}", failures, owner)
        inputs[wire] = Secret(converted) if item.secret and not isinstance(converted, Secret) else converted
    return inputs


def _value(item: Field, value: object, path: str, failures: list[tuple[str, str]], owner: str) -> object:
    if isinstance(value, Unknown):
        return value
    if isinstance(value, Secret):
        return Secret(_value(item, value.value, path, failures, owner))
    if item.kind is Kind.BLOCK and isinstance(value, Mapping):
        return _block(item.fields, value, f"{path}.", failures, owner)
    if item.kind is Kind.BLOCKS and isinstance(value, list):
        return [_entry(item, entry, f"{path}[{index}]", failures, owner) for index, entry in enumerate(value)]
    converted = convert(item.kind, value)
    if converted is None:
        failures.append((path, f"`{path}` must be of type {item.kind.value}, got {_shown(value)}"))
        return value
    return converted


def _entry(item: Field, entry: object, path: str, failures: list[tuple[str, str]], owner: str) -> object:
    if isinstance(entry, Unknown):
        return entry
    if isinstance(entry, Secret):
        return Secret(_entry(item, entry.value, path, failures, owner))
    if isinstance(entry, Mapping):
        return _block(item.fields, entry, f"{path}.", failures, owner)
    failures.append((path, f"`{path}` must be an object, got {_shown(entry)}"))
    return entry


def convert(kind: Kind, value: object) -> object:
    """``value`` as ``kind``, or ``None``. Texts that read as numbers or booleans pass, as they do in Terraform."""
    if kind is Kind.MAP:
        return dict(value) if isinstance(value, Mapping) else None
    if kind is Kind.LIST:
        return list(value) if isinstance(value, list) else None
    if isinstance(value, bool):
        return {Kind.BOOLEAN: value, Kind.TEXT: str(value).lower()}.get(kind)
    if isinstance(value, int | float):
        if kind is Kind.TEXT:
            return str(value)
        whole = kind is Kind.NUMBER or (kind is Kind.INTEGER and float(value).is_integer())
        return (int(value) if kind is Kind.INTEGER else value) if whole else None
    if isinstance(value, str):
        return _from_text(kind, value)
    return None


def _from_text(kind: Kind, value: str) -> object:
    if kind is Kind.TEXT:
        return value
    if kind is Kind.BOOLEAN:
        return {"true": True, "false": False}.get(value)
    if kind is Kind.INTEGER and re.fullmatch(r"-?\d+", value):
        return int(value)
    if kind is Kind.NUMBER and re.fullmatch(r"-?\d+(\.\d+)?", value):
        return float(value)
    return None


def _shown(value: object) -> str:
    """The kind of ``value`` only: the value itself may be a secret."""
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}
    return names.get(type(value), f"a {type(value).__name__}")
