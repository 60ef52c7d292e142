"""Proof that an endpoint answers."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import PolicyResource, StackValidationArgs

from policies.endpoints import MODEL_SERVING
from policies.reading import Reader
from policies.rule import ADVISORY, MANDATORY, StackRule

SMOKE_QUERY = "pulumi-python:dynamic/serving:SmokeQuery"


def _check(args: StackValidationArgs) -> Iterator[tuple[PolicyResource, str]]:
    queries = [resource for resource in args.resources if resource.resource_type == SMOKE_QUERY]
    for endpoint in args.resources:
        if endpoint.resource_type == MODEL_SERVING and not any(_asks(query, endpoint) for query in queries):
            name = Reader().get(endpoint.props, "name")
            shown = f"'{name}'" if isinstance(name, str) else endpoint.name
            yield (
                endpoint,
                f"no SmokeQuery asks endpoint {shown}, so nothing proves that it answers before the alias moves: "
                f"declare one whose endpoint_name is {shown}.",
            )


def _asks(query: PolicyResource, endpoint: PolicyResource) -> bool:
    """By name; where a name is not known before the update, by the output that `endpoint_name` is made of."""
    reader = Reader()
    asked, name = reader.get(query.props, "endpoint_name"), reader.get(endpoint.props, "name")
    if not reader.met_unknown:
        return bool(asked == name)
    sources = query.property_dependencies.get("endpoint_name", [])
    return any(source.urn == endpoint.urn for source in sources)


endpoint_has_a_smoke_query = StackRule(
    id="POL-17",
    name="endpoint-has-a-smoke-query",
    description="Require a smoke query for every endpoint, so that an update fails when the endpoint answers wrongly.",
    remediation="Declare a SmokeQuery whose endpoint_name is the endpoint's name.",
    staging=ADVISORY,
    prod=MANDATORY,
    check=_check,
)
