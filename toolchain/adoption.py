"""Finds what an interrupted creation has made, so that it is taken into the state instead of being made again.

A creation that a kill interrupted may have taken effect. Making it again is refused by the service where the name is
taken (409), and makes a double where names are not unique (jobs, saved queries). Pulumi's own remedy is
`refresh --import-pending-creates <urn> --import-pending-creates <id>`; which id it is, is looked up here by what the
program asked for. What can be written twice (permissions, grants, secrets) and what adopts by itself (dynamic
resources) needs none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

Inputs = Mapping[str, Any]


class AmbiguousCreationError(Exception):
    """Several things in the workspace could be what was made; the message lists them and says what to do."""


def find_created(client: WorkspaceClient, type_token: str, inputs: Inputs) -> str | None:
    """The Pulumi id of what a creation with these inputs has made; None where there is nothing.

    Raises:
        AmbiguousCreationError: the name is not unique in the workspace.
        databricks.sdk.errors.DatabricksError: the workspace refused to answer; nothing is concluded from that.
    """
    from databricks.sdk.errors import NotFound

    look = _LOOKUPS.get(type_token)
    if look is None:
        return None
    try:
        return look(client, inputs)
    except NotFound:
        return None


def is_looked_up(type_token: str) -> bool:
    """Whether a creation of this type has to be looked for; the others can simply be made again."""
    return type_token in _LOOKUPS


def workspace_of(environ: Mapping[str, str]) -> WorkspaceClient:
    """A client with the credentials of an environment that is not this process's own."""
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.core import Config

    return WorkspaceClient(config=Config(host=environ.get("DATABRICKS_HOST"), token=environ.get("DATABRICKS_TOKEN")))


def _endpoint(client: WorkspaceClient, inputs: Inputs) -> str | None:
    return client.serving_endpoints.get(inputs["name"]).name


def _online_store(client: WorkspaceClient, inputs: Inputs) -> str | None:
    return client.feature_store.get_online_store(inputs["name"]).name


def _table(client: WorkspaceClient, inputs: Inputs) -> str | None:
    return client.tables.get(f"{inputs['catalogName']}.{inputs['schemaName']}.{inputs['name']}").full_name


def _monitor(client: WorkspaceClient, inputs: Inputs) -> str | None:
    return client.quality_monitors.get(inputs["tableName"]).table_name


def _registered_model(client: WorkspaceClient, inputs: Inputs) -> str | None:
    return client.registered_models.get(f"{inputs['catalogName']}.{inputs['schemaName']}.{inputs['name']}").full_name


def _job(client: WorkspaceClient, inputs: Inputs) -> str | None:
    return _only("jobs", inputs["name"], (str(job.job_id) for job in client.jobs.list(name=inputs["name"])))


def _query(client: WorkspaceClient, inputs: Inputs) -> str | None:
    name = inputs["displayName"]
    return _only("saved queries", name, _query_ids(client, name))


def _query_ids(client: WorkspaceClient, name: str) -> Iterator[str]:
    for query in client.queries.list():
        if query.display_name == name and query.id is not None:
            yield query.id


def _only(what: str, name: str, ids: Iterable[str]) -> str | None:
    found = list(ids)
    if len(found) > 1:
        raise AmbiguousCreationError(
            f"{len(found)} {what} are called {name!r} ({', '.join(found)}), and one of them may have been made by a "
            "run that was interrupted: delete the one that nobody uses, then run again"
        )
    return found[0] if found else None


_LOOKUPS: dict[str, Callable[[WorkspaceClient, Inputs], str | None]] = {
    "databricks:index/modelServing:ModelServing": _endpoint,
    "databricks:index/onlineStore:OnlineStore": _online_store,
    "databricks:index/sqlTable:SqlTable": _table,
    "databricks:index/qualityMonitor:QualityMonitor": _monitor,
    "databricks:index/registeredModel:RegisteredModel": _registered_model,
    "databricks:index/job:Job": _job,
    "databricks:index/query:Query": _query,
}
