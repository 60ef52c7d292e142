"""Refusals that only Lakebase words so."""

from __future__ import annotations

from workspace.errors import ApiError


class ManagedByParentError(ApiError):
    """What was made with its parent goes with it, and cannot be deleted on its own.

    The Terraform provider knows it by the ErrorInfo in its details, and takes the resource for deleted.
    """

    def __init__(self, name: str, parent: str) -> None:
        super().__init__(
            400,
            "BAD_REQUEST",
            f"'{name}' is managed by '{parent}' and cannot be deleted on its own; delete '{parent}'.",
        )

    def body(self) -> dict[str, object]:
        info = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "MANAGED_BY_PARENT",
            "domain": "postgres.databricks.com",
            "metadata": {"reason": "MANAGED_BY_PARENT"},
        }
        return {**super().body(), "details": [info]}
