"""The kinds of object that carry an access control list, and the levels each kind knows.

Source: `permissions/permission_definitions.go` of terraform-provider-databricks 1.128. The provider drops a Permissions
resource whose GET answers another `object_type` than the one it expects, so these strings are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

OWNER_LEVEL = "IS_OWNER"
MANAGE_LEVEL = "CAN_MANAGE"


Refusal = Callable[[str, str, str], str]
"""What the service says: from the caller's name, the level that is wanted, and the object's id or name."""


def _plain(user: str, level: str, shown: str) -> str:
    # An assumption: what the service says for these kinds is not published.
    return f"User {user} does not have {level} permission on {shown}."


def _endpoint(_: str, level: str, shown: str) -> str:
    # Seen in answers of a workspace (databricks-demos/dbdemos issue 218).
    return f"User does not have permission '{level.removeprefix('CAN_').capitalize()}' on Endpoint {shown}"


def _experiment(user: str, level: str, shown: str) -> str:
    # Page "PERMISSION_DENIED error when accessing MLflow experiment artifacts" of the knowledge base.
    verb = {"CAN_READ": "View"}.get(level, level.removeprefix("CAN_").capitalize())
    return f"User {user} does not have permission to '{verb}' experiment with id {shown}"


def _job(user: str, level: str, shown: str) -> str:
    # databricks/cli `libs/testserver/jobs.go`, which names them as the backend's.
    names = {
        "CAN_VIEW": "View or Admin or Manage Run or Owner",
        "CAN_MANAGE_RUN": "Admin or Manage Run or Owner",
        "CAN_MANAGE": "Admin or Owner",
        OWNER_LEVEL: "Owner",
    }
    return f"User {user} does not have {names[level]} permissions on job {shown}"


@dataclass(frozen=True)
class ObjectType:
    """One kind of object: `path` is its segment in request paths, `name` the `object_type` of answers."""

    path: str
    name: str
    levels: Mapping[str, str]
    """What each level allows, the least first: who has one has those before it."""
    other_paths: tuple[str, ...] = ()
    refusal: Refusal = _plain
    for_users: str | None = None
    """What everybody in the workspace may do, until somebody sets permissions."""

    def rank(self, level: str) -> int:
        """CAN_READ and CAN_VIEW are two names of one level."""
        names = ["CAN_VIEW" if name == "CAN_READ" else name for name in self.levels]
        return names.index("CAN_VIEW" if level == "CAN_READ" else level)

    @property
    def has_owner(self) -> bool:
        return OWNER_LEVEL in self.levels

    @property
    def creator_level(self) -> str:
        """What the creator of an object may do before anyone has set permissions on it."""
        return OWNER_LEVEL if self.has_owner else MANAGE_LEVEL


_QUERY_LEVELS = {
    "CAN_VIEW": "Can view",
    "CAN_READ": "Can view",
    "CAN_RUN": "Can run",
    "CAN_EDIT": "Can edit",
    "CAN_MANAGE": "Can manage",
}

OBJECT_TYPES = (
    ObjectType(
        "serving-endpoints",
        "serving-endpoint",
        {
            "CAN_VIEW": "Can view the endpoint",
            "CAN_QUERY": "Can view and query the endpoint",
            "CAN_MANAGE": "Can view, query, edit and delete the endpoint, and change its permissions",
        },
        refusal=_endpoint,
    ),
    ObjectType(
        "experiments",
        "mlflowExperiment",
        {
            "CAN_READ": "Can view the experiment and its runs",
            "CAN_EDIT": "Can log runs to the experiment",
            "CAN_MANAGE": "Can change the experiment's permissions",
        },
        refusal=_experiment,
    ),
    ObjectType(
        "registered-models",
        "registered-model",
        {
            "CAN_READ": "Can view the model",
            "CAN_EDIT": "Can add versions",
            "CAN_MANAGE_STAGING_VERSIONS": "Can manage staging versions",
            "CAN_MANAGE_PRODUCTION_VERSIONS": "Can manage production versions",
            "CAN_MANAGE": "Can change the model's permissions",
        },
    ),
    ObjectType(
        "jobs",
        "job",
        {
            "CAN_VIEW": "Can view the job and its runs",
            "CAN_MANAGE_RUN": "Can start and cancel runs",
            "CAN_MANAGE": "Can edit the job and its permissions",
            "IS_OWNER": "Owns the job; exactly one principal does",
        },
        refusal=_job,
    ),
    ObjectType(
        "sql/warehouses",
        "warehouses",
        {
            "CAN_VIEW": "Can view the warehouse",
            "CAN_USE": "Can run queries",
            "CAN_MONITOR": "Can run queries and see the queries of others",
            "CAN_MANAGE": "Can start, stop, edit and delete the warehouse",
            "IS_OWNER": "Owns the warehouse; exactly one principal does",
        },
        other_paths=("warehouses",),
        # An assumption: the first warehouse of a workspace is there for all who work in it.
        for_users="CAN_USE",
    ),
    ObjectType("sql/queries", "query", _QUERY_LEVELS, other_paths=("queries",)),
    ObjectType("sql/alerts", "alert", _QUERY_LEVELS, other_paths=("alerts",)),
    ObjectType(
        "alertsv2",
        "alertv2",
        {"CAN_READ": "Can view", "CAN_RUN": "Can run", "CAN_EDIT": "Can edit", "CAN_MANAGE": "Can manage"},
    ),
    # Source: page "Access control lists", section "Dashboard ACLs"; names in the provider's permission_definitions.go.
    ObjectType(
        "dashboards",
        "dashboard",
        {
            "CAN_READ": "Can view the dashboard and its results",
            "CAN_RUN": "Can view, and refresh its results",
            "CAN_EDIT": "Can edit and publish the dashboard",
            "CAN_MANAGE": "Can edit, delete, and change its permissions",
        },
    ),
)
