"""How the table's rows write their fields down: one short function for each kind."""

from typing import TypedDict, Unpack

from toolchain.provider.schema import Field, Kind, camel


class Options(TypedDict, total=False):
    """What may be said of a field; each is explained at `Field`."""

    wire: str
    reads: str
    required: bool
    computed: bool
    output: bool
    stable: bool
    replaces: bool
    local: bool
    keep: bool
    written: bool
    secret: bool
    unordered: bool
    any_case: bool
    default: object
    send_default: object
    clears: bool
    twin: str
    match: str
    formula: str
    strategic: bool


def _field(kind: Kind, api: str, fields: tuple[Field, ...], options: Options) -> Field:
    named: Options = {"wire": camel(api), "reads": api, **options}
    return Field(api=api, kind=kind, fields=fields, **named)


def text(api: str, **options: Unpack[Options]) -> Field:
    return _field(Kind.TEXT, api, (), options)


def integer(api: str, **options: Unpack[Options]) -> Field:
    return _field(Kind.INTEGER, api, (), options)


def number(api: str, **options: Unpack[Options]) -> Field:
    return _field(Kind.NUMBER, api, (), options)


def boolean(api: str, **options: Unpack[Options]) -> Field:
    return _field(Kind.BOOLEAN, api, (), options)


def mapping(api: str, **options: Unpack[Options]) -> Field:
    return _field(Kind.MAP, api, (), options)


def texts(api: str, **options: Unpack[Options]) -> Field:
    return _field(Kind.LIST, api, (), options)


def block(api: str, *fields: Field, **options: Unpack[Options]) -> Field:
    return _field(Kind.BLOCK, api, fields, options)


def blocks(api: str, *fields: Field, **options: Unpack[Options]) -> Field:
    return _field(Kind.BLOCKS, api, fields, options)


def key_values(api: str, **options: Unpack[Options]) -> Field:
    """Tags: an unordered list of ``{key, value}``."""
    options["unordered"] = True
    return blocks(api, text("key"), text("value"), **options)
