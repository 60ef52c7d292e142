"""All resource types the stand-in knows, by token."""

from collections.abc import Mapping
from typing import Final

from toolchain.provider.errors import PluginError
from toolchain.provider.resources import (
    access,
    dashboards,
    data,
    features,
    files,
    identity,
    lakebase,
    serving,
    vector_search,
    watching,
    work,
)
from toolchain.provider.schema import Resource
from toolchain.provider.text import listed

RESOURCES: Final[Mapping[str, Resource]] = {
    row.type: row
    for row in (
        *serving.ROWS,
        *data.ROWS,
        *access.ROWS,
        *watching.ROWS,
        *features.ROWS,
        *files.ROWS,
        *work.ROWS,
        *lakebase.ROWS,
        *identity.ROWS,
        *dashboards.ROWS,
        *vector_search.ROWS,
    )
}


def find(token: str) -> Resource:
    """The row of a type token.

    Raises:
        PluginError: the stand-in does not know the type.
    """
    row = RESOURCES.get(token)
    if row is None:
        known = listed(item.type_name for item in RESOURCES.values())
        raise PluginError(
            f"the stand-in `databricks` plugin does not know the type `{token}`; it knows {known}. Use the official "
            "plugin for this stack "
            "(`pulumi plugin install resource databricks`), or add a row to toolchain/provider/resources"
        )
    return row
