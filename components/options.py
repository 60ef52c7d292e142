"""What a caller's resource options mean for a component's children.

The engine hands `provider`, `protect`, `retain_on_delete`, `aliases` and `transforms` down by itself, as long as a
child says nothing of its own: a child that says False is not protected by a component that says True. It does not hand
down `depends_on`, `custom_timeouts` and `ignore_changes`; those reach the children that they are for from here. What
else is said to a component would do nothing, and so is told.
"""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

_WITHOUT_EFFECT = ("replace_on_changes", "delete_before_replace", "import_", "additional_secret_outputs")
_OF_THE_MAIN_RESOURCE = ("custom_timeouts", "ignore_changes")


def dependencies(opts: pulumi.ResourceOptions | None) -> list[pulumi.Input[pulumi.Resource]]:
    """The resources that the caller wants a component to wait for.

    Raises:
        TypeError: `depends_on` is something other than a resource or a list.
    """
    declared = opts.depends_on if opts is not None else None
    if declared is None:
        return []
    if isinstance(declared, pulumi.Resource):
        return [declared]
    if isinstance(declared, Sequence):
        return list(declared)
    raise TypeError(f"depends_on of a component takes resources, received {declared!r}; pass a list of them")


def child_options(
    component: pulumi.ComponentResource, opts: pulumi.ResourceOptions | None, *, has_main: bool = False
) -> pulumi.ResourceOptions:
    """Options of every child: below the component, after what the component waits for.

    Args:
        opts: the component's own.
        has_main: whether one child also gets `main_options`.
    """
    unheeded = _WITHOUT_EFFECT if has_main else (*_WITHOUT_EFFECT, *_OF_THE_MAIN_RESOURCE)
    if given := [name for name in unheeded if getattr(opts, name, None)]:
        pulumi.log.warn(
            f"{', '.join(name.strip('_') for name in given)} of a component of this kind has no effect: it is asked "
            "of single resources. Reach them with transforms, or use the component's arguments",
            resource=component,
        )
    return pulumi.ResourceOptions(parent=component, depends_on=dependencies(opts))


def main_options(
    component: pulumi.ComponentResource, opts: pulumi.ResourceOptions | None, *, timeout: str | None = None
) -> pulumi.ResourceOptions:
    """Options of the resource that a component stands for: `child_options`, and what the caller said of it.

    Args:
        opts: the component's own; its `custom_timeouts` count over `timeout`.
        timeout: for create and update, where the caller says nothing.
    """
    given = opts or pulumi.ResourceOptions()
    stated = given.custom_timeouts or pulumi.CustomTimeouts()
    timeouts = pulumi.CustomTimeouts(
        create=stated.create or timeout, update=stated.update or timeout, delete=stated.delete
    )
    return pulumi.ResourceOptions.merge(
        child_options(component, opts, has_main=True),
        pulumi.ResourceOptions(
            ignore_changes=given.ignore_changes,
            custom_timeouts=timeouts if any((timeouts.create, timeouts.update, timeouts.delete)) else None,
        ),
    )
