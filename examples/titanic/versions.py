"""Which versions of the model can be served from which store: training says so in a tag."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from components.dynamic.errors import WorkspaceError
from components.dynamic.registry_calls import version_facts

if TYPE_CHECKING:
    from components.serving_stack import ServingPlan

STORE_TAG = "feature_store"
MYSQL, ONLINE_STORE = "mysql", "online_store"
_WHY = {
    MYSQL: "which reads the store itself",
    ONLINE_STORE: "which carries the feature lookup that the endpoint does",
}


def check_versions_read(plan: ServingPlan, kind: str) -> None:
    """Refuses versions that would not find their features.

    Args:
        kind: what the stack's store needs, `mysql` or `online_store`.

    Raises:
        pulumi.RunError: a version is of another kind, or was trained elsewhere and does not say.
    """
    for version in sorted({entity.version for entity in plan.entities}):
        model = plan.config.model.name
        try:
            found = version_facts(plan.client, model, version).tags.get(STORE_TAG, "")
        except WorkspaceError as error:
            raise pulumi.RunError(str(error)) from None
        if found != kind:
            raise pulumi.RunError(
                f"version {version} of {model} has the tag {STORE_TAG}={found or '(none)'}, and mysql.enabled asks for "
                f"{kind}, {_WHY[kind]}: name such a version under model.aliases (each training registers one of both "
                "kinds), or change mysql.enabled"
            )
