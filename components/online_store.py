"""`FeatureOnlineStore`: the online store that feature tables are published to.

Facts on `databricks:index/onlineStore:OnlineStore`: no field is marked as replacing, so the provider would answer
a rename with a PATCH to the new name, which is not there. The new store stands before the old one goes: each table is
then offline for its own first sync only, and not for the start of a store as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pulumi

from . import databricks
from .arguments import Arguments
from .names import check_store_name
from .options import main_options


@dataclass(frozen=True, kw_only=True)
class FeatureOnlineStoreArgs(Arguments):
    """What a `FeatureOnlineStore` is made of."""

    name: str
    """Name of the store in the workspace: letters, digits, hyphens. A new name is a new, empty store."""
    capacity: Literal["CU_1", "CU_2", "CU_4", "CU_8"] = "CU_1"
    """Compute units; changes in place."""
    read_replica_count: int = 0
    """Read replicas beside the primary; changes in place."""


class FeatureOnlineStore(pulumi.ComponentResource):
    """An online store (Lakebase) for published feature tables."""

    store_name: pulumi.Output[str]

    def __init__(self, name: str, args: FeatureOnlineStoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check_store_name(args.name)
        if args.read_replica_count < 0:
            raise ValueError(f"read_replica_count of {args.name} is {args.read_replica_count}; it cannot be negative")
        super().__init__("databricks-serving:index:FeatureOnlineStore", name, None, opts)
        self.store = databricks.OnlineStore(
            name,
            name=args.name,
            capacity=args.capacity,
            read_replica_count=args.read_replica_count,
            opts=pulumi.ResourceOptions.merge(
                main_options(self, opts), pulumi.ResourceOptions(replace_on_changes=["name"])
            ),
        )
        self.store_name = self.store.name
        self.register_outputs({"store_name": self.store_name})
