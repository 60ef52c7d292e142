"""Finds what an interrupted creation has made, so that it is taken into the state instead of being made again.

A creation that a kill interrupted may have taken effect. Making it again is refused by the service where the name is
taken (409), and makes a double where names are not unique (jobs, saved queries). What was made is looked up here by
what the program asked for; `toolchain/pending.py` takes it into the state. What can be written twice (permissions,
grants, secrets) and what adopts by itself (dynamic resources) needs none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from toolchain.report import ToolchainError, say

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.serving import ServingEndpointDetailed

Inputs = Mapping[str, Any]

#: The SDK would try a host that does not answer for five minutes.
RETRY_SECONDS = 20
#: What the official plugin gives an endpoint to come up (facts of `databricks:index/modelServing:ModelServing`).
ENDPOINT_LIMIT = timedelta(minutes=45)


class AmbiguousCreationError(ToolchainError):
    """Several things in the workspace could be what was made; the message lists them and says what to do."""


def find_created(client: WorkspaceClient, type_token: str, inputs: Inputs) -> str | None:
    """The Pulumi id of what a creation with these inputs has made; None where there is nothing.

    An endpoint that is still coming up is waited for: until then the service refuses to change it.

    Raises:
        AmbiguousCreationError: the name is not unique in the workspace.
        ToolchainError: the workspace refused to answer, or does not answer; nothing is concluded from that.
    """
    from databricks.sdk.errors import NotFound

    look = _LOOKUPS.get(type_token)
    if look is None:
        return None
    with _in_words(client.config.host or "the workspace"):
        try:
            return look(client, inputs)
        except NotFound:
            return None


def is_looked_up(type_token: str) -> bool:
    """Whether a creation of this type has to be looked for; the others can simply be made again."""
    return type_token in _LOOKUPS


def workspace_of(environ: Mapping[str, str]) -> WorkspaceClient:
    """A client with the credentials of an environment that is not this process's own.

    Raises:
        ToolchainError: the environment does not say how to log in, or the host does not answer.
    """
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.core import Config

    host, token = environ.get("DATABRICKS_HOST"), environ.get("DATABRICKS_TOKEN")
    with _in_words(host or "the workspace"):
        config = Config(
            host=host,
            token=token,
            # A token that is given is meant, whatever else this process's own environment has to log in with.
            auth_type=environ.get("DATABRICKS_AUTH_TYPE") or ("pat" if token else None),
            retry_timeout_seconds=RETRY_SECONDS,
        )
        return WorkspaceClient(config=config)


@contextmanager
def _in_words(host: str) -> Iterator[None]:
    from databricks.sdk.errors import NotFound
    from databricks.sdk.errors.base import DatabricksError

    try:
        yield
    except NotFound:
        raise
    # ValueError: no way to log in. OSError: no connection; TimeoutError, the SDK's last word on one, is among them.
    except (DatabricksError, ValueError, OSError) as error:
        raise ToolchainError(
            f"an earlier run was interrupted, and {host} does not tell what it had made by then: {error}. "
            "Nothing has been changed. Mend that (DATABRICKS_HOST, the credentials), then run the same command again."
        ) from error


def _endpoint(client: WorkspaceClient, inputs: Inputs) -> str | None:
    from databricks.sdk.errors import OperationFailed

    name: str = inputs["name"]
    told: list[str] = []

    def tell(_: ServingEndpointDetailed) -> None:
        if not told:
            told.append(f"endpoint {name}, which an interrupted run has made, is still coming up; waiting for it")
            say(told[0])

    # A failed one is taken over as it is: the update that follows sends the config again, or fails with the reason.
    with suppress(OperationFailed):
        client.serving_endpoints.wait_get_serving_endpoint_not_updating(name, ENDPOINT_LIMIT, tell)
    return name


def _online_store(client: WorkspaceClient, inputs: Inputs) -> str | None:
    return client.feature_store.get_online_store(inputs["name"]).name


def _table(client: WorkspaceClient, inputs: Inputs) -> str | None:
    return client.tables.get(f"{inputs['catalogName']}.{inputs['schemaName']}.{inputs['name']}").full_name


def _monitor(client: WorkspaceClient, inputs: Inputs) -> str | None:
    return client.quality_monitors.get(inputs["tableName"]).table_name


def _registered_model(client: WorkspaceClient, inputs: Inputs) -> str | None:
    return client.registered_models.get(f"{inputs['catalogName']}.{inputs['schemaName']}.{inputs['name']}").full_name


def _job(client: WorkspaceClient, inputs: Inputs) -> str | None:
    return _only("jobs", inputs["name"], _job_ids(client, inputs["name"]))


def _job_ids(client: WorkspaceClient, name: str) -> Iterator[str]:
    # The service's filter takes no notice of case.
    for job in client.jobs.list(name=name):
        if job.settings is not None and job.settings.name == name:
            yield str(job.job_id)


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
