"""Rows for online features."""

from typing import Final

from toolchain.provider.fields import integer, text
from toolchain.provider.schema import Call, Family, Resource
from toolchain.provider.strategies.plain import Plain

_STORES: Final = "/api/2.0/feature-store/online-stores"

ONLINE_STORE: Final = Resource(
    type="databricks:index/onlineStore:OnlineStore",
    family=Family.FRAMEWORK,
    fields=(
        text("name"),
        text("capacity", required=True),
        integer("read_replica_count"),
        text("usage_policy_id"),
        text("creation_time", output=True),
        text("creator", output=True),
        text("state", output=True),
    ),
    id="{+name}",
    import_id=("", "name"),
    create=Call(method="POST", path=_STORES, sends=("*",)),
    read=Call(method="GET", path=f"{_STORES}/{{name}}"),
    update=Call(
        method="PATCH",
        path=f"{_STORES}/{{name}}",
        sends=("*",),
        query={"update_mask": "capacity,read_replica_count,usage_policy_id"},
    ),
    delete=Call(method="DELETE", path=f"{_STORES}/{{name}}"),
    id_in_state=False,
    strategy=Plain(),
)

ROWS: Final = (ONLINE_STORE,)
