"""Rules between the fields of a section: all of them are run, also where some fields are wrong themselves.

pydantic runs a model's own validator when every field below it is valid, and stops at the first that raises. A person
who mends a stack file wants to see all that is wrong with it, so that rules are run one by one here, and those of
a section with wrong fields on what is right in it (`partly_read`); a rule that needs a wrong field says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Final, TypeVar, cast, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

Location = tuple[int | str, ...]
Rule = TypeVar("Rule", bound=Callable[[Any], Any])
_UNREAD: Final = object()


class BrokenRulesError(ValueError):
    """Rules of one section that do not hold.

    Attributes:
        problems: the key of the section that each is about (empty for the section as a whole), and what is wrong.
    """

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("\n".join(f"{at}: {text}" if at else text for at, text in problems))
        self.problems = problems


def rule(at: str = "") -> Callable[[Rule], Rule]:
    """Marks a method of a section as a rule: it yields what is wrong, or raises ValueError with it.

    Args:
        at: key that the rule is about, for the message; the section as a whole when empty.
    """

    def mark(method: Rule) -> Rule:
        cast("Any", method).rule_at = at
        return method

    return mark


def broken_rules(section: BaseModel) -> list[tuple[str, str]]:
    """The rules of a section that do not hold, in the order in which they are written: key, and what is wrong."""
    found: dict[str, str] = {}
    for cls in reversed(type(section).__mro__):
        for name, value in vars(cls).items():
            if (at := getattr(value, "rule_at", None)) is not None:
                found[name] = at
    return [(at, text) for name, at in found.items() for text in _told(getattr(section, name))]


def partly_read(
    schema: type[BaseModel], values: Mapping[str, Any], wrong: Iterable[Location]
) -> list[tuple[Location, BaseModel]]:
    """Every section with wrong fields in it, holding the right ones only: where it stands, and the section.

    Args:
        values: what was to be read.
        wrong: where the errors are that pydantic found.
    """
    reader = _Reader(wrong)
    reader.section(schema, values, ())
    return sorted(reader.incomplete, key=lambda found: [str(part) for part in found[0]])


def first_section(annotation: Any) -> type[BaseModel] | None:
    """The section in an annotation such as `list[Section] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := first_section(inner))), None)


def _told(method: Callable[[], Any]) -> list[str]:
    texts: list[str] = []
    try:
        found = method()
        # One by one: what was yielded before a wrong field is needed counts.
        for text in found or ():
            texts.extend(str(text).splitlines())
    except ValueError as error:
        texts.extend(str(error).splitlines())
    except AttributeError as error:
        if not _is_unread(error):
            raise
    return texts


def _is_unread(error: AttributeError) -> bool:
    return isinstance(error.obj, BaseModel) and error.name in type(error.obj).model_fields


class _Reader:
    """Builds sections out of what is right, without their rules."""

    def __init__(self, wrong: Iterable[Location]) -> None:
        self._wrong = {tuple(location) for location in wrong}
        self._above = {location[:length] for location in self._wrong for length in range(len(location))}
        self.incomplete: list[tuple[Location, BaseModel]] = []

    def section(self, cls: type[BaseModel], values: Mapping[str, Any], path: Location) -> BaseModel:
        read = {}
        for name, field in cls.model_fields.items():
            key = field.alias or name
            if key in values:
                value = self._value(_annotation(field), values[key], (*path, key))
            else:
                value = _UNREAD if field.is_required() else field.get_default(call_default_factory=True)
            if value is not _UNREAD:
                read[name] = value
        partial = cls.model_construct()
        # Defaults of fields that are wrong are no values.
        partial.__dict__.clear()
        partial.__dict__.update(read)
        if path in self._above:
            self.incomplete.append((path, partial))
        return partial

    def _value(self, annotation: Any, value: Any, path: Location) -> Any:
        if path not in self._wrong and path not in self._above:
            try:
                return TypeAdapter(annotation).validate_python(value)
            except ValidationError:
                return _UNREAD
        section = first_section(annotation)
        if section is None:
            return _UNREAD
        if isinstance(value, dict) and _holds(annotation, dict):
            return self._parts(section, value.items(), path, dict)
        if isinstance(value, list) and _holds(annotation, list) and path not in self._wrong:
            return self._parts(section, enumerate(value), path, lambda parts: [part for _, part in parts])
        return self.section(section, value, path) if isinstance(value, dict) else _UNREAD

    def _parts(
        self,
        section: type[BaseModel],
        parts: Iterable[tuple[int | str, Any]],
        path: Location,
        together: Callable[[list[tuple[Any, Any]]], Any],
    ) -> Any:
        read = [(key, self._value(section, part, (*path, key))) for key, part in parts]
        return _UNREAD if any(part is _UNREAD for _, part in read) else together(read)


def _annotation(field: FieldInfo) -> Any:
    # Without its validators a number that stands for a version would be none.
    return Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


def _holds(annotation: Any, container: type) -> bool:
    return get_origin(annotation) is container or any(_holds(inner, container) for inner in get_args(annotation))
