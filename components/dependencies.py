"""A component's own `depends_on`, handed to the child that must wait: the engine does not pass it on."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi


def dependencies(opts: pulumi.ResourceOptions | None) -> list[pulumi.Resource]:
    """The resources that the caller wants a component to wait for.

    Raises:
        TypeError: `depends_on` holds something other than resources.
    """
    declared = opts.depends_on if opts is not None else None
    if declared is None:
        return []
    if isinstance(declared, pulumi.Resource):
        return [declared]
    if isinstance(declared, Sequence):
        resources = [resource for resource in declared if isinstance(resource, pulumi.Resource)]
        if len(resources) == len(declared):
            return resources
    raise TypeError(f"depends_on of a component takes resources, received {declared!r}; pass the resources themselves")
