"""From inputs to a plan, from a plan to a request, from an answer to a state. All values are plain, no wrappers."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from toolchain.provider.codec import UNKNOWN, Unknown
from toolchain.provider.errors import PluginError, RestError
from toolchain.provider.schema import Call, Family, Field, Kind

Properties = dict[str, object]

_ZEROS: Final[Mapping[Kind, object]] = {Kind.TEXT: "", Kind.INTEGER: 0, Kind.NUMBER: 0, Kind.BOOLEAN: False}


def is_zero(value: object) -> bool:
    """Whether Terraform's old SDK could not tell ``value`` from an absent one."""
    return value is None or value is False or value == "" or value == 0 or value == [] or value == {}


def prune(value: object) -> object:
    """``value`` without zero values inside, so that two states compare equal when they mean the same."""
    if isinstance(value, Mapping):
        return {key: kept for key, item in value.items() if not is_zero(kept := prune(item))}
    if isinstance(value, list):
        return [prune(item) for item in value]
    return value


def objects(value: object) -> list[Properties]:
    """``value`` as a list of objects; anything else counts as none."""
    return [dict(item) for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def mapping(value: object) -> Properties:
    """``value`` as an object; anything else counts as an empty one."""
    return dict(value) if isinstance(value, Mapping) else {}


def plan(
    fields: tuple[Field, ...], inputs: Mapping[str, object], prior: Mapping[str, object], family: Family
) -> Properties:
    """What the resource should look like: the inputs, and where they leave something open, the last known values.

    The framework family carries nothing over: there a computed field is unknown as soon as anything changes.
    """
    planned: Properties = {}
    for item in fields:
        value = inputs.get(item.wire)
        before = prior.get(item.wire)
        if value is not None:
            planned[item.wire] = _plan_value(item, value, before, family)
        elif item.twin and before is not None and before == inputs.get(item.twin):
            planned[item.wire] = before
        elif family is Family.SDK and (item.computed or item.output) and before is not None:
            carried = _carry(item, before)
            if carried is not None:
                planned[item.wire] = carried
    return planned


def _plan_value(item: Field, value: object, before: object, family: Family) -> object:
    if item.kind is Kind.BLOCK and isinstance(value, Mapping):
        return plan(item.fields, value, mapping(before), family)
    if item.kind is Kind.BLOCKS and isinstance(value, list):
        olds = [] if item.unordered else objects(before)
        return [
            plan(item.fields, entry, olds[index] if index < len(olds) else {}, family)
            if isinstance(entry, Mapping)
            else entry
            for index, entry in enumerate(value)
        ]
    return value


def _carry(item: Field, value: object) -> object:
    """A last known value as Go would keep it: zero values inside are gone, unless the field is required."""
    if item.kind is Kind.BLOCK:
        known = mapping(value)
        return {
            inner.wire: kept
            for inner in item.fields
            if (kept := _carry(inner, known[inner.wire]) if inner.wire in known else None) is not None
        }
    if item.kind is Kind.BLOCKS:
        block = Field(api=item.api, wire=item.wire, reads=item.reads, kind=Kind.BLOCK, fields=item.fields)
        carried = [_carry(block, entry) for entry in objects(value)]
        return carried or None
    return value if item.required or not is_zero(value) else None


def to_api(fields: tuple[Field, ...], planned: Mapping[str, object], *, top: bool = True) -> Properties:
    """``planned`` in the API's names, at every depth; what only the server sets is not sent back from inside an "
    "object."""
    sent: Properties = {}
    for item in fields:
        value = planned.get(item.wire)
        if item.local or item.formula or value is None or isinstance(value, Unknown) or (item.output and not top):
            continue
        if item.kind is Kind.BLOCK and isinstance(value, Mapping):
            sent[item.api] = to_api(item.fields, value, top=False)
        elif item.kind is Kind.BLOCKS:
            sent[item.api] = [to_api(item.fields, entry, top=False) for entry in objects(value)]
        else:
            sent[item.api] = value
    return sent


def body(
    call: Call, fields: tuple[Field, ...], planned: Mapping[str, object], prior: Mapping[str, object]
) -> Properties | None:
    """The JSON body of ``call``; ``None`` when it has none."""
    if call.sends is None:
        return None
    content: Properties = {}
    for item in fields:
        if item.api in call.omits or (item.output and item.api not in call.carries and item.api not in call.sends):
            continue
        if call.sends != ("*",) and item.api not in call.sends and item.api not in call.carries:
            continue
        source = prior if item.api in call.carries else planned
        content.update(to_api((item,), source))
        if item.api in content:
            continue
        if item.send_default is not None:
            content[item.api] = item.send_default
        elif item.clears and not is_zero(prior.get(item.wire)):
            content[item.api] = _ZEROS.get(item.kind, {})
    renamed = {call.renames.get(name, name): value for name, value in content.items()}
    constants = dict(call.constants)
    if call.wrap:
        return {**constants, call.wrap: renamed}
    return {**constants, **renamed}


def absorb(
    fields: tuple[Field, ...],
    answer: Mapping[str, object],
    planned: Mapping[str, object],
    family: Family,
    *,
    whole: bool = False,
    writing: bool = False,
    nested: bool = False,
) -> Properties:
    """The state after ``answer``.

    Args:
        planned: what was asked for, or on a refresh the state as it was.
        whole: take what the user never set, too (an import, or the inside of a block that is set).
        writing: the answer follows a write.
        nested: these are the fields inside an object; there, what the answer leaves out is gone.
    """
    state: Properties = {}
    for item in fields:
        raw = answer.get(item.reads)
        known = planned.get(item.wire)
        value = _absorb_field(item, raw, known, family, whole=whole, writing=writing, nested=nested)
        if value is not None:
            state[item.wire] = value
    return state


def _absorb_field(
    item: Field, raw: object, known: object, family: Family, *, whole: bool, writing: bool, nested: bool
) -> object:
    if item.local or item.formula or (item.written and writing):
        return None if item.formula else known
    if family is Family.FRAMEWORK:
        return known if item.keep and raw is None else _convert(item, raw, known, family, writing=writing)
    if is_zero(raw) and not (item.kind is Kind.BLOCK and item.computed and raw is not None):
        gone = item.output or (nested and not item.keep)
        return _convert(item, raw, known, family, writing=writing) if gone and (nested or raw is not None) else known
    ours = item.computed or item.output or item.kind is Kind.BOOLEAN or whole or not is_zero(known)
    return _convert(item, raw, known, family, writing=writing) if ours else known


def _convert(item: Field, raw: object, known: object, family: Family, *, writing: bool) -> object:
    if raw is None:
        return None
    if item.kind is Kind.BLOCK:
        return absorb(item.fields, mapping(raw), mapping(known), family, whole=True, writing=writing, nested=True)
    if item.kind is Kind.BLOCKS:
        olds = objects(known)
        return [
            absorb(
                item.fields, entry, _partner(item, entry, index, olds), family, whole=True, writing=writing, nested=True
            )
            for index, entry in enumerate(objects(raw))
        ]
    if item.kind is Kind.TEXT and not isinstance(raw, str):
        return str(raw)
    if item.kind is Kind.INTEGER and isinstance(raw, str) and re.fullmatch(r"-?\d+", raw):
        return int(raw)
    if item.kind is Kind.TEXT and item.any_case and isinstance(known, str) and known.casefold() == str(raw).casefold():
        return known
    return raw


def _partner(item: Field, entry: Mapping[str, object], index: int, olds: list[Properties]) -> Properties:
    if item.match:
        name = next(inner.reads for inner in item.fields if inner.wire == item.match)
        return next((old for old in olds if old.get(item.match) == entry.get(name)), {})
    return olds[index] if index < len(olds) and not item.unordered else {}


def with_zeros(fields: tuple[Field, ...], state: Mapping[str, object], *, top: bool = True) -> Properties:
    """``state`` with the zero values that Terraform's old SDK shows for unset fields, so that outputs have its "
    "shape."""
    shown: Properties = {}
    for item in fields:
        value = state.get(item.wire)
        if isinstance(value, Unknown):
            shown[item.wire] = UNKNOWN
        elif item.kind is Kind.BLOCK:
            if isinstance(value, Mapping):
                shown[item.wire] = with_zeros(item.fields, value, top=False)
        elif item.kind is Kind.BLOCKS:
            shown[item.wire] = [with_zeros(item.fields, entry, top=False) for entry in objects(value)]
        elif value is not None:
            shown[item.wire] = value
        elif item.kind is Kind.BOOLEAN or not top:
            zero = _ZEROS.get(item.kind, [] if item.kind is Kind.LIST else None)
            if zero is not None:
                shown[item.wire] = zero
    return shown


def template(text: str, values: Mapping[str, object], *, where: str) -> str:
    """``text`` with ``{name}`` (quoted for a URL in paths) and ``{+name}`` (as it is) filled in.

    Raises:
        PluginError: a name is absent from ``values``.
    """

    def fill(found: re.Match[str]) -> str:
        plain, name = found.group(1), found.group(2)
        value = values.get(name)
        if value is None or isinstance(value, Unknown):
            raise PluginError(
                f"{where}: `{name}` is not known, so `{text}` cannot be filled in; refresh the stack or set it"
            )
        written = str(value).lower() if isinstance(value, bool) else str(value)
        return written if plain else quote(written, safe="")

    return re.sub(r"\{(\+?)(\w+)\}", fill, text)


def query(call: Call, values: Mapping[str, object], *, where: str) -> dict[str, str]:
    """The query parameters of ``call``; one whose fields are absent or false is left out."""
    names = re.compile(r"\{\+?(\w+)\}")
    return {
        key: template(text, values, where=where)
        for key, text in call.query.items()
        if not any(is_zero(values.get(name)) for name in names.findall(text))
    }


def dig(answer: Mapping[str, object], path: tuple[str, ...]) -> str:
    """The text at ``path`` inside ``answer``, or an empty one."""
    value: object = answer
    for key in path:
        value = mapping(value).get(key)
    return value if isinstance(value, str) else ""


def choose(call: Call, answer: Properties, values: Mapping[str, object]) -> Properties:
    """The object that ``call`` is about, out of its ``answer``.

    Raises:
        RestError: none of the listed items is the one sought.
    """
    if call.pick is not None:
        names, key, ours = call.pick
        for entry in objects(answer.get(names)):
            if entry.get(key) == values.get(ours):
                return entry
        raise RestError(
            f"{call.method} {call.path}", "RESOURCE_DOES_NOT_EXIST", f"no {key} {values.get(ours)!r}", not_found=True
        )
    return mapping(answer.get(call.answer)) if call.answer else answer


def fill_formulas(fields: tuple[Field, ...], state: Properties, names: Mapping[str, object]) -> None:
    """Sets the fields that are made from others."""
    for item in fields:
        if item.formula:
            state[item.wire] = template(item.formula, names, where=item.wire)
