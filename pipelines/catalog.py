"""Tables as Unity Catalog has them, against what a pipeline declares."""

from collections.abc import Mapping

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import TableInfo

from pipelines.errors import PipelineError


def declared_table(workspace: WorkspaceClient, full_name: str, columns: Mapping[str, str]) -> TableInfo:
    """The table, which must have the declared columns, in any order.

    Args:
        full_name: catalog.schema.table.
        columns: Databricks SQL types in lower case, by name; names are the same in any case, as in SQL.

    Raises PipelineError with every difference, for instance when an older pipeline left a table with other columns.
    """
    info = workspace.tables.get(full_name)
    found = {column.name or "": (column.type_text or "").lower() for column in info.columns or []}
    missing, extra = _not_in(found, columns), _not_in(columns, found)
    if missing or extra:
        raise PipelineError(
            f"Table {full_name} is not as declared: expected {', '.join(missing) or 'nothing more'}; "
            f"found {', '.join(extra) or 'nothing in its place'}. Drop it (DROP TABLE {full_name}) and run again; "
            "online copies of it must then be published again."
        )
    return info


def _not_in(there: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    types = {name.casefold(): kind for name, kind in there.items()}
    return [f"{name} {kind}" for name, kind in wanted.items() if types.get(name.casefold()) != kind]
