"""Diff: what would an update change, and does it need a new object?"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from toolchain.provider.check import DEFAULTS
from toolchain.provider.codec import has_unknown
from toolchain.provider.schema import Family, Field, Kind, Resource
from toolchain.provider.state import is_zero, mapping, objects, prune


class Change(Enum):
    """What happens to one property."""

    ADD = "add"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Entry:
    """One changed property: its path, and whether the change needs a replacement."""

    path: str
    change: Change
    replaces: bool

    @property
    def top(self) -> str:
        return re.split(r"[.\[]", self.path, maxsplit=1)[0]


@dataclass(frozen=True, slots=True)
class Difference:
    """All that differs. ``keys`` also names computed properties that an update will make unknown."""

    entries: tuple[Entry, ...]
    keys: tuple[str, ...]
    delete_first: bool

    @property
    def replace_keys(self) -> tuple[str, ...]:
        return tuple(sorted({entry.top for entry in self.entries if entry.replaces}))


def difference(
    resource: Resource, news: Mapping[str, object], state: Mapping[str, object], ignored: tuple[str, ...] = ()
) -> Difference:
    """What differs between the inputs ``news`` and the last known ``state``, both without secrets' wrappers."""
    found = [*_compare(resource.fields, news, state, resource.family, ""), *resource.strategy.more_diffs(news, state)]
    entries = tuple(entry for entry in found if not any(_covers(path, entry.path) for path in ignored))
    keys = {entry.top for entry in entries}
    if keys and resource.family is Family.FRAMEWORK:
        keys |= {item.wire for item in resource.fields if becomes_unknown(item, news)}
    return Difference(entries, tuple(sorted(keys)), _delete_first(resource, news))


def becomes_unknown(item: Field, inputs: Mapping[str, object]) -> bool:
    """Whether an update in the framework family makes (part of) this field unknown."""
    if item.stable:
        return False
    value = inputs.get(item.wire)
    if value is None:
        return item.output or item.computed
    if item.kind is Kind.BLOCK:
        return any(becomes_unknown(inner, mapping(value)) for inner in item.fields)
    if item.kind is Kind.BLOCKS:
        return any(becomes_unknown(inner, entry) for entry in objects(value) for inner in item.fields)
    return False


def _delete_first(resource: Resource, news: Mapping[str, object]) -> bool:
    """The bridge's rule: an object with a name the user chose cannot stand beside its successor."""
    chosen = "name" in resource.by_wire and not resource.by_wire["name"].output and DEFAULTS not in news
    return resource.family is Family.SDK and chosen


def _covers(ignored: str, path: str) -> bool:
    return path == ignored or path.startswith((f"{ignored}.", f"{ignored}["))


def _compare(
    fields: tuple[Field, ...], news: Mapping[str, object], state: Mapping[str, object], family: Family, path: str
) -> Iterator[Entry]:
    for item in fields:
        if item.output or item.strategic:
            continue
        value, before = news.get(item.wire), state.get(item.wire)
        where = f"{path}{item.wire}"
        if value is None:
            yield from _removed(item, news, before, where)
        else:
            yield from _changed(item, value, before, family, where)


def _removed(item: Field, news: Mapping[str, object], before: object, where: str) -> Iterator[Entry]:
    if (
        item.computed
        or is_zero(before)
        or (item.send_default is not None and prune(before) == prune(item.send_default))
    ):
        return
    if item.twin and before == news.get(item.twin):
        return
    kind = Change.UPDATE if item.kind is Kind.BOOLEAN else Change.DELETE
    yield Entry(where, kind, item.replaces)


def _changed(item: Field, value: object, before: object, family: Family, where: str) -> Iterator[Entry]:
    absent = before is None if family is Family.FRAMEWORK else is_zero(before)
    if has_unknown(value) and item.kind not in (Kind.BLOCK, Kind.BLOCKS, Kind.MAP):
        yield Entry(where, Change.ADD if absent else Change.UPDATE, False)
    elif absent:
        if family is Family.FRAMEWORK or not is_zero(prune(value)):
            change = Change.UPDATE if item.kind is Kind.BOOLEAN and before is not None else Change.ADD
            yield Entry(where, change, item.replaces and not has_unknown(value))
    elif item.kind is Kind.BLOCK and isinstance(value, Mapping):
        yield from _replacing(item, _compare(item.fields, value, mapping(before), family, f"{where}."))
    elif item.kind is Kind.BLOCKS and isinstance(value, list):
        olds = objects(before)
        entries = _unordered(item, value, olds, where) if item.unordered else _ordered(item, value, olds, family, where)
        yield from _replacing(item, entries)
    elif item.kind is Kind.MAP:
        yield from _replacing(item, _maps(mapping(value), mapping(before), where))
    elif not _same(item, value, before):
        yield from _leaf(item, value, before, where)


def _replacing(item: Field, entries: Iterator[Entry]) -> Iterator[Entry]:
    for entry in entries:
        yield Entry(entry.path, entry.change, entry.replaces or item.replaces)


def _leaf(item: Field, value: object, before: object, where: str) -> Iterator[Entry]:
    if item.kind is not Kind.LIST or not isinstance(value, list) or not isinstance(before, list):
        yield Entry(where, Change.UPDATE, item.replaces)
        return
    if item.unordered:
        gone, come = [old for old in before if old not in value], [new for new in value if new not in before]
    else:
        shared = min(len(before), len(value))
        yield from (
            Entry(f"{where}[{index}]", Change.UPDATE, item.replaces)
            for index in range(shared)
            if before[index] != value[index]
        )
        gone, come = before[shared:], value[shared:]
    yield from (Entry(f"{where}[{before.index(old)}]", Change.DELETE, item.replaces) for old in gone)
    yield from (Entry(f"{where}[{value.index(new)}]", Change.ADD, item.replaces) for new in come)


def _same(item: Field, value: object, before: object) -> bool:
    if item.any_case and isinstance(value, str) and isinstance(before, str):
        return value.casefold() == before.casefold()
    if item.kind is Kind.LIST and item.unordered and isinstance(value, list) and isinstance(before, list):
        return sorted(map(str, value)) == sorted(map(str, before))
    return prune(value) == prune(before)


def _ordered(
    item: Field, value: list[object], olds: list[dict[str, object]], family: Family, where: str
) -> Iterator[Entry]:
    for index, entry in enumerate(value):
        if index >= len(olds):
            yield Entry(f"{where}[{index}]", Change.ADD, False)
        elif isinstance(entry, Mapping):
            yield from _compare(item.fields, entry, olds[index], family, f"{where}[{index}].")
        else:
            yield Entry(f"{where}[{index}]", Change.UPDATE, False)
    yield from (Entry(f"{where}[{index}]", Change.DELETE, False) for index in range(len(value), len(olds)))


def _unordered(item: Field, value: list[object], olds: list[dict[str, object]], where: str) -> Iterator[Entry]:
    """A set: items have no identity, so a changed one is an old one gone and a new one come."""
    if has_unknown(value):
        yield Entry(where, Change.UPDATE, False)
        return
    left = [_canonical(item, old) for old in olds]
    for index, entry in enumerate(value):
        wanted = _canonical(item, mapping(entry))
        if wanted in left:
            left.remove(wanted)
        else:
            yield Entry(f"{where}[{index}]", Change.ADD, False)
    yield from (Entry(f"{where}[{olds_index}]", Change.DELETE, False) for olds_index in range(len(left)))


def _canonical(item: Field, entry: Mapping[str, object]) -> object:
    """One item of a set, without zeros, with its own lists in one order and its texts in the case that counts."""
    known = {inner.wire: inner for inner in item.fields}
    canonical: dict[str, object] = {}
    for key, value in mapping(prune(entry)).items():
        inner = known.get(key)
        if isinstance(value, list) and inner is not None and inner.unordered:
            canonical[key] = sorted(map(str, value))
        elif isinstance(value, str) and inner is not None and inner.any_case:
            canonical[key] = value.casefold()
        else:
            canonical[key] = value
    return canonical


def _maps(value: Mapping[str, object], before: Mapping[str, object], where: str) -> Iterator[Entry]:
    for key in sorted({*value, *before}):
        path = f"{where}.{key}" if re.fullmatch(r"\w+", key) else f'{where}["{key}"]'
        if key not in value:
            yield Entry(path, Change.DELETE, False)
        elif key not in before:
            yield Entry(path, Change.ADD, False)
        elif has_unknown(value[key]) or value[key] != before[key]:
            yield Entry(path, Change.UPDATE, False)
