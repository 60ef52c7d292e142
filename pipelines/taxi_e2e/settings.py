"""What the tasks of the jobs are told: job parameters, one widget each, all of them texts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from databricks.sdk import WorkspaceClient

from pipelines.errors import PipelineError
from pipelines.sql import Warehouse, find_warehouse

CHAMPION: Final = "champion"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where everything is."""

    catalog: str
    schema: str
    raw_table: str
    """Table of raw trips in the columns of `samples.nyctaxi.trips`, three parts."""
    model: str
    """Registered model, three parts."""
    experiment: str
    """Workspace path of the MLflow experiment."""
    warehouse_id: str | None = None
    """Any that this identity may see when None."""
    git_commit: str = ""
    """Commit that the running code was deployed from; empty where nobody said."""

    @property
    def full_schema(self) -> str:
        return f"{self.catalog}.{self.schema}"

    def warehouse(self, workspace: WorkspaceClient) -> Warehouse:
        """The SQL warehouse, with the schema that unqualified names belong to."""
        return Warehouse(workspace, find_warehouse(workspace, self.warehouse_id), self.catalog, self.schema)


def settings_of(get: Callable[[str], str]) -> Settings:
    """The settings, from a function that gives a job parameter (`dbutils.widgets.get`)."""
    return Settings(
        catalog=get("catalog"),
        schema=get("schema"),
        raw_table=get("raw_table"),
        model=get("model"),
        experiment=get("experiment"),
        warehouse_id=get("warehouse_id") or None,
        git_commit=get("git_commit"),
    )


def flag(name: str, text: str) -> bool:
    """A parameter that is `true` or `false`. Raises PipelineError for anything else."""
    if text.lower() not in ("true", "false"):
        raise PipelineError(f"Job parameter {name} is {text!r}; use true or false.")
    return text.lower() == "true"


def number(name: str, text: str) -> float:
    """A parameter that is a number. Raises PipelineError for anything else."""
    try:
        return float(text)
    except ValueError as error:
        raise PipelineError(f"Job parameter {name} is {text!r}; use a number.") from error
