"""Changes that a policy makes by itself, where somebody configured its level as `remediate`.

Properties are changed where they stand, never copied: the engine's library (pulumi-policy 1.21, `secret.py`) keeps a
secret only in the object that it handed over, and writes a copy to the state in plain text. It does not raise on
unknown values here; they are texts that it has reserved. Resource options do not come back from a policy at all
(`RemediateResponse` of the engine's analyzer.proto has properties only), so `delete_before_replace` cannot be set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableSequence, Sequence
from typing import Any

from pulumi_policy.proxy import (
    UNKNOWN_ARRAY_VALUE,
    UNKNOWN_BOOLEAN_VALUE,
    UNKNOWN_NUMBER_VALUE,
    UNKNOWN_OBJECT_VALUE,
    UNKNOWN_STRING_VALUE,
)

from policies.subject import Subject

_UNKNOWN = frozenset(
    {
        UNKNOWN_ARRAY_VALUE,
        UNKNOWN_BOOLEAN_VALUE,
        UNKNOWN_NUMBER_VALUE,
        UNKNOWN_OBJECT_VALUE,
        UNKNOWN_STRING_VALUE,
    }
)


def add_tags_of_a_list(subject: Subject) -> bool:
    """Adds the tags of the option `values` that are missing, as blocks of key and value; True where there were any.

    Tags that are there stay as they are; so does a list of which something is not known yet.
    """
    given = subject.props.get("tags")
    if given is not None and (not isinstance(given, Sequence) or isinstance(given, str)):
        return False
    blocks: list[Any] = [] if given is None else list(given)
    keys = [block.get("key") if isinstance(block, Mapping) else None for block in blocks]
    if any(not isinstance(key, str) or key in _UNKNOWN for key in keys):
        return False
    missing = [{"key": tag, "value": value} for tag, value in _wanted(subject).items() if tag not in keys]
    if missing and given is None:
        _set(subject.props, "tags", missing)
    elif missing:
        _behind(given).extend(missing)
    return bool(missing)


def add_tags_of_a_map(subject: Subject) -> bool:
    """The same where tags are a map."""
    given = subject.props.get("tags")
    if given is not None and not isinstance(given, Mapping):
        return False
    missing = {tag: value for tag, value in _wanted(subject).items() if given is None or tag not in given}
    if given is None and missing:
        _set(subject.props, "tags", missing)
    elif given is not None:
        for tag, value in missing.items():
            _set(given, tag, value)
    return bool(missing)


def say_scale_to_zero(subject: Subject, scales: bool, is_custom: Sequence[int]) -> bool:
    """Sets `scaleToZeroEnabled` of the served entities at these places that leave it out."""
    changed = False
    for number, entity in _entities(subject.props):
        if number in is_custom and entity.get("scaleToZeroEnabled") is None and _is_known(entity.get("entityName")):
            _set(entity, "scaleToZeroEnabled", scales)
            changed = True
    return changed


def _wanted(subject: Subject) -> Mapping[str, str]:
    values, tags = subject.option("values"), subject.option("tags")
    return {tag: values[tag] for tag in tags if tag in values}


def _entities(props: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    config = props.get("config")
    entities = config.get("servedEntities") if isinstance(config, Mapping) else None
    for number, entity in enumerate(entities if isinstance(entities, Sequence) else ()):
        if isinstance(entity, Mapping):
            yield number, entity


def _is_known(value: Any) -> bool:
    return isinstance(value, str) and value not in _UNKNOWN


def _set(props: Any, name: str, value: Any) -> None:
    """A property is set where it stands. The library's proxies are Mappings that take assignments all the same."""
    props[name] = value


def _behind(proxy: Any) -> MutableSequence[Any]:
    """The list behind a proxy, which has no `append`; what the library itself reads when it writes the answer."""
    if isinstance(proxy, MutableSequence):
        return proxy
    target: MutableSequence[Any] = proxy["__target"]
    return target
