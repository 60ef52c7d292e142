"""What a preview shows as outputs, and what a refresh or an import gives as inputs."""

from collections.abc import Mapping

from toolchain.provider.check import DEFAULTS
from toolchain.provider.codec import UNKNOWN
from toolchain.provider.schema import Family, Field, Kind, Resource
from toolchain.provider.state import Properties, is_zero, mapping, objects, plan, prune


def foresee(resource: Resource, inputs: Mapping[str, object], state: Mapping[str, object]) -> Properties:
    """The outputs after an operation that has not run: what is known, and `UNKNOWN` for what the server will decide."""
    planned = plan(resource.fields, inputs, state, resource.family)
    fresh = not state or resource.family is Family.FRAMEWORK
    foreseen = _foresee(resource.fields, planned, state, fresh=fresh)
    for extra in ("id", "providerConfig"):
        if extra in state:
            foreseen[extra] = state[extra]
    return foreseen


def _foresee(
    fields: tuple[Field, ...], planned: Mapping[str, object], state: Mapping[str, object], *, fresh: bool
) -> Properties:
    foreseen: Properties = {}
    for item in fields:
        value, before = planned.get(item.wire), state.get(item.wire)
        if value is None:
            if not (item.output or item.computed):
                continue
            keeps = before is not None and (item.stable or not fresh)
            foreseen[item.wire] = before if keeps else UNKNOWN
        elif item.kind is Kind.BLOCK and isinstance(value, Mapping):
            foreseen[item.wire] = _foresee(item.fields, value, mapping(before), fresh=fresh)
        elif item.kind is Kind.BLOCKS and isinstance(value, list):
            olds = [] if item.unordered else objects(before)
            foreseen[item.wire] = [
                _foresee(item.fields, entry, olds[index] if index < len(olds) else {}, fresh=fresh)
                if isinstance(entry, Mapping)
                else entry
                for index, entry in enumerate(value)
            ]
        else:
            foreseen[item.wire] = value
    return foreseen


def inputs_of(resource: Resource, state: Mapping[str, object]) -> Properties:
    """Inputs that would make the imported ``state``: every settable field that holds something."""
    return _inputs(resource.fields, state)


def _inputs(fields: tuple[Field, ...], state: Mapping[str, object]) -> Properties:
    inputs: Properties = {}
    for item in fields:
        value = state.get(item.wire)
        if item.output or item.formula or is_zero(prune(value)):
            continue
        if item.kind is Kind.BLOCK:
            inputs[item.wire] = _inputs(item.fields, mapping(value))
        elif item.kind is Kind.BLOCKS:
            inputs[item.wire] = [_inputs(item.fields, entry) for entry in objects(value)]
        else:
            inputs[item.wire] = value
    return inputs


def refreshed(resource: Resource, inputs: Mapping[str, object], state: Mapping[str, object]) -> Properties:
    """``inputs`` with the values that the workspace has now, for those properties the user sets."""
    return {
        **{key: value for key, value in inputs.items() if key == DEFAULTS},
        **_refreshed(resource.fields, inputs, state),
    }


def _refreshed(fields: tuple[Field, ...], inputs: Mapping[str, object], state: Mapping[str, object]) -> Properties:
    found: Properties = {}
    for item in fields:
        ours, theirs = inputs.get(item.wire), state.get(item.wire)
        if ours is None:
            continue
        if theirs is None:
            if is_zero(prune(ours)) or item.local:
                found[item.wire] = ours
        elif item.kind is Kind.BLOCK:
            found[item.wire] = _refreshed(item.fields, mapping(ours), mapping(theirs))
        elif item.kind is Kind.BLOCKS:
            found[item.wire] = _refreshed_list(item, objects(ours), objects(theirs))
        else:
            found[item.wire] = theirs
    return found


def _refreshed_list(item: Field, ours: list[Properties], theirs: list[Properties]) -> list[Properties]:
    if len(ours) != len(theirs) or item.unordered:
        return [_inputs(item.fields, entry) for entry in theirs]
    return [_refreshed(item.fields, mine, entry) for mine, entry in zip(ours, theirs, strict=True)]
