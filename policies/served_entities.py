"""Which version of a model an endpoint serves."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs

from policies.endpoints import DECLARES_ENTITIES, as_text, declared
from policies.reading import UNKNOWN, Reader
from policies.rule import MANDATORY, ResourceRule


def _check(args: ResourceValidationArgs) -> Iterator[str]:
    reader = Reader()
    for entity in declared(args.props, reader).entities:
        # A feature spec or an external model has no version; only a registered model is served by one.
        if entity.version in (None, "") or entity.version is UNKNOWN:
            continue
        version = as_text(entity.version)
        if not (version.isascii() and version.isdecimal()):
            yield (
                f"{entity.label}: the version of {entity.model} is '{version}', which is not a number. "
                'Set it to the number of the version, such as "15"; where an alias is meant, resolve it in the program '
                "(GET /api/2.1/unity-catalog/models/<model>/aliases/<alias>), so that preview shows the number."
            )
    reader.raise_unknown()


served_entity_version_is_a_number = ResourceRule(
    id="POL-01",
    name="served-entity-version-is-a-number",
    description="Refuse a served entity whose version is not a number: the service takes neither aliases nor stages.",
    remediation='Set the entity\'s version to a number such as "15"; resolve an alias to its number in the program.',
    staging=MANDATORY,
    prod=MANDATORY,
    types=DECLARES_ENTITIES,
    check=_check,
)
