"""The schema that a pipeline writes to."""

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound

from pipelines.errors import PipelineError


def ensure_schema(workspace: WorkspaceClient, catalog: str, schema: str) -> None:
    """Create the schema unless it is there. Raises PipelineError when its catalog is missing."""
    try:
        workspace.schemas.get(f"{catalog}.{schema}")
        return
    except NotFound:
        pass
    try:
        workspace.catalogs.get(catalog)
    except NotFound as error:
        raise PipelineError(
            f"Catalog {catalog} is not on {workspace.config.host}. "
            f"Create it (CREATE CATALOG {catalog}), ask for USE CATALOG on it, or name another with --catalog."
        ) from error
    workspace.schemas.create(name=schema, catalog_name=catalog)
