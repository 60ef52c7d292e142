"""One resource as a rule sees it, and all of a stack's: properties that may not be known yet, options, dependencies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pulumi_policy import PolicyResource, PolicyResourceOptions, ResourceValidationArgs, StackValidationArgs

from policies.reading import UNKNOWN, Blocks, Reader

Options = Mapping[str, Mapping[str, Any]]
"""JSON schema of each option, with its default."""


class Subject:
    """A resource. What is read of it and not known yet is told to the engine when the rule is done."""

    def __init__(self, resource: ResourceValidationArgs | PolicyResource, settings: Settings) -> None:
        self.type: str = resource.resource_type
        self.name: str = resource.name
        self.urn: str = resource.urn
        self.props: Mapping[str, Any] = resource.props
        self.options: PolicyResourceOptions = resource.opts
        self.reader = Reader()
        self._settings = settings
        self.depends_on: frozenset[str] = frozenset()
        """URNs of what it depends on; known to rules about a whole stack only."""
        self.sources: Mapping[str, frozenset[str]] = {}
        """URNs of what each property is made of; known to the same."""
        if isinstance(resource, PolicyResource):
            made_of = resource.property_dependencies
            self.depends_on = frozenset(one.urn for one in resource.dependencies)
            self.sources = {name: frozenset(one.urn for one in ones) for name, ones in made_of.items()}

    def get(self, *path: str) -> Any:
        """The value at a path of properties; None where it is absent, UNKNOWN where it is not known yet."""
        value: Any = self.props
        for step in path:
            if not isinstance(value, Mapping):
                return UNKNOWN if value is UNKNOWN else None
            value = self.reader.get(value, step)
        return value

    def text(self, *path: str) -> str | None:
        """A known text that is not empty, else None."""
        value = self.get(*path)
        return value if isinstance(value, str) and value else None

    def blocks(self, *path: str) -> Blocks:
        """The objects of the list at a path."""
        *parents, last = path
        holder = self.get(*parents) if parents else self.props
        if holder is UNKNOWN:
            return Blocks([], complete=False)
        return self.reader.blocks(holder if isinstance(holder, Mapping) else {}, last)

    def texts(self, *path: str) -> list[str]:
        """The known texts of the list at a path."""
        *parents, last = path
        holder = self.get(*parents) if parents else self.props
        return self.reader.texts(holder, last) if isinstance(holder, Mapping) else []

    def option(self, name: str) -> Any:
        return self._settings.option(name)

    @property
    def shown(self) -> str:
        """The resource's own name where it has one that is known, else its logical one."""
        for field in ("name", "displayName", "endpoint_name", "tableName"):
            value = Reader().get(self.props, field)
            if isinstance(value, str) and value:
                return value
        return self.name

    def is_made_of(self, name: str, other: Subject) -> bool:
        """Whether a property is made of an output of another resource."""
        return other.urn in self.sources.get(name, ())


class Settings:
    """The options of a rule, as configured or by default."""

    def __init__(self, schema: Options, configured: Mapping[str, Any] | None) -> None:
        self._schema = schema
        self._configured = configured or {}

    def option(self, name: str) -> Any:
        """KeyError for what is no option of the rule."""
        default = self._schema[name]["default"]
        return self._configured.get(name, default)


class Stack:
    """The resources of a stack together."""

    def __init__(self, args: StackValidationArgs, settings: Settings) -> None:
        self._settings = settings
        self.subjects: Sequence[Subject] = [Subject(resource, settings) for resource in args.resources]

    def of(self, *types: str) -> Iterator[Subject]:
        return (subject for subject in self.subjects if subject.type in types)

    def option(self, name: str) -> Any:
        return self._settings.option(name)

    def raise_unknown(self) -> None:
        for subject in self.subjects:
            subject.reader.raise_unknown()
